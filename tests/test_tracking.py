"""MLflow as a view of results/: what is imported, once, and what a broken file does."""

import json
import logging
import multiprocessing
from datetime import datetime
from pathlib import Path

import pytest
from mlflow import MlflowClient

from styleinv.errors import UserError
from styleinv.paths import Paths
from styleinv.stages.setting import Setting
from styleinv.stages.upkeep import track
from styleinv.tracking.records import flatten, provenance_files, read_stage
from styleinv.tracking.sync import sync

MODEL_HASH = "cd" * 32
PUBLISHED = Path(__file__).parents[1] / "config" / "published.csv"


def provenance(stage: str, run: str, **more) -> str:
    record = {
        "stage": stage,
        "run": run,
        "commit": "0123456789abcdef",
        "config_hash": "cafe",
        "inputs": {"results/data/sky/frames.zip": "ab" * 32},
        "versions": {"torch": "2.14"},
        "host": "node1",
        "device": "cpu",
        "job_id": None,
        "seconds": 12.5,
        "peak_memory_mb": 300.0,
        "outputs": {},
    }
    return json.dumps(record | more)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    root = tmp_path / "results"
    run = root / "sky" / "styleinv-no_ffa_ape"
    (run / "state").mkdir(parents=True)
    (root / "data" / "sky").mkdir(parents=True)
    (root / "data" / "sky" / "provenance.json").write_text(provenance("crop", "data/sky"))
    (run / "config.yaml").write_text("seed: 0\noptim:\n  lr: 0.0001\n  betas: [0, 0.99]\nname: it's\n")
    rows = [f"{step},{step * 0.064},{step * 2.0},{1 / (step + 1)},{'' if step % 2 else 0.5}" for step in range(700)]
    (run / "curves.csv").write_text("step,kimg,seconds,loss_G,loss[D]\n" + "\n".join(rows) + "\n")
    (run / "samples.png").write_bytes(b"png")
    (run / "model.safetensors").write_bytes(b"weights")
    made = {"results/sky/styleinv-no_ffa_ape/model.safetensors": MODEL_HASH}
    (run / "provenance.json").write_text(provenance("train", "sky/styleinv-no_ffa_ape", outputs=made))
    (run / "state" / "provenance.json").write_text("not a result")
    read = {"results/data/sky/frames.zip": "ab" * 32} | made
    (run / "evaluate.provenance.json").write_text(provenance("evaluate", "sky/styleinv-no_ffa_ape", inputs=read))
    write_metrics(run, fid=12.5)
    (root / "tables").mkdir()
    (root / "tables" / "provenance.json").write_text(provenance("table1", "table1"))
    return root


def write_metrics(run: Path, fid: float) -> None:
    scores = {"fid": fid, "fid_std": 0.5, "fid_runs": [fid], "fvd16": 70.0, "fvd16_std": None, "fvd128": 180.0}
    record = {"codec": "jpeg quality 75 4:2:0", "counts": {"fid_real": 100}, "seeds": [0, 1]}
    scores |= {"protocol": record, "protocol_id": "aa-bb", "stand_in": True}
    (run / "metrics.json").write_text(json.dumps(scores))


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


def runs_of(uri: str, filter_string: str = "") -> dict[str, list]:
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("sky").experiment_id
    found: dict[str, list] = {}
    for run in client.search_runs([experiment], filter_string):
        found.setdefault(run.info.run_name, []).append(run)
    return found


