"""Jenkins: its jobs, its server, and the formats that it shows."""
