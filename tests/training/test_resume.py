"""Killed at any moment and started again, a run ends with bit-identical weights (CPU)."""

import errno
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from safetensors.torch import load_file, save_file

from styleinv import code
from styleinv.cli import main
from styleinv.errors import UserError
from styleinv.evaluation.signatures import SCORES, W_REG
from styleinv.files import read_json, sha256
from styleinv.paths import Paths
from styleinv.runs import parse_run
from styleinv.schema import merge
from styleinv.stages.prepare import prepare_all
from styleinv.stages.setting import Setting
from styleinv.stages.train import train
from styleinv.stages.verify_resume import Different, compare_states
from styleinv.training.lock import run_lock
from tests.project import CHAIN
from tests.workflow.clone import environment


@pytest.fixture(scope="module")
def trained(tiny: Setting, tmp_path_factory: pytest.TempPathFactory) -> Setting:
    """All stages, undisturbed."""
    results = tmp_path_factory.mktemp("trained") / "results"
    shutil.copytree(tiny.paths.root, results)
    setting = Setting(tiny.config, Paths(results))
    for method in CHAIN:
        prepare_all(parse_run(f"talking_faces/{method}"), setting)
        train(parse_run(f"talking_faces/{method}"), setting)
    return setting


def start(setting: Setting, results: Path, run: str) -> subprocess.Popen:
    command = ["styleinv", "train", run, "--config", str(setting.config), "--results", str(results)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment())


def inputs_only(setting: Setting, folder: Path, method: str) -> Path:
    """A results folder with what `method` reads and nothing of its own."""
    results = folder / "results"
    shutil.copytree(setting.paths.root, results)
    for file in (results / "talking_faces" / method).iterdir():
        if file.name != "pca.safetensors":
            shutil.rmtree(file) if file.is_dir() else file.unlink()
    return results


def same_curves(a: Path, b: Path) -> bool:
    """Equal but for the seconds."""
    import pandas as pd

    left, right = (pd.read_csv(path).drop(columns="seconds") for path in (a, b))
    return left.equals(right)


@pytest.mark.slow
@pytest.mark.parametrize("method", CHAIN)
def test_kill_9_and_again(trained: Setting, tmp_path: Path, method: str) -> None:
    """N + M steps equal N, kill -9, M: weights, averages, optimiser, ADA, path-length mean, BatchNorm."""
    run = f"talking_faces/{method}"
    results = inputs_only(trained, tmp_path, method)
    latest = results / run / "state" / "latest.safetensors"
    kills = 0
    for pause in (0.05, 0.3):
        process = start(trained, results, run)
        mark = latest.stat().st_mtime_ns if latest.exists() else 0
        deadline = time.monotonic() + 600
        while process.poll() is None and (not latest.exists() or latest.stat().st_mtime_ns == mark):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(pause)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.communicate()
    assert kills
    last = start(trained, results, run)
    assert last.wait() == 0, last.stderr.read() if last.stderr else ""
    reference = start(trained, inputs_only(trained, tmp_path / "reference", method), run)
    assert reference.wait() == 0
    other = tmp_path / "reference" / "results" / run
    assert sha256(results / run / "model.safetensors") == sha256(other / "model.safetensors")
    assert sha256(results / run / "samples.png") == sha256(other / "samples.png")
    assert same_curves(results / run / "curves.csv", other / "curves.csv")


@pytest.mark.slow
def test_term_saves_and_exits_75(trained: Setting, tmp_path: Path) -> None:
    results = inputs_only(trained, tmp_path, "stylegan2")
    latest = results / "talking_faces/stylegan2/state/latest.safetensors"
    process = start(trained, results, "talking_faces/stylegan2")
    while not latest.exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=600)
    assert process.returncode == 75 and "Run the same command to continue" in stderr
    assert len(stderr.strip().splitlines()[-1]) < 300


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32M", "none", disk]).returncode:
        pytest.skip("needs the right to mount")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


