"""One test, without a test tool: the application compiles."""

from pathlib import Path

compile(Path("app.py").read_text(), "app.py", "exec")
Path("/autoclave/results/junit.xml").write_text(
    '<testsuite name="check" tests="1"><testcase classname="check" name="app_compiles">'
    '<properties><property name="requirement" value="REQ-1"/></properties>'
    "</testcase></testsuite>"
)