def test_import_then_nothing_then_a_change(results: Path, uri: str, tmp_path: Path) -> None:
    first = sync(results, uri, published=PUBLISHED)
    runs = runs_of(uri)
    paper = [name for name in runs if name.endswith(" (paper)")]
    assert first.new == 3 + len(paper) and first.known == first.broken == 0
    assert "styleinv (paper)" in paper and "long_video_gan (paper)" in paper
    assert runs["styleinv (paper)"][0].data.metrics == {"fid": 14.32, "fvd16": 77.04, "fvd128": 194.25}
    assert runs["styleinv (paper)"][0].data.tags["source"] == "paper"

    evaluation = runs["styleinv-no_ffa_ape"][0]
    assert evaluation.data.metrics["fid"] == 12.5 and evaluation.data.metrics["fvd128"] == 180
    assert "fvd16_std" not in evaluation.data.metrics
    tags, params = evaluation.data.tags, evaluation.data.params
    assert params["protocol.codec"] == "jpeg quality 75 4:2:0" and params["protocol.counts.fid_real"] == "100"
    assert (tags["protocol_id"], tags["stand_in"], tags["latest"]) == ("aa-bb", "true", "true")
    assert tags["mlflow.source.git.commit"] == "0123456789abcdef"
    own = {"seed": "0", "optim.lr": "0.0001", "optim.betas": "[0, 0.99]", "name": "it's"}
    assert params.items() >= own.items() and params["method"] == "styleinv-no_ffa_ape"
    assert evaluation.info.status == "FINISHED"

    training = runs["styleinv-no_ffa_ape/train"][0]
    client = MlflowClient(tracking_uri=uri)
    history = client.get_metric_history(training.info.run_id, "loss_G")
    assert [point.step for point in history] == list(range(700)) and history[3].value == 0.25
    assert history[3].timestamp == 6000
    assert len(client.get_metric_history(training.info.run_id, "loss_D_")) == 350
    assert training.data.metrics["cost/seconds"] == 12.5
    kept = tmp_path / "mlartifacts" / "sky" / training.info.run_id / "artifacts"
    assert sorted(file.name for file in kept.iterdir()) == [
        "config.yaml",
        "curves.csv",
        "provenance.json",
        "samples.png",
    ]
    assert "data/crop" in runs

    assert sync(results, uri, published=PUBLISHED).new == 0
    write_metrics(results / "sky" / "styleinv-no_ffa_ape", fid=11.0)
    third = sync(results, uri, published=PUBLISHED)
    assert (third.new, third.known) == (1, first.new - 1)
    again = runs_of(uri)
    assert len(again["styleinv-no_ffa_ape/train"]) == 1 and len(again["styleinv-no_ffa_ape/evaluate"]) == 2
    both = sorted(runs_of(uri)["styleinv-no_ffa_ape"], key=lambda run: run.data.metrics["fid"])
    assert [(run.data.metrics["fid"], run.data.tags["latest"]) for run in both] == [(11, "true"), (12.5, "false")]


def at(clock: str) -> int:
    """Milliseconds since 1970 of a time of one day."""
    return int(1000 * datetime.fromisoformat(f"2026-05-01T{clock}+00:00").timestamp())


def test_a_run_is_the_parent_of_its_stages_and_has_the_times_of_the_jobs(results: Path, uri: str) -> None:
    run = results / "sky" / "styleinv-no_ffa_ape"
    more = {"seed": 3, "scale": "demo"}
    jobs = (("", "ada", "10:00:00", "12:00:00"), ("evaluate.", None, "12:30:00", "12:40:00"))
    for name, user, start, end in jobs:
        record = json.loads((run / f"{name}provenance.json").read_text()) | more | {"user": user}
        record |= {"started": f"2026-05-01T{start}+00:00", "ended": f"2026-05-01T{end}+00:00"}
        (run / f"{name}provenance.json").write_text(json.dumps(record))
    sync(results, uri, published=None)
    runs = runs_of(uri)
    (parent,), (training,) = runs["styleinv-no_ffa_ape"], runs["styleinv-no_ffa_ape/train"]
    (evaluation,), (crop,) = runs["styleinv-no_ffa_ape/evaluate"], runs["data/crop"]
    times = [(one.info.start_time, one.info.end_time) for one in (parent, training, evaluation)]
    assert times[0] == (at("10:00:00"), at("12:40:00"))
    assert times[1:] == [(at("10:00:00"), at("12:00:00")), (at("12:30:00"), at("12:40:00"))]
    # A record of before there were dates: it was written when the job ended.
    assert crop.info.end_time - crop.info.start_time == 12500
    for child in (training, evaluation):
        assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert crop.data.tags["mlflow.parentRunId"] == runs["data"][0].info.run_id

    params, tags = parent.data.params, parent.data.tags
    assert (params["method"], params["seed"], params["scale"]) == ("styleinv-no_ffa_ape", "3", "demo")
    assert params["protocol.codec"] == "jpeg quality 75 4:2:0" and params["optim.lr"] == "0.0001"
    assert parent.data.metrics["fid"] == 12.5 and parent.data.metrics["cost/seconds"] == 12.5
    assert (tags["mlflow.user"], tags["mlflow.source.name"], tags["result"]) == ("ada", "styleinv train", "true")
    assert "mlflow.user" not in evaluation.data.tags
    for one in (parent, training, evaluation):
        (data,) = one.inputs.dataset_inputs
        assert (data.dataset.name, data.dataset.digest) == ("sky", "ab" * 8)
        assert json.loads(data.dataset.source) == {"uri": "data/sky/frames.zip"}


