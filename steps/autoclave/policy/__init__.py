"""The policy: what the gates require, by class, organisation and device."""
