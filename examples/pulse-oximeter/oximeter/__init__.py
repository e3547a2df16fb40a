"""A pulse oximeter's back end: readings in, alarms and FHIR R4 Observations out."""
