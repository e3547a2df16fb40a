"""The policy: what the gates demand, by class, organisation and device."""
