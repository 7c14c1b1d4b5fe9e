"""What `styleinv evaluate` leaves of a run, and what it says."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from styleinv.errors import UserError
from styleinv.evaluation.protocol import Protocol
from styleinv.files import read_json, read_scores, write_json
from styleinv.paths import Paths
from styleinv.runs import parse_run
from styleinv.stages import evaluate as stage
from styleinv.stages import summary
from styleinv.stages.compare import compare
from styleinv.stages.setting import Setting
from styleinv.tracking.records import read_stage
from tests.evaluation.test_diagnostics import Latents

RUN = parse_run("talking_faces/styleinv")


class Small(Latents):
    """Half the size of the data set, so that a run needs a declared resize."""

    resolution = 16


@pytest.fixture
def study(tiny: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setting:
    """A trained run, whose generator makes small blobs."""
    for part in ("results", "config"):
        shutil.copytree(tiny.paths.root.parent / part, tmp_path / part)
    setting = Setting(tmp_path / "config/tiny.yaml", Paths(tmp_path / "results"))
    setting.paths.run(RUN).mkdir(parents=True)
    setting.paths.model(RUN).write_bytes(b"weights")
    setting.paths.curves(RUN).write_text(
        "step,kimg,loss_scores_real,loss_scores_fake\n" + "".join(f"{i},{i},6.5,-7.5\n" for i in range(20))
    )
    monkeypatch.setattr(stage, "load_scored", lambda *_: Small())
    text = setting.config.read_text()
    setting.config.write_text(text.replace("evaluation:\n", "evaluation:\n  resize: bicubic\n"))
    return setting


def test_a_run_leaves_its_diagnostics_and_says_its_signatures(study: Setting) -> None:
    said = stage.evaluate_any(RUN, study)
    assert "unbalanced discriminator: it has won, with mean scores of +6.5 for real and -7.5 for generated" in said
    scores = read_scores(study.paths.metrics(RUN))
    assert scores["signatures"] == said.splitlines()
    assert scores["protocol"]["resize"] == "generated 16 to 32 pixels, bicubic"
    assert scores["fvd16_low"] < scores["fvd16"] < scores["fvd16_high"]

    table = pd.read_csv(study.paths.run(RUN) / "diagnostics.csv")
    generated, real = (table[table["side"] == side] for side in ("generated", "real"))
    rules = scores["protocol"]["rules"]
    assert list(generated["video"].astype(int)) == [rules["generation_seed"] + i for i in range(rules["n_fake"])]
    assert 1 < len(real) <= 16 and generated["first_frame_error"].notna().all()
    assert scores["diagnostics"]["motion_energy"] == pytest.approx(generated["motion_energy"].mean(), rel=1e-4)
    assert scores["diagnostics_real"]["motion_energy"] == pytest.approx(real["motion_energy"].mean(), rel=1e-4)
    # Videos of 16 frames have no motion over 16.
    assert scores["diagnostics"]["motion_energy_16"] is None and scores["diagnostics_real"]["w_drift"] is None

    record = read_stage(study.paths.root, study.paths.run(RUN) / "evaluate.provenance.json")
    assert record.scores["motion/motion_energy"] == scores["diagnostics"]["motion_energy"]
    assert record.scores["motion_real/motion_energy"] == scores["diagnostics_real"]["motion_energy"]
    assert record.scores["fvd16_low"] == scores["fvd16_low"]
    assert "diagnostics.csv" in [file.name for file in record.artifacts]
    assert record.tags["signatures"] == "; ".join(scores["signatures"])
    text = compare(str(RUN), str(RUN), study)
    assert f"{RUN}: unbalanced discriminator" in text and "intervals overlap" in text


@pytest.mark.parametrize(("videos", "frames", "partly"), [(0.71, 0.7, True), (1.0, 0.99, True), (1.0, None, False)])
def test_tables_say_that_data_is_missing(study: Setting, videos: float, frames: float | None, partly: bool) -> None:
    stage.evaluate_any(RUN, study)
    census = study.paths.census(RUN.dataset)
    content = read_json(census)
    content["expected"] = {"videos": 10, "frames": None}
    write_json(census, content | {"share": {"videos": videos, "frames": frames}})
    summary.table("table1", [RUN], study)
    reasons = pd.read_csv(study.paths.table("table1")).iloc[0]["unlike_paper"]
    assert ("of the paper's videos" in reasons) == partly and "stand-in detectors" in reasons


def test_scores_and_their_records_are_two_files(study: Setting) -> None:
    """So that `dvc metrics diff` shows scores; whoever reads them gets both, or hears that they are not a pair."""
    stage.evaluate(RUN, study)
    metrics, protocol = read_json(study.paths.metrics(RUN)), read_json(study.paths.protocol(RUN))
    assert metrics["also"]["lossless"]["fid"] >= 0 and "protocol_id" in metrics
    assert not {"protocol", "unlike_paper"} & {*metrics, *metrics["also"]["lossless"]}
    assert protocol["protocol"]["rules"]["protocol"] == "styleinv"
    scores = read_scores(study.paths.metrics(RUN))
    assert scores["also"]["lossless"]["protocol"]["rules"]["protocol"] == "lossless"
    write_json(study.paths.protocol(RUN), protocol | {"protocol_id": "another"})
    with pytest.raises(UserError, match=r"protocol.json: is not the record of .*metrics.json"):
        read_scores(study.paths.metrics(RUN))


def test_a_run_without_a_declared_resize_is_refused_and_leaves_nothing(study: Setting) -> None:
    study.config.write_text(study.config.read_text().replace("  resize: bicubic\n", ""))
    with pytest.raises(stage.UserError, match="32 pixels wide, the generated videos are 16.*evaluation.resize"):
        stage.evaluate_any(RUN, study)
    assert not study.paths.metrics(RUN).exists()


def test_what_if_changes_one_rule_at_a_time(study: Setting) -> None:
    stage.evaluate(RUN, study)
    usual = read_scores(study.paths.metrics(RUN))
    lines = list(stage.what_if(RUN, study))
    assert "stand-in" in lines[-2]
    table = pd.read_csv(study.paths.what_if(RUN), keep_default_na=False, na_values=[""])
    rules = list(dict.fromkeys(table["rule"].dropna()))
    assert rules == ["number of videos", "clip choice", "codec", "resize kernel", "rounding", "generation seed"]
    assert list(table["metric"].unique()) == ["fid", "fvd4", "fvd16"]
    first = table[table["rule"].isna()].set_index("metric")
    for name in ("fid", "fvd4", "fvd16"):
        # The rules as they are give the score as it is; each other row is another protocol.
        assert first.loc[name, "score"] == pytest.approx(usual[name], rel=1e-5)
        assert first.loc[name, "low"] < first.loc[name, "high"] and first.loc[name, "moved_percent"] == 0
    ids = table[table["metric"] == "fvd16"]["protocol"]
    seeds = table[(table["metric"] == "fvd16") & (table["rule"] == "generation seed")]["protocol"]
    assert ids.nunique() == len(ids) - len(seeds)  # generation seeds alone are the same rules
    assert set(table[table["rule"] == "number of videos"]["value"]) == {"3"}
    fewer = table[(table["rule"] == "generation seed") & (table["metric"] == "fid")]["score"]
    assert fewer.nunique() == 2
    assert len(lines) == len(ids) + 1 and lines[0].startswith("number of videos 3: FID ") and lines[-1].endswith(".png")
    picture = study.paths.what_if(RUN).with_suffix(".png")
    assert picture.stat().st_size > 5000 and read_json(study.paths.varied(RUN)[2])["stage"] == "what_if"


def test_what_if_leaves_out_what_cannot_be() -> None:
    from styleinv.evaluation.what_if import changes

    rules = Protocol(n_fake=64, fvd_lengths=(16,), clip_length=16)
    made = list(changes(rules, shortest=31, resized=False))
    assert [c.value for c in made if c.rule == "stride"] == ["2"] and made[0].rules == rules
    assert not [c for c in made if c.rule == "resize kernel"]
    assert [c.rules.n_fake for c in made if c.rule == "number of videos"] == [16, 32]
    assert [c.value for c in changes(rules, shortest=16, resized=True) if c.rule in ("stride", "resize kernel")] == [
        "bilinear",
        "bicubic",
    ]


def test_what_if_is_for_runs(study: Setting) -> None:
    with pytest.raises(UserError, match="--what-if: is for runs"):
        stage.evaluate_any(None, study, Path("a"), Path("b"), other_rules=True)
    with pytest.raises(UserError, match="--what-if: keeps nothing of other rules"):
        stage.evaluate_any(RUN, study, keep=Path("a"), other_rules=True)
