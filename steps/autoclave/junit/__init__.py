"""JUnit reports: those of the tests are read and counted, those of the gates are written."""
