"""Our networks, losses and metrics against numbers that the official implementations produced."""

import pytest

from tests.golden.case import Case, verdict
from tests.golden.conftest import DEVIATES, HERE, KIND, is_pending, load_checkers

CHECKERS = load_checkers()


def test_golden(golden_case: Case, record_property) -> None:
    record_property(KIND, golden_case.kind)
    if is_pending(golden_case):
        pytest.skip(f"{golden_case.kind} is pending")
    checker = CHECKERS.get(golden_case.kind)
    assert checker is not None, f"unknown kind {golden_case.kind}: write a checker or list it in pending.txt"
    deviates = (HERE / "deviates.txt").read_text()
    lines, deviating = verdict(golden_case, checker(golden_case), deviates, again=checker)
    for line in deviating:
        record_property(DEVIATES, line)
    assert not lines, "\n".join(lines)
