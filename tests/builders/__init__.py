"""Builders that several areas of tests use: facts, records, bundles, reports, devices, registries."""
