"""Reports of other tools read, and our own results in the formats that CI hosts show."""