def test_a_study_that_goes_on_keeps_its_parent(results: Path, uri: str) -> None:
    run = results / "sky" / "styleinv-no_ffa_ape"
    later = (run / "evaluate.provenance.json").rename(run / "later")
    sync(results, uri, published=None)
    (before,) = runs_of(uri)["styleinv-no_ffa_ape"]
    assert "fid" not in before.data.metrics and "result" not in before.data.tags
    later.rename(run / "evaluate.provenance.json")
    sync(results, uri, published=None)
    (after,) = runs_of(uri)["styleinv-no_ffa_ape"]
    assert after.info.run_id == before.info.run_id and after.data.metrics["fid"] == 12.5
    (evaluation,) = runs_of(uri)["styleinv-no_ffa_ape/evaluate"]
    assert evaluation.data.tags["mlflow.parentRunId"] == after.info.run_id


def test_the_model_is_logged_and_registered_without_a_copy(results: Path, uri: str, tmp_path: Path) -> None:
    model = results / "sky" / "styleinv-no_ffa_ape" / "model.safetensors"
    away = model.rename(tmp_path / "not pulled yet")
    sync(results, uri, published=None)
    client = MlflowClient(tracking_uri=uri)
    assert not client.search_registered_models()
    away.rename(model)
    for _ in range(2):
        assert sync(results, uri, published=None).new == 0
    (version,) = client.search_model_versions("name = 'sky.styleinv-no_ffa_ape'")
    training = runs_of(uri)["styleinv-no_ffa_ape/train"][0]
    assert version.run_id == training.info.run_id and version.tags["digest"] == MODEL_HASH
    (logged,) = client.search_logged_models(["1"])
    assert logged.source_run_id == training.info.run_id and version.source == logged.artifact_location
    (kept,) = (tmp_path / "mlartifacts").rglob("model.safetensors")
    assert kept.samefile(model) and kept.parent.parent.name == logged.model_id


def test_scores_belong_to_the_model_that_was_scored(results: Path, uri: str) -> None:
    sync(results, uri, published=None)
    client = MlflowClient(tracking_uri=uri)
    (logged,) = client.search_logged_models(["1"])
    assert {metric.key: metric.value for metric in logged.metrics} == {
        "fid": 12.5,
        "fid_std": 0.5,
        "fvd16": 70,
        "fvd128": 180,
    }
    evaluation = client.get_run(runs_of(uri)["styleinv-no_ffa_ape/evaluate"][0].info.run_id)
    assert [model.model_id for model in evaluation.inputs.model_inputs] == [logged.model_id]


def test_scores_along_a_training_are_curves(results: Path, uri: str) -> None:
    run = results / "sky" / "styleinv-no_ffa_ape"
    (run / "progress.csv").write_text("step,kimg,fid,protocol,stand_in\n10,1,30.5,aa-bb,True\n20,2,20.5,aa-bb,True\n")
    (run / "progress.provenance.json").write_text(provenance("progress", "sky/styleinv-no_ffa_ape"))
    (run / "pca.provenance.json").write_text(provenance("pca", "sky/styleinv-no_ffa_ape"))
    sync(results, uri, published=PUBLISHED)
    runs, client = runs_of(uri), MlflowClient(tracking_uri=uri)
    progress = runs["styleinv-no_ffa_ape/progress"][0]
    history = client.get_metric_history(progress.info.run_id, "fid")
    assert [(point.step, point.value) for point in history] == [(10, 30.5), (20, 20.5)]
    assert "stand_in" not in progress.data.metrics
    # A training's curves belong to it alone.
    assert "loss_G" not in runs["styleinv-no_ffa_ape/pca"][0].data.metrics
    table = runs_of(uri, "tags.latest = 'true' and tags.result = 'true'")
    assert "styleinv-no_ffa_ape" in table and "styleinv (paper)" in table and not any("/" in name for name in table)


def test_tables_and_figures_are_artifacts(results: Path, uri: str) -> None:
    (results / "figures").mkdir()
    for name in ("tables/table1.csv", "tables/table1.md", "figures/figure6.png", "report.html"):
        (results / name).write_text(name)
    told = {"title": "Figure 6", "caption": "Nobody chose these.", "runs": {"sky/styleinv": {}, "sky/digan": {}}}
    (results / "figures/figure6.json").write_text(json.dumps(told))
    before = sync(results, uri, published=None).new
    assert before == 3 + 3 and sync(results, uri, published=None).new == 0
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("tables and figures").experiment_id
    runs = {run.info.run_name: run for run in client.search_runs([experiment])}
    assert set(runs) == {"table1", "figure6", "report"}
    artifacts = {file.name for file in (results.parent / "mlartifacts/tables and figures").rglob("*") if file.is_file()}
    assert artifacts == {"table1.csv", "table1.md", "figure6.json", "figure6.png", "report.html"}
    tags = runs["figure6"].data.tags
    assert (tags["caption"], tags["runs"], tags["kind"]) == ("Nobody chose these.", "sky/styleinv sky/digan", "figure")
    (results / "tables/table1.csv").write_text("another")
    assert sync(results, uri, published=None).new == 1


