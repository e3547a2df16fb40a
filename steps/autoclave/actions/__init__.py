"""What people and jobs do besides the steps: approve, waive, verify, roll back, hand over."""
