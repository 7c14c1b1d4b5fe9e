"""Questions beyond the paper: what is measured, of which runs, and what the sentences say of it."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks.questions import NOT_YET, PAGE, place, told
from styleinv.cli import main
from styleinv.config import Scale, Study, lineage, load_question, question_names
from styleinv.evaluation.diagnostics import diagnose
from styleinv.files import sha256
from styleinv.report.answers import MEASURES
from styleinv.runs import parse_run
from styleinv.schema import dump_yaml, parse, read_layer
from styleinv.stages import questions as stage
from styleinv.stages.model import Model
from styleinv.stages.questions import KINDS
from styleinv.stages.setting import Setting
from styleinv.stages.train import train
from tests.project import ROOT
from tests.styled import RUN, STYLED, make_styled_study

CONFIG = ROOT / "config"
MOVED = parse_run("drawings/style_transfer-with_mapping")
ALL = ["conditioning", "cropping", "identities", "long_videos", "noise", "w_drift"]
ASKED = {"title": "A trial", "asks": "What comes of it?", "runs": ["styleinv"], "videos": 3}
Ask = Callable[..., pd.DataFrame]


def test_every_question_is_a_file_and_its_runs_exist() -> None:
    assert question_names(CONFIG) == ALL
    study = parse(Study, read_layer(CONFIG / "config.yaml"))
    known = {path.stem for path in (CONFIG / "datasets").glob("*.yaml")}
    for name in ALL:
        question = load_question(name, CONFIG)
        shown = study.asked(question, Scale(), CONFIG)
        assert set(question.kinds) <= set(KINDS) and set(question.measures) <= set(MEASURES) and shown.runs
        assert {*shown.datasets, *shown.unseen, *question.style_sets} <= known
        for run in (*shown.runs, *shown.styles):
            assert lineage(run, CONFIG)[-1] == run
        # Every style is decoded by some run's latents.
        parents = {lineage(run, CONFIG)[0] for run in shown.runs}
        assert {lineage(style, CONFIG)[0] for style in shown.styles} <= parents
    several = study.model_copy(update={"seeds": (0, 3)}).asked(load_question("long_videos", CONFIG), Scale(), CONFIG)
    assert [run.seed for run in several.runs] == [None, 3, None, 3]


def test_the_page_has_a_block_for_each_question(tmp_path: Path) -> None:
    page = PAGE.read_text()
    record = tmp_path / "noise.json"
    record.write_text(json.dumps({"scale": "demo"}))
    record.with_suffix(".md").write_text("# Noise\n\nAsked?\n\n| a |\n\nNoise \\1 matters.\n")
    for name in ALL:
        assert f"`snakemake {name}`" in page
        changed = place(page, name, told(record))
        assert changed.count("At the scale demo:\n\n| a |\n\nNoise \\1 matters.\n<!-- end -->") == 1
        # All other blocks stay.
        assert place(changed, name, NOT_YET).count(NOT_YET) >= page.count(NOT_YET)
        assert changed.count("<!-- end -->") == page.count("<!-- end -->") == len(ALL)
    with pytest.raises(ValueError, match="one block of loops"):
        place(page, "loops", "x")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    """A StyleInV run, a generator that is tuned as the paper does, and one whose mapping is tuned too."""
    setting = make_styled_study(tmp_path_factory.mktemp("questions"))
    train(MOVED, setting)
    file = setting.config.parent / "datasets/drawings.yaml"
    file.write_text(f"{file.read_text()}  style_transfer-unaligned: {{parent: talking_faces}}\n")
    return setting


@pytest.fixture
def ask(study: Setting, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Answer a question by the command; returns its table."""

    def run(name: str, **said: object) -> pd.DataFrame:
        (study.config.parent / "questions" / f"{name}.yaml").write_text(dump_yaml(ASKED | said))
        assert main(["question", name, *options(study)]) == 0, capsys.readouterr().err
        assert capsys.readouterr().out.startswith(f"{study.paths.answer(name).with_suffix('.md')}: A trial")
        return pd.read_csv(study.paths.answer(name), keep_default_na=False, na_values={"std": [""]})

    return run


def options(study: Setting) -> list[str]:
    return ["--config", str(study.config), "--results", str(study.paths.root)]


