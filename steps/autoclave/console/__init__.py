"""The output of a run, for persons and for machines."""
