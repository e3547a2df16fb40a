CREATE INDEX observation_of_patient ON observation (patient, code, taken DESC, id)
