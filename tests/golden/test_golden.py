"""Our networks, losses and metrics against numbers that the official implementations produced."""

import pytest

from tests.golden.case import Case, failures
from tests.golden.conftest import RESULTS, load_checkers, pending_kinds

CHECKERS = load_checkers()


def test_golden(golden_case: Case) -> None:
    if golden_case.kind in pending_kinds():
        RESULTS[golden_case.kind].append("pending")
        pytest.skip(f"{golden_case.kind} is pending")
    RESULTS[golden_case.kind].append("failed")
    checker = CHECKERS.get(golden_case.kind)
    assert checker is not None, f"unknown kind {golden_case.kind}: write a checker or list it in pending.txt"
    lines = failures(golden_case, checker(golden_case))
    assert not lines, "\n".join(lines)
    RESULTS[golden_case.kind][-1] = "passed"
