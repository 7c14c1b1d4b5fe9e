"""The GPU tier on a CPU, held to itself at the smallest size: what a GPU is to prove can fail, and goes on."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.gpu import __main__ as tier
from benchmarks.gpu import measurements, proofs
from benchmarks.gpu.steps import STEPS, Bench, in_order
from benchmarks.gpu.studies import miniature
from styleinv.errors import UserError
from tests.golden.conftest import HERE
from tests.project import ROOT

CPU = torch.device("cpu")
CASES = ["sg2_synthesis_r32", "sg2_disc_r32_mb4", "psp_irse50_eval64", "sinv_adain_resblk", "ada_parts32"]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    small = miniature(tmp_path_factory.mktemp("small"))
    return Bench(CPU, small, small, None, 32, 1, [HERE / "cases" / name for name in CASES])


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so() -> None:
    done = subprocess.run([sys.executable, "-m", "benchmarks.gpu"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.splitlines() == ["no GPU: torch finds none on this machine, and nothing was measured"]


def test_proofs_come_first_and_the_tier_is_whole() -> None:
    assert [step.proof for step in in_order()] == sorted((step.proof for step in in_order()), reverse=True)
    assert {f"G{number}" for number in range(1, 15)} <= {*STEPS, "G12"}  # G12 is about compiled steps
    assert sum(step.seconds for step in STEPS.values()) < 540


def test_golden_cases_are_computed_and_a_wrong_one_is_named(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    assert proofs.golden(bench, "float32") == [5] and proofs.golden(bench, "bfloat16") == [2]
    with pytest.raises(UserError, match="tf32 needs a GPU"):
        proofs.golden(bench, "tf32")
    original = proofs.OnDevice.tensor
    monkeypatch.setattr(proofs.OnDevice, "tensor", lambda case, name: original(case, name) * 1.01)
    with pytest.raises(AssertionError, match=r"\w+/\w+: relative l2 error 0.0\d+ > 0.001"):
        proofs.golden(bench, "float32")


@pytest.mark.slow
def test_equal_devices_are_equal(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    distance, phases = proofs.steps(bench)
    assert distance < 1e-5 and phases >= 16
    assert proofs.generation(bench)[0] < 0.01 and proofs.evaluation(bench)[0] < 1e-5
    assert max(proofs.crop(bench)) < 1e-6
    # Gradients of other weights are far.
    original = type(bench.small).method

    def others(study, name, device):
        method = original(study, name, device)
        if device == CPU:
            for module in method.parts.modules.values():
                for parameter in module.parameters():
                    parameter.data *= 1.1
        return method

    monkeypatch.setattr(type(bench.small), "method", others)
    monkeypatch.setattr(proofs, "CHAIN", ["stylegan2"])
    assert proofs.steps(dataclasses.replace(bench, device=torch.device("cpu", 0)))[0] > proofs.GRADIENTS


@pytest.mark.slow
def test_resumed_trainings_are_held_to_whole_ones(bench: Bench) -> None:
    assert proofs.resume(bench) == [0]


@pytest.mark.slow
def test_measurements_give_what_their_figures_say(bench: Bench) -> None:
    for step in STEPS.values():
        if not step.proof and step.row.name != "G5":
            values = step.work(bench)
            assert len(values) == len(step.row.figures), step.row.name
            assert all(0 <= value < float("inf") for value in values), step.row.name
    assert measurements.large_images(bench) == []


def test_a_run_goes_on_where_it_was(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    """Measurements wait for proofs; what is done is kept, what has failed is done again."""
    called: list[str] = []
    faults = {"crop": [[1.0, 0.0], [0.0, 0.0]], "G6": [RuntimeError("out of paint\nmore"), [1600.0]]}

    def fake(name: str, good: list[float]):
        def work(bench: Bench) -> list[float]:
            called.append(name)
            value = faults[name].pop(0) if faults.get(name) else good
            if isinstance(value, Exception):
                raise value
            return value

        return work

    monkeypatch.setattr(tier, "miniature", lambda folder: bench.small)
    for name, good in (("golden-float32", [50.0]), ("crop", [0.0, 0.0]), ("G6", [1600.0]), ("G9", [9.0, 0.1])):
        monkeypatch.setitem(STEPS, name, dataclasses.replace(STEPS[name], work=fake(name, good)))
    record = tmp_path / "record.json"
    words = ["--device", "cpu", "--small", "--record", str(record), "--only", "golden-float32", "crop", "G6", "G9"]
    assert tier.main(words) == 1  # a proof fails
    assert called == ["golden-float32", "crop"]
    said = capsys.readouterr()
    assert "crop: not what it must be" in said.err and "G6, G9: proofs come first; the same command goes on" in said.err
    assert tier.main(words) == 1  # the proof holds, a measurement fails, another is not enough
    assert called[2:] == ["crop", "G6", "G9"]
    said = capsys.readouterr().err
    assert "G6: RuntimeError: out of paint, " in said and "G6, G9: not what it must be" in said
    assert json.loads(record.read_text())["steps"]["G6"]["error"] == "RuntimeError: out of paint"
    assert tier.main(words) == 1 and called[5:] == ["G6"]  # the last figure is what it is
    assert tier.main([*words[:-1]]) == 0 and called[6:] == []
    assert json.loads(record.read_text())["steps"]["G6"]["figures"][0]["value"] == 1600
    # Of another commit nothing is kept.
    kept = json.loads(record.read_text()) | {"commit": "0123456789"}
    record.write_text(json.dumps(kept))
    assert tier.main(words[:-2]) == 0 and called[6:] == ["golden-float32", "crop"]
