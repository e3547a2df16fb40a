"""One test whose status is a word that nobody knows: it may have passed, and it may not."""

from pathlib import Path

Path("/autoclave/results/junit.xml").write_text(
    '<testsuite name="check" tests="2">'
    '<testcase classname="check" name="app_compiles" status="passed"/>'
    '<testcase classname="check" name="answers_in_time" status="accepted"/>'
    "</testsuite>"
)
