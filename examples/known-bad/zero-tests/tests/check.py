"""No test at all, which is not success."""

from pathlib import Path

Path("/autoclave/results/junit.xml").write_text('<testsuite name="check" tests="0"></testsuite>')
