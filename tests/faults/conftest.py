"""Collects what the tests of this folder count, and prints it below the results."""

import pytest

_COUNTED = "counted"


@pytest.fixture
def counted(record_property):
    """Returns a function that has a line printed at the end."""
    return lambda line: record_property(_COUNTED, line)


def pytest_terminal_summary(terminalreporter):
    for report in terminalreporter.stats.get("passed", ()):
        for name, line in report.user_properties:
            if name == _COUNTED:
                terminalreporter.write_line(line)
