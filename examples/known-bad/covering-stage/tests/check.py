"""One test, without a test tool: the application answers with 200."""

from pathlib import Path

assert "send_response(200)" in Path("app.py").read_text()
Path("/autoclave/results/junit.xml").write_text(
    '<testsuite name="check" tests="1"><testcase classname="check" name="answers_200">'
    '<properties><property name="requirement" value="REQ-1"/></properties>'
    "</testcase></testsuite>"
)
