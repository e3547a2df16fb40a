"""Stand-ins for what tests cannot have for real, or cannot make fail on demand."""