def test_broken_files_are_named_and_skipped(results: Path, uri: str, caplog: pytest.LogCaptureFixture) -> None:
    run = results / "sky" / "digan"
    run.mkdir()
    (run / "provenance.json").write_text("{")
    (run / "evaluate.provenance.json").write_text(provenance("evaluate", "sky/digan"))
    other = results / "sky" / "stylegan_v"
    other.mkdir()
    (other / "provenance.json").write_text(provenance("train", "sky/stylegan_v"))
    (other / "curves.csv").write_text("kimg,loss\n1,2\n")
    with caplog.at_level(logging.WARNING):
        summary = sync(results, uri, published=None)
    assert (summary.new, summary.broken) == (3, 3)
    for name in ("digan/provenance.json", "digan/evaluate.provenance.json", "stylegan_v/provenance.json"):
        assert name in caplog.text


def test_half_filled_run_is_made_again(results: Path, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(MlflowClient, "create_model_version", killed)
    with pytest.raises(KeyboardInterrupt):
        sync(results, uri, published=None)
    monkeypatch.undo()
    assert sync(results, uri, published=None).broken == 0
    runs = runs_of(uri)
    assert all(len(same) == 1 for same in runs.values()) and len(runs) == 5
    assert len(MlflowClient(tracking_uri=uri).search_logged_models(["1"])) == 1
    assert not runs_of(uri, "tags.sync = 'incomplete'")


def test_the_command_says_where_the_runs_are_shown(results: Path, uri: str) -> None:
    (results / "sky" / "styleinv-no_ffa_ape" / "curves.csv").write_text("kimg\n1\n")
    done, page = track(uri, Setting(PUBLISHED.with_name("demo.yaml"), Paths(results)))
    assert done.startswith("MLflow: ") and "1 could not be imported" in done
    assert page.strip().startswith("sky: http://127.0.0.1:5000/#/experiments/1/runs?workflowType=machine_learning")


def test_an_experiment_has_its_views_and_one_that_the_user_has_changed_stays(results: Path, uri: str) -> None:
    client, tag = MlflowClient(tracking_uri=uri), "mlflow.sharedViewState.scores"
    client.create_experiment("sky")
    sync(results, uri, published=None)
    assert json.loads(client.get_experiment("1").tags[tag])["name"] == "Scores"
    client.set_experiment_tag("1", tag, "mine")
    sync(results, uri, published=None)
    assert client.get_experiment("1").tags[tag] == "mine"


def test_no_results(tmp_path: Path, uri: str) -> None:
    with pytest.raises(UserError, match="does not exist"):
        sync(tmp_path / "results", uri)


def test_only_results_count(results: Path) -> None:
    files = [path.relative_to(results).as_posix() for path in provenance_files(results)]
    assert files == [
        "data/sky/provenance.json",
        "sky/styleinv-no_ffa_ape/evaluate.provenance.json",
        "sky/styleinv-no_ffa_ape/provenance.json",
    ]


def test_content_covers_every_imported_file(results: Path) -> None:
    run = results / "sky" / "styleinv-no_ffa_ape"
    before = read_stage(results, run / "provenance.json").content
    assert read_stage(results, run / "provenance.json").content == before
    (run / "samples.png").write_bytes(b"other")
    assert read_stage(results, run / "provenance.json").content != before


def test_flatten() -> None:
    assert flatten({"a": {"b": 1, "c d": [1, None]}, "e": None, "f": True}) == {
        "a.b": "1",
        "a.c d": "[1, null]",
        "e": "null",
        "f": "true",
    }


@pytest.mark.slow
def test_many_imports_at_once_take_turns(results: Path, uri: str) -> None:
    """A new database, eight processes: each run is there once."""
    context = multiprocessing.get_context("spawn")
    jobs = [context.Process(target=sync, args=(results, uri, None)) for _ in range(8)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join(300)
        assert job.exitcode == 0
    assert sorted((name, len(same)) for name, same in runs_of(uri).items()) == [
        ("data", 1),
        ("data/crop", 1),
        ("styleinv-no_ffa_ape", 1),
        ("styleinv-no_ffa_ape/evaluate", 1),
        ("styleinv-no_ffa_ape/train", 1),
    ]
