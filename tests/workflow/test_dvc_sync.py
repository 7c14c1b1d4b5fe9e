"""What DVC records of runs, and what a clone takes from it, on files that only stand in for results."""

import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.workflow.clone import DEMO, call, clone, finish, planned

SYNC = ("python", "workflow/scripts/dvc_sync.py")


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    folder = clone(tmp_path / "first")
    finish(folder)
    call(folder, *SYNC, "record")
    return folder


def stages(folder: Path) -> dict:
    return YAML(typ="safe").load((folder / "dvc.yaml").read_text())["stages"]


@pytest.mark.slow
def test_a_clone_that_pulls_has_nothing_to_do_until_something_changes(recorded: Path, tmp_path: Path) -> None:
    assert "up to date" in call(recorded, "dvc", "status")
    call(recorded, "dvc", "remote", "add", "--default", "shelf", str(tmp_path / "shelf"))
    call(recorded, "dvc", "push")
    call(recorded, "git", "add", "-A")
    call(recorded, "git", "commit", "-qm", "done")
    call(tmp_path, "git", "clone", "-q", str(recorded), "second")
    second = tmp_path / "second"
    call(second, "dvc", "pull")
    assert "of 20 stages" in call(second, *SYNC, "restore")
    assert planned(second) == {}
    # A training needs the data set, which DVC does not carry.
    for name in ("frames.zip", "lowres.zip"):
        shutil.copy(recorded / "results/data/talking_faces" / name, second / "results/data/talking_faces")
    call(second, *SYNC, "restore")
    method = second / "config/methods/digan.yaml"
    method.write_text(method.read_text().replace("r1_gamma:", "# a comment\nr1_gamma:", 1))
    assert planned(second) == {}
    scale = second / "config/tiny.yaml"
    scale.write_text(scale.read_text().replace("nframes: 6", "nframes: 5"))
    stale = {"train_mocogan_hd": 1, "evaluate": 1, "gallery": 1, "table1": 1, "report": 1}
    assert planned(second) == stale
    call(second, *SYNC, "restore")
    assert planned(second) == stale, "what is stale stays so"
    call(second, "dvc", "repro", "--single-item", "settings")
    said = call(second, "dvc", "status")
    assert "train-talking_faces-mocogan_hd:" in said and "train-talking_faces-digan:" not in said


@pytest.mark.slow
def test_what_was_run_with_config_is_recorded_with_it(recorded: Path) -> None:
    (recorded / "config/datasets/mine.yaml").write_text((recorded / "config/datasets/talking_faces.yaml").read_text())
    (recorded / "config/other.yaml").write_text((recorded / "config/tiny.yaml").read_text())
    # Without style sets no figure is of the other data set.
    words = ("datasets=[mine]", "scale=other", "methods=[styleinv]", "styles=[]")
    finish(recorded, "--config", *words)
    call(recorded, *SYNC, "record", "--config", *words)
    made = stages(recorded)
    assert all(word in made[name]["cmd"] for name in ("table1", "gallery", "report") for word in words)
    for name in ("train-mine-styleinv", "evaluate-mine-styleinv"):  # whichever other runs there are
        assert "--config scale=other --" in made[name]["cmd"]
    assert "--config" not in made["train-talking_faces-styleinv"]["cmd"]
    assert "up to date" in call(recorded, "dvc", "status")
    assert "DVC and Snakemake agree on" in call(recorded, *SYNC, "check")
    # A shorter list of methods leaves what was recorded as it is.
    config = recorded / "config/config.yaml"
    config.write_text(config.read_text().replace("styleinv, stylegan_v, digan", "styleinv"))
    call(recorded, *SYNC, "write")
    assert "DVC and Snakemake agree on" in call(recorded, *SYNC, "check")
    assert "train-talking_faces-digan" in stages(recorded)
    said = call(recorded, "dvc", "status")
    assert "digan" not in said and "table1:" in said


@pytest.mark.slow
def test_the_hook_says_what_the_run_was_told(recorded: Path) -> None:
    """A run of another scale, in the same folders, replaces what was recorded of them."""
    (recorded / "config/other.yaml").write_text(
        (recorded / "config/tiny.yaml").read_text().replace("device: cpu", "device: auto")
    )
    finish(recorded, "--config", "scale=other", "gpus=2")
    hooked = [word for word in DEMO if word != "--no-hooks"]
    call(recorded, *hooked, "--touch", "--forceall", "--config", "scale=other", "gpus=2")
    made = stages(recorded)
    assert all(("--config scale=other --" in stage["cmd"]) != (name == "settings") for name, stage in made.items())
