"""Two tests, one of which fails."""

import sys
from pathlib import Path

Path("/autoclave/results/junit.xml").write_text(
    '<testsuite name="check" tests="2" failures="1">'
    '<testcase classname="check" name="app_compiles"/>'
    '<testcase classname="check" name="answers_in_time"><failure message="took 7 s, allowed 5 s"/></testcase>'
    "</testsuite>"
)
sys.exit(1)
