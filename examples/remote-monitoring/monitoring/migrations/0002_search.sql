CREATE INDEX of_patient ON observation (patient, taken DESC)
