"""The sections of the release report, each filled from verified evidence."""
