CREATE TABLE observation (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    patient text NOT NULL,
    device text NOT NULL,
    code text NOT NULL CHECK (code IN ('59408-5', '8867-4')),
    value numeric NOT NULL,
    taken timestamptz NOT NULL,
    -- As it was sent: the zone says where the patient was.
    taken_text text NOT NULL,
    received timestamptz NOT NULL DEFAULT now(),
    -- A gateway sends again what was not answered: the second delivery is the same Observation.
    UNIQUE (device, code, taken)
)
