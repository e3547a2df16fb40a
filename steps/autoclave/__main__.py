"""`python -m autoclave` is the command line."""

from autoclave.cli import entry

entry()