def test_videos_of_several_lengths_beside_real_ones(study: Setting, ask: Ask) -> None:
    told = ["same_person", "persons", "motion_energy", "inversion_error"]
    kinds = ["videos", "inversions"]
    table = ask("trial", kinds=kinds, frames=[16, 260], measures=told, datasets=["talking_faces"])
    made = table[table["measure"] == "motion_energy"]
    assert made[["run", "frames", "n"]].values.tolist() == [["real", 16, 3], [str(RUN), 16, 3], [str(RUN), 260, 3]]
    generator = Model(RUN, study.paths, "cpu").generator
    energies = [diagnose(generator.videos([seed], torch.arange(16), "round")[0])["motion_energy"] for seed in range(3)]
    row = made.iloc[1]
    assert row["mean"] == pytest.approx(np.mean(energies)) and row["std"] == pytest.approx(np.std(energies, ddof=1))
    shares = table[table["measure"] == "same_person"]
    assert len(shares) == 3 and shares["mean"].between(0, 1).all() and shares["mean"].iloc[0] > 0.9
    (error,) = table[table["measure"] == "inversion_error"].to_dict("records")
    assert (error["on"], error["frames"], error["n"]) == ("talking_faces", 0, 3) and error["mean"] > 0
    record = json.loads(study.paths.answer("trial").with_suffix(".json").read_text())
    assert record["runs"] == {str(RUN): {"model_sha256": sha256(study.paths.model(RUN))}}
    assert record["seeds"] == [0, 1, 2] and len(record["data"]["talking_faces"]["frames_sha256"]) == 64
    reader = record["readers"]["talking_faces"]
    for name, share in reader["r2"].items():
        spread = table[table["measure"] == f"{name}_spread"]
        assert (name in reader["usable"]) == (share >= 0.5) == (len(spread) == 3)
        assert not len(spread) or spread["mean"].iloc[0] == pytest.approx(1)
    # The page has the table's numbers, and says how well the reader reads.
    page = study.paths.answer("trial").with_suffix(".md").read_text()
    assert page.startswith("# A trial\n\nWhat comes of it?\n")
    assert page.endswith(f"\n\n{record['findings']}\n\n{record['grounds']}\n")
    for one in table[table["measure"].isin(told)].to_dict("records"):
        scale = 100 if MEASURES[one["measure"]].percent else 1
        number = f"{one['mean'] * scale:.3g} ± {one['std'] * scale:.3g}"
        assert number in page, one
    assert f"the right person in {100 * reader['accuracy']:.1f} % of frames" in record["grounds"]
    assert "was trained once" in record["grounds"] and "standard errors" in record["findings"]


def test_data_without_labels_has_diagnostics_alone(study: Setting, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "stored_labels", lambda manifest, census: None)
    table = ask("blind", kinds=["videos"], frames=[16], measures=["same_person", "loopiness"])
    assert "same_person" not in set(table["measure"]) and "loopiness" in set(table["measure"])
    page = study.paths.answer("blind").with_suffix(".md").read_text()
    assert "has no exact labels" in page and MEASURES["same_person"].title not in page


def test_a_fixed_mapping_keeps_w_and_a_tuned_one_moves_it(study: Setting, ask: Ask) -> None:
    styles, told = ["style_transfer", "style_transfer-with_mapping"], ["w_shift", "w_moments", "motion_followed"]
    table = ask("moved", kinds=["transfers"], frames=[16], styles=styles, style_sets=["drawings"], measures=told)
    assert set(table["on"]) == {str(RUN)} and set(table["dataset"]) == {"talking_faces"}
    values = table.set_index(["run", "measure"])
    fixed, free = (values.loc[str(run)] for run in (STYLED, MOVED))
    assert fixed.loc["w_shift", "mean"] == 0 and fixed.loc["w_shift", "n"] == stage.LATENTS
    assert fixed.loc["w_moments", "mean"] == pytest.approx(0, abs=1e-6)
    assert 0 < free.loc["w_moments", "mean"] <= free.loc["w_shift", "mean"]
    for rows in (fixed, free):
        assert -1 <= rows.loc["motion_followed", "mean"] <= 1 and rows.loc["layout_followed", "n"] == 3
    page = study.paths.answer("moved").with_suffix(".md").read_text()
    assert "between Style transfer on Drawings (0) and Style transfer (with_mapping) on Drawings (" in page


def test_what_is_missing_or_unknown_is_one_line(study: Setting, capsys: pytest.CaptureFixture[str]) -> None:
    folder = study.config.parent / "questions"
    for file in folder.glob("*.yaml"):
        if file.stem not in ALL:
            file.unlink()
    assert main(["question", "long_videos", *options(study)]) == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line == (
        "styleinv: long_videos: lacks talking_faces/stylegan_v. Run `snakemake long_videos --config scale=tiny`."
    )
    assert main(["question", *options(study)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == ALL and all("Run `snakemake " in line for line in lines)
    assert main(["question", "loops", *options(study)]) == 2
    assert "no question 'loops'. Known: conditioning, cropping," in capsys.readouterr().err
    for key, value, said in (
        ("kinds", ["videos", "dreams"], "wrong.yaml: kinds: unknown kind 'dreams'. Known: videos, inversions, transf"),
        ("measures", ["beauty"], "wrong.yaml: measures: unknown measure 'beauty'. Known: same_person,"),
        ("datasets", ["sky"], "wrong.yaml: styles: no run has latents for drawings/style_transfer."),
        ("frames", [2], "wrong.yaml: frames.0: Input should be greater than or equal to 4"),
        ("colour", "red", "wrong.yaml: colour: unknown key. Known keys: asks, datasets, frames, kinds,"),
    ):
        wrong = ASKED | {"kinds": ["videos"], "measures": ["persons"], key: value}
        wrong |= {"styles": ["style_transfer"], "style_sets": ["drawings"]} if key == "datasets" else {}
        (folder / "wrong.yaml").write_text(dump_yaml(wrong))
        assert main(["question", "wrong", *options(study)]) == 2
        assert said in capsys.readouterr().err.strip().splitlines()[-1]
        assert not study.paths.answer("wrong").exists()
    (folder / "wrong.yaml").unlink()
