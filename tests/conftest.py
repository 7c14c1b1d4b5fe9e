"""Options and defaults of the whole test suite."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--golden", action="append", help="a folder of golden cases (repeatable)")