@pytest.mark.slow
def test_a_full_disk_ends_nothing(trained: Setting, tmp_path: Path, small_disk: Path) -> None:
    """Training goes on without saving, and ends as it would have; nothing half-written is left."""
    config = tmp_path / "config"
    shutil.copytree(trained.config.parent, config)
    longer = config / trained.config.name
    longer.write_text(longer.read_text().replace("total_kimg: 0.08", "total_kimg: 0.48", 1))
    setting, run = Setting(longer, trained.paths), "talking_faces/stylegan2"
    reference = start(setting, inputs_only(trained, tmp_path, "stylegan2"), run)
    assert reference.wait() == 0
    results = small_disk / "results"
    for name in ("frames.zip", "census.json"):
        (results / "data/talking_faces").mkdir(parents=True, exist_ok=True)
        shutil.copy(trained.paths.root / "data/talking_faces" / name, results / "data/talking_faces")
    latest = results / run / "state/latest.safetensors"
    process = start(setting, results, run)
    assert process.stderr is not None
    while not latest.exists():
        assert process.poll() is None
        time.sleep(0.01)
    filler = small_disk / "filler"
    with open(filler, "wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(1 << 12)):
            pass
    lines = []
    for line in process.stderr:
        lines.append(line)
        if "no space to write" in line:
            break
    filler.unlink(missing_ok=True)
    lines += process.stderr.readlines()
    text = "".join(lines)
    assert process.wait() == 0 and "no space to write the state" in text, text[-2000:]
    reference_folder = tmp_path / "results" / run
    assert sha256(results / run / "model.safetensors") == sha256(reference_folder / "model.safetensors")
    assert same_curves(results / run / "curves.csv", reference_folder / "curves.csv")
    assert not list((results / run).rglob(".latest*"))


@pytest.mark.slow
def test_two_writers_are_refused(trained: Setting, tmp_path: Path) -> None:
    from styleinv.errors import UserError

    state = tmp_path / "run" / "state"
    with run_lock(state), pytest.raises(UserError, match="is being trained by process"):
        with run_lock(state):
            pass
    with run_lock(state):
        pass


def test_another_configuration_starts_afresh_and_keeps_the_old_state(trained: Setting, tmp_path: Path) -> None:
    results = tmp_path / "results"
    shutil.copytree(trained.paths.root, results)
    config = tmp_path / "config"
    shutil.copytree(trained.config.parent, config)
    text = (config / "tiny.yaml").read_text()
    (config / "tiny.yaml").write_text(text.replace("lr: 0.001", "lr: 0.002"))
    setting = Setting(config / "tiny.yaml", Paths(results))
    before = sha256(results / "talking_faces/inversion/model.safetensors")
    train(parse_run("talking_faces/inversion"), setting)
    assert sha256(results / "talking_faces/inversion/model.safetensors") != before
    aside = [p for p in (results / "talking_faces/inversion").iterdir() if p.name.startswith("state-")]
    assert len(aside) == 1 and (aside[0] / "latest.safetensors").exists()


def test_a_longer_run_continues_a_shorter_one(trained: Setting, tmp_path: Path) -> None:
    results = inputs_only(trained, tmp_path, "inversion")
    config = tmp_path / "config"
    shutil.copytree(trained.config.parent, config)
    whole = (config / "tiny.yaml").read_text()
    half = whole.replace("batch: 4, group_size: 4, total_kimg: 0.08", "batch: 4, group_size: 4, total_kimg: 0.04")
    assert half != whole
    for text in (half, whole):
        (config / "tiny.yaml").write_text(text)
        train(parse_run("talking_faces/inversion"), Setting(config / "tiny.yaml", Paths(results)))
    want = trained.paths.model(parse_run("talking_faces/inversion"))
    assert sha256(results / "talking_faces/inversion/model.safetensors") == sha256(want)


@pytest.mark.parametrize("method", ["inversion", "stylegan2"])
def test_half_a_run_on_another_machine_is_the_same_run(trained: Setting, tmp_path: Path, method: str) -> None:
    """The group of 8 is what decides; a run is stopped half-way and goes on with 4 of them, and decoded frames."""
    config, run = tmp_path / "config", parse_run(f"talking_faces/{method}")
    shutil.copytree(trained.config.parent, config)
    text = (config / "tiny.yaml").read_text()
    models = []
    for name, steps in (("plain", [("8", 0.08)]), ("changed", [("8", 0.04), ("4", 0.08)])):
        results = inputs_only(trained, tmp_path / name, method)
        for batch_gpu, kimg in steps:
            block = {"batch": 16, "group_size": 8, "batch_gpu": int(batch_gpu), "total_kimg": kimg, "tick_kimg": 0.02}
            block |= {"raw_cache": batch_gpu == "4"}
            part = merge(yaml.safe_load(text), {"methods": {method: {"training": block}}})
            (config / "tiny.yaml").write_text(yaml.safe_dump(part))
            train(run, Setting(config / "tiny.yaml", Paths(results)))
        assert not [p for p in (results / str(run)).iterdir() if p.name.startswith("state-")]
        assert len(list((results / "cache").glob("raw/*.npy"))) == (name == "changed")
        models.append(sha256(results / str(run) / "model.safetensors"))
    assert models[0] == models[1]


def test_curves_have_the_columns_that_signatures_look_at(trained: Setting) -> None:
    import pandas as pd

    columns = pd.read_csv(trained.paths.curves(parse_run("talking_faces/styleinv"))).columns
    assert {W_REG, *SCORES} <= set(columns)


def test_another_seed_is_another_run_with_its_own_record(trained: Setting, tmp_path: Path) -> None:
    results = tmp_path / "results"
    shutil.copytree(trained.paths.root, results)
    setting = Setting(trained.config, Paths(results))
    plain, same, other = (parse_run(f"talking_faces/stylegan2{seed}") for seed in ("", "-seed0", "-seed1"))
    for run in (same, other):
        train(run, setting)
    models = {run: sha256(setting.paths.model(run)) for run in (plain, same, other)}
    assert models[plain] == models[same] != models[other]
    assert read_json(setting.paths.run(other) / "provenance.json")["seed"] == 1
    with pytest.raises(UserError, match="inversion-seed1|stylegan2-seed1|does not exist"):
        train(parse_run("talking_faces/styleinv-seed1"), setting)


def test_a_file_system_without_locks_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr("fcntl.flock", no_locks)
    with pytest.raises(UserError, match="has no locks.*-o flock"), run_lock(tmp_path / "state"):
        pass


def provenance(results: Path) -> dict:
    return read_json(results / "talking_faces/inversion/provenance.json")


def test_weights_keep_the_code_that_made_them(
    trained: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Done again under other code, a finished training says so; `--afresh` does it again; nothing is lost."""
    results = tmp_path / "results"
    shutil.copytree(trained.paths.root, results)
    setting, run = Setting(trained.config, Paths(results)), parse_run("talking_faces/inversion")
    first = provenance(results)
    assert len(first["code"]) == 16 and first["started"] <= first["ended"] and first["scale"] == "tiny"
    monkeypatch.setattr("styleinv.stages.train.code_hash", lambda method: "other")
    monkeypatch.setattr("styleinv.stages.train.commit_name", lambda: "beef-dirty")
    train(run, setting)
    kept = provenance(results)
    assert [kept[key] for key in ("code", "commit", "commits", "started", "ended")] == [
        first[key] for key in ("code", "commit", "commits", "started", "ended")
    ]
    assert "is complete and was trained by other code" in caplog.text and "--afresh" in caplog.text
    for aside in (1, 2):
        train(run, setting, afresh=True)
        assert len([p for p in (results / str(run)).iterdir() if p.name.startswith("state-")]) == aside
    again = provenance(results)
    assert (again["code"], again["commit"], again["dirty"], again["commits"]) == ("other", "beef", True, ["beef-dirty"])
    assert sha256(setting.paths.model(run)) == sha256(trained.paths.model(run))


def test_a_training_that_went_on_under_other_code_names_both(
    trained: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results, config, run = inputs_only(trained, tmp_path, "inversion"), tmp_path / "config", "talking_faces/inversion"
    shutil.copytree(trained.config.parent, config)
    setting, whole = Setting(config / "tiny.yaml", Paths(results)), (config / "tiny.yaml").read_text()
    short = whole.replace("group_size: 4, total_kimg: 0.08", "group_size: 4, total_kimg: 0.04")
    for text, name in ((short, "a"), (whole, "b")):
        (config / "tiny.yaml").write_text(text)
        monkeypatch.setattr("styleinv.stages.train.code_hash", lambda method, name=name: name)
        train(parse_run(run), setting)
    assert provenance(results)["code"] == "a+b"
    # A shorter training than the state's is refused before anything is written.
    before = (results / run / "config.yaml").read_bytes(), provenance(results)
    (config / "tiny.yaml").write_text(short)
    with pytest.raises(UserError, match="is at step 20, the configured training ends at 10. .*--afresh"):
        train(parse_run(run), setting)
    assert before == ((results / run / "config.yaml").read_bytes(), provenance(results))
    # What other code made is set aside where code is an input.
    (config / "tiny.yaml").write_text(whole)
    train(parse_run(run), setting, same_code=True)
    assert provenance(results)["code"] == "b"
    assert len([p for p in (results / run).iterdir() if p.name.startswith("state-")]) == 1


def test_only_what_decides_the_bits_is_in_the_hash_of_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "styleinv"
    shutil.copytree(code.PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))

    def hashes(file: str, old: str, new: str) -> tuple[bool, bool]:
        """Whether the hashes of StyleInV and DIGAN change by an edit."""
        text = (package / file).read_text()
        assert old in text
        (package / file).write_text(text.replace(old, new))
        code._read.cache_clear()
        changed = tuple(code.code_hash(method) != was[method] for method in ("styleinv", "digan"))
        (package / file).write_text(text)
        return changed  # type: ignore[return-value]

    monkeypatch.setattr(code, "PACKAGE", package)
    was = {method: code.code_hash(method) for method in ("styleinv", "digan")}
    assert hashes("methods/styleinv/loss.py", "loss + recon", "loss + 3 * recon") == (True, False)
    assert hashes("training/adversarial.py", "F.softplus(", "1 * F.softplus(") == (True, True)
    assert hashes("nn/layers.py", '"""Eq', '"""Another sentence. Eq') == (False, False)
    assert hashes("report/tables.py", "digits = 2", "digits = 3") == (False, False)
    code._read.cache_clear()


@pytest.mark.slow
def test_verify_resume_says_what_it_compared(trained: Setting, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--config", str(trained.config), "--results", str(trained.paths.root)]
    assert main(["train", "talking_faces/styleinv", "--verify-resume", *options]) == 0
    said = capsys.readouterr().out
    assert "tensors and 6 rows of curves are bit-identical; 12 steps equal" in said
    assert not list(trained.paths.root.glob(".verify-*"))
    assert main(["train", "talking_faces/styleinv", "--verify-resume", "3", *options]) == 2
    assert "at least 4" in capsys.readouterr().err


def test_verify_resume_notices_a_difference(trained: Setting, tmp_path: Path) -> None:
    run = parse_run("talking_faces/stylegan2")
    for name in ("a", "b"):
        shutil.copytree(trained.paths.run(run), tmp_path / name / str(run))
    a, b = Paths(tmp_path / "a"), Paths(tmp_path / "b")
    assert "bit-identical" in compare_states(run, a, b)
    file = b.state(run) / "latest.safetensors"
    tensors = load_file(file)
    tensors["augment.p"] += 1e-7
    save_file(tensors, file)
    with pytest.raises(Different, match="1 of .* tensors differ.*augment.p"):
        compare_states(run, a, b)
