"""`pytest tests/golden --golden DIR`: one test per case, a table per kind at the end."""

import collections
import importlib
from pathlib import Path

import pytest

from tests.golden.case import Case

HERE = Path(__file__).parent
# The property under which a test reports its kind, also from another process.
KIND = "golden_kind"


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
    counts: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
    for outcome in ("passed", "failed", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            for name, kind in getattr(report, "user_properties", []):
                if name == KIND:
                    counts[kind]["pending" if outcome == "skipped" else outcome] += 1
    if counts:
        terminalreporter.section("golden cases")
    for kind, outcomes in sorted(counts.items()):
        text = ", ".join(f"{number} {outcome}" for outcome, number in sorted(outcomes.items()))
        terminalreporter.write_line(f"{kind:40} {sum(outcomes.values()):3} cases  {text}")
