"""The back end of remotely monitored pulse oximeters."""
