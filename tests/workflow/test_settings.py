"""An edit of the configuration makes stale what it is told to, and nothing else."""

import shutil
from pathlib import Path

import pytest

from styleinv.code import code_hash
from styleinv.schema import read_yaml
from tests.workflow.clone import call, clone, finish, planned


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = clone(tmp_path_factory.mktemp("finished"))
    finish(folder)
    assert planned(folder) == {}
    return folder


COMMENT = "\n# a comment\n"
# File of config/, what is replaced, by what, and how many jobs of which rules that makes stale.
EDITS = {
    "comments and a new variant": (
        [
            ("tiny.yaml", "seed: 0", f"{COMMENT}seed: 0"),
            ("datasets/talking_faces.yaml", "title:", f"{COMMENT}title:"),
            ("methods/styleinv.yaml", "variants:", f"{COMMENT}variants:\n  another: {{title: another, lr: 0.1}}"),
        ],
        {},
    ),
    "evaluation": ([("tiny.yaml", "  batch: 2", "  batch: 3")], {"evaluate": 5, "table1": 1, "report": 1}),
    "the rate of one method": (
        [("methods/styleinv.yaml", "lr: 0.0001", "lr: 0.0002")],
        {"train_styleinv": 1, "evaluate": 1, "gallery": 1, "table1": 1, "report": 1},
    ),
    "the size of a network at this scale": (
        [("tiny.yaml", "    encoder: {widths: [8,", "    encoder: {widths: [16,")],
        {"train_inversion": 1, "train_styleinv": 1, "evaluate": 1, "gallery": 1, "table1": 1, "report": 1},
    ),
    "a title": ([("methods/digan.yaml", "title: DIGAN", "title: Digan")], {"table1": 1, "report": 1}),
    "one table": ([("experiments/table1.yaml", "Table 1", "First table")], {"table1": 1}),
}


@pytest.mark.parametrize("edits, stale", EDITS.values(), ids=EDITS)
def test_an_edit_makes_stale_what_it_is_told_to(
    finished: Path, tmp_path: Path, edits: list[tuple[str, str, str]], stale: dict[str, int]
) -> None:
    told = finished / "results/settings"
    shutil.copytree(finished / "config", tmp_path / "config")
    shutil.copytree(told, tmp_path / "settings")
    try:
        for name, old, new in edits:
            file = finished / "config" / name
            assert old in file.read_text()
            file.write_text(file.read_text().replace(old, new, 1))
        assert planned(finished) == stale
    finally:
        for original, place in ((tmp_path / "config", finished / "config"), (tmp_path / "settings", told)):
            shutil.rmtree(place)
            shutil.copytree(original, place)


def test_a_further_data_set_makes_only_its_own_jobs(finished: Path) -> None:
    (finished / "config/datasets/mine.yaml").write_text((finished / "config/datasets/talking_faces.yaml").read_text())
    config = finished / "config/config.yaml"
    config.write_text(config.read_text().replace("[talking_faces]", "[talking_faces, mine]"))
    trained = {f"train_{name}": 1 for name in ("stylegan2", "inversion", "styleinv", "stylegan_v", "digan")}
    trained |= {f"train_{name}": 1 for name in ("mocogan_hd", "long_video_gan_lr", "long_video_gan")}
    prepared = {"fetch": 1, "crop": 1, "pca": 1, "lowres": 1}
    assert planned(finished) == prepared | trained | {"evaluate": 5, "gallery": 1, "table1": 1, "report": 1}


def test_code_is_an_input_where_the_study_says_so(tmp_path: Path) -> None:
    folder = clone(tmp_path)
    model, told = "results/talking_faces/stylegan2/model.safetensors", []
    for value in ("false", "true"):
        text = call(folder, "snakemake", "-n", "--config", f"code_is_input={value}", "--", model)
        assert ("--same-code" in text) == (value == "true")
        told.append(read_yaml(folder / "results/settings/train/talking_faces/stylegan2/settings.yaml").get("code"))
    assert told == [None, code_hash("stylegan2")]
