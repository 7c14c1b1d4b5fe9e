"""The known numbers hold here, and a wrong one is seen."""

from styleinv.evaluation.selftest import Check, selftest


def test_known_numbers() -> None:
    assert [check for check in selftest() if not check.passed] == []


def test_a_wrong_number_fails() -> None:
    assert Check("x", 1.0, 1.05, 0.1).passed and not Check("x", 1.0, 1.2, 0.1).passed
