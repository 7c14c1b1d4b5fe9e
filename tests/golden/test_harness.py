"""What the golden harness says of outputs that differ."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.golden.case import Case, differ, verdict
from tests.golden.conftest import DEVIATES, KIND, closing_table

LIMIT = {"atol": 0.1, "rtol": 0.0}


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """Three outputs: a [2, 3], b [2] of whole numbers, c [1]."""
    folder = tmp_path / "toy_small"
    folder.mkdir()
    limits = {"out/a": LIMIT, "out/b": {"equal": True}, "out/c": {"rel_l2": 0.01}}
    (folder / "manifest.json").write_text(json.dumps({"kind": "toy/net", "limits": limits}))
    arrays = {"out/a": np.arange(6.0).reshape(2, 3), "out/b": np.array([3, 4]), "out/c": np.ones(1)}
    np.savez(folder / "data.npz", **arrays)
    return Case(folder)


def right(case: Case) -> dict[str, np.ndarray]:
    return {name: value.copy() for name, value in case.outputs.items()}


def test_a_failure_says_what_it_got_and_wanted(case: Case) -> None:
    got = right(case)
    assert verdict(case, got, "") == ([], [])
    got["a"][1, 2], got["a"][0, 1], got["b"][1], got["c"][0] = 7.5, 1.2, 9, 2
    lines, _ = verdict(case, got, "")
    assert lines[0] == (
        "a: off by 2.5, 2 of 6 beyond the limit; worst at [1, 2]: got 7.5, want 5; "
        "got [0, 1.2, 2, 3, ...]; want [0, 1, 2, 3, ...]"
    )
    assert lines[1] == "b: not equal; worst at [1]: got 9, want 4; got [3, 9]; want [3, 4]"
    assert lines[2].startswith("c: relative l2 error 1 > 0.01; worst at [0]: got 2, want 1")
    got["a"][0, 0] = np.nan
    lines, _ = verdict(case, got, "")
    assert "worst at [0, 0]: got nan, want 0" in lines[0] and "3 of 6 beyond" in lines[0]
    del got["b"]
    assert verdict(case, got, "")[0][1] == "b: not computed"


def at_a_kink(case: Case, slope: float = 1.0) -> dict[str, np.ndarray]:
    """A gradient one of whose 100 elements passes through a ReLU at zero, which rounding alone opens or shuts."""
    x = case.inputs["x"]
    return {"grad": slope * np.append(np.ones(99), 0.5 * (x > 0))}


def test_a_kink_is_told_from_an_error(tmp_path: Path) -> None:
    limits = {"out/grad": {"atol": 1e-6, "rtol": 2e-2}}
    (tmp_path / "manifest.json").write_text(json.dumps({"kind": "toy/net", "limits": limits}))
    np.savez(tmp_path / "data.npz", **{"in/x": np.zeros(1, np.float32), "out/grad": np.append(np.ones(99), 0.5)})
    case = Case(tmp_path)
    got = at_a_kink(case)
    assert len(verdict(case, got, "")[0]) == 1
    with pytest.warns(UserWarning, match="grad meets its limit within our own rounding"):
        assert verdict(case, got, "", at_a_kink) == ([], [])
    wrong = partial(at_a_kink, slope=1.1)
    assert "beyond the limit; worst at [99]" in verdict(case, wrong(case), "", wrong)[0][0]


@pytest.mark.parametrize("of", ["toy_small", "toy/net"])
def test_what_deviates_on_purpose_passes_with_its_reason(case: Case, of: str) -> None:
    text = f"# a comment\n\n{of}  a*  the mean, not the sum\nother  *  about another case\n"
    got = right(case)
    got["a"] += 1
    assert verdict(case, got, text) == ([], ["toy_small: a: the mean, not the sum"])
    got["b"] += 1
    lines, deviating = verdict(case, got, text)
    assert len(lines) == 1 and lines[0].startswith("b: not equal") and len(deviating) == 1


def test_an_entry_that_no_longer_deviates_fails(case: Case) -> None:
    lines, deviating = verdict(case, right(case), "toy_small  a  the mean, not the sum")
    assert "no longer deviates: take it out of deviates.txt" in lines[0] and not deviating
    with pytest.raises(AssertionError, match="is not `case-or-kind  output-pattern  reason`"):
        verdict(case, right(case), "toy_small a")


def test_names_and_flags_are_shown_too() -> None:
    words = differ(np.array(["x", "y"]), np.array(["x", "z"]), np.array([False, True]))
    assert words == "worst at [1]: got y, want z; got [x, y]; want [x, z]"
    assert differ(np.array(True), np.array(False), np.array(True)).startswith("worst at []: got True, want False")


def test_the_closing_table_counts_what_deviates() -> None:
    outcomes = [
        ("passed", [(KIND, "toy/net")]),
        ("passed", [(KIND, "toy/net"), (DEVIATES, "toy_small: a: the mean, not the sum")]),
        ("failed", [(KIND, "toy/net")]),
        ("skipped", [(KIND, "toy/loss")]),
        ("passed", []),
    ]
    first, second, third = closing_table(outcomes)
    assert first.split() == ["toy/loss", "1", "cases", "1", "pending"]
    assert second.endswith("3 cases  1 deviating, 1 failed, 1 passed")
    assert third == "deviates on purpose: toy_small: a: the mean, not the sum"


def test_large_outputs_are_held_to_what_is_stored_of_them(tmp_path: Path) -> None:
    limits = {"out/y.sub": {"equal": True}, "out/y.stats": LIMIT, "out/z.sub": LIMIT}
    manifest = {"kind": "toy/net", "limits": limits, "outputs": {"y": {"stride": 4}, "z.sub": {}}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    y = np.arange(10.0).reshape(2, 5)
    stats = np.array([4.5, 8.25**0.5, 285**0.5, 0, 9])
    arrays = {"out/y.sub": np.array([0.0, 4, 8]), "out/y.stats": stats, "out/z.sub": np.ones(1)}
    np.savez(tmp_path / "data.npz", **arrays)
    case = Case(tmp_path)
    assert case.wanted == ["y", "z.sub"]
    assert verdict(case, {"y": y, "z.sub": np.ones(1)}, "") == ([], [])
    lines, _ = verdict(case, {"y": y + 1, "z.sub": np.ones(1)}, "")
    assert lines[0].startswith("y.sub: not equal") and lines[1].startswith("y.stats: off by")
