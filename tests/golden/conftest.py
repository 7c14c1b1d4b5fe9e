"""`pytest tests/golden --golden DIR`: one test per case, a table per kind at the end."""

import collections
import importlib
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.golden.case import Case

HERE = Path(__file__).parent
# The property under which a test reports its kind, also from another process.
KIND = "golden_kind"
# The same for an output that deviates on purpose: the case, the output and the reason.
DEVIATES = "golden_deviates"


def load_checkers() -> dict:
    """Checkers of every kind, gathered from tests/golden/checkers/*.py."""
    checkers: dict = {}
    for file in sorted((HERE / "checkers").glob("[a-z]*.py")):
        checkers |= importlib.import_module(f"tests.golden.checkers.{file.stem}").CHECKERS
    return checkers


def is_pending(case: Case) -> bool:
    """Whether pending.txt lists the kind of a case; `<kind> <option>` is about cases with that option alone."""
    for line in (HERE / "pending.txt").read_text().splitlines():
        kind, _, option = line.partition(" ")
        if kind == case.kind and (not option or case.config.get(option)):
            return True
    return False


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "golden_case" not in metafunc.fixturenames:
        return
    folders = [Path(p) for p in metafunc.config.getoption("golden") or []] or [HERE / "cases"]
    paths = sorted(m.parent for folder in folders for m in folder.glob("*/manifest.json"))
    assert paths, f"no golden cases under {', '.join(map(str, folders))}"
    params = []
    for path in paths:
        case = Case(path)
        slow = "full" in case.kind or "256" in path.name or case.kind in ("inversion/loss", "style_transfer/loss")
        params.append(pytest.param(case, id=path.name, marks=[pytest.mark.slow] if slow else []))
    metafunc.parametrize("golden_case", params)


def pytest_terminal_summary(terminalreporter) -> None:
    outcomes = [
        (outcome, getattr(report, "user_properties", []))
        for outcome in ("passed", "failed", "skipped")
        for report in terminalreporter.stats.get(outcome, [])
    ]
    lines = closing_table(outcomes)
    if lines:
        terminalreporter.section("golden cases")
    for line in lines:
        terminalreporter.write_line(line)


def closing_table(outcomes: Iterable[tuple[str, list[tuple[str, str]]]]) -> list[str]:
    """One line per kind, then one per output that deviates on purpose; from (outcome, properties) of every test."""
    counts: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
    deviating: list[str] = []
    for outcome, properties in outcomes:
        meant = [line for name, line in properties if name == DEVIATES]
        deviating += meant
        for name, kind in properties:
            if name == KIND:
                word = {"skipped": "pending", "passed": "deviating" if meant else "passed"}.get(outcome, outcome)
                counts[kind][word] += 1
    lines = []
    for kind, words in sorted(counts.items()):
        text = ", ".join(f"{number} {word}" for word, number in sorted(words.items()))
        lines.append(f"{kind:40} {sum(words.values()):3} cases  {text}")
    return lines + [f"deviates on purpose: {line}" for line in sorted(deviating)]
