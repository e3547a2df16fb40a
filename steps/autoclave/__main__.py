"""`python -P -m autoclave` is the command line."""

from autoclave.cli.main import entry

entry()
