"""GitLab: its jobs' files, its server, and the formats that it shows."""
