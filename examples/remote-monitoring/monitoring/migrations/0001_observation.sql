CREATE TABLE observation (
    id uuid PRIMARY KEY,
    device text NOT NULL,
    patient text NOT NULL,
    code text NOT NULL,
    value integer NOT NULL,
    taken timestamptz NOT NULL,
    received timestamptz NOT NULL DEFAULT now(),
    UNIQUE (device, patient, code, taken)
)
