"""A remote-monitoring back end: gateways post FHIR R4 Observations, clinicians' systems query them."""
