"""The gates: pure functions, facts and policy in, verdict out. Nothing here does I/O."""
