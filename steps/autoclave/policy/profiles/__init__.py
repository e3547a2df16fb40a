"""Built-in policy profiles, one per IEC 62304 safety class. Data, not code."""
