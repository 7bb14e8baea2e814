"""Collects what the tests of this folder count, and prints it below the results."""

import pytest

COUNTED = pytest.StashKey[list[str]]()


def pytest_configure(config):
    config.stash[COUNTED] = []


@pytest.fixture
def counted(pytestconfig):
    """Returns a function that has a line printed at the end."""
    return pytestconfig.stash[COUNTED].append


def pytest_terminal_summary(terminalreporter, config):
    for line in config.stash[COUNTED]:
        terminalreporter.write_line(line)
