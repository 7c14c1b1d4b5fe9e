"""Curves on a real MLflow server: many writers, a server that goes away, trainings that stop and go on."""

import multiprocessing
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient

from styleinv.cli import main
from styleinv.errors import Stopped, UserError
from styleinv.paths import Paths
from styleinv.runs import parse_run
from styleinv.stages.setting import Setting
from styleinv.stages.train import train as train_stage
from styleinv.tracking.live import Live
from styleinv.tracking.sync import sync
from styleinv.tracking.watching import trainings
from styleinv.training.curves import Curves
from tests.mlflow_server import Server
from tests.test_tracking import provenance

WRITERS = 8


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("server"))
    yield started
    started.stop()


@pytest.fixture(autouse=True)
def use_server(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)


def train(run: str, folder: Path, steps: range, pause: float = 0.0, end: type[Exception] | None = None) -> None:
    """What a training does to its curves."""
    curves = folder / "curves.csv"
    try:
        with Live(parse_run(run), "train", "cafe", curves) as live:
            for step in steps:
                Curves(curves, step - 1).add({"step": step, "kimg": step / 10, "seconds": step * 2.0, "loss": 1 / step})
                live.tick()
                time.sleep(pause)
            if end is not None:
                raise end("over")
    except Stopped:
        pass


@pytest.mark.slow
def test_many_writers_lose_nothing(server: Server, tmp_path: Path) -> None:
    jobs = []
    for i in range(WRITERS):
        (tmp_path / str(i)).mkdir()
        arguments = (f"many/digan-try{i}", tmp_path / str(i), range(1, 41), 0.01)
        jobs.append(multiprocessing.get_context("spawn").Process(target=train, args=arguments))
        jobs[-1].start()
    for job in jobs:
        job.join(120)
        assert job.exitcode == 0
    runs = server.runs("many")
    assert sorted(run.info.run_name for run in runs) == sorted(f"digan-try{i}/train" for i in range(WRITERS))
    for run in runs:
        assert server.steps(run) == list(range(1, 41)) and run.info.status == "FINISHED"


def test_a_continued_training_continues_its_run_and_the_import_completes_it(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "results/sky/digan"
    (folder / "state").mkdir(parents=True)
    train("sky/digan", folder / "state", range(1, 8), end=Stopped)
    (run,) = server.runs("sky")
    assert run.info.status == "KILLED" and server.steps(run) == list(range(1, 8))
    # The last saved state is older than the last row.
    train("sky/digan", folder / "state", range(6, 11))
    (folder / "state/curves.csv").rename(folder / "curves.csv")
    (folder / "provenance.json").write_text(provenance("train", "sky/digan"))
    assert sync(tmp_path / "results", server.uri, published=None).new == 1
    again, parent = sorted(server.runs("sky"), key=lambda run: run.info.run_name, reverse=True)
    assert again.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert again.info.run_id == run.info.run_id and again.info.status == "FINISHED"
    assert server.steps(again) == list(range(1, 11))
    assert again.data.tags["sync"] == "complete" and again.data.metrics["cost/seconds"] == 12.5
    assert sync(tmp_path / "results", server.uri, published=None).new == 0


def test_a_server_tells_how_far_a_training_is(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    curves = tmp_path / "curves.csv"
    with Live(parse_run("far/digan"), "train", "cafe", curves, total_kimg=4.0) as live:
        Curves(curves, 0).add({"step": 10, "kimg": 1.0, "seconds": 20.0, "loss": 1.0})
        live.tick()
        for _ in range(300):
            found = [one for one in trainings(server.uri) if one.run == "far/digan"]
            if found and found[0].kimg:
                break
            time.sleep(0.1)
        (one,) = found
        assert (one.status, one.kimg, one.total_kimg, one.seconds) == ("RUNNING", 1.0, 4.0, 20.0)
        assert main(["watch", "--once", "--mlflow", server.uri]) == 0
    assert (
        "train far/digan" in (out := capsys.readouterr().out) and "1.0 of 4.0 kimg, 20 s/kimg, 1 min 0 s to go" in out
    )
    assert [one.status for one in trainings(server.uri) if one.run == "far/digan"] == ["FINISHED"]
    assert main(["watch", "--mlflow", "http://127.0.0.1:9"]) == 2
    assert "MLflow does not answer" in capsys.readouterr().err


@pytest.mark.slow
def test_the_training_stage_sends_its_curves(server: Server, tiny: Setting, tmp_path: Path) -> None:
    results = tmp_path / "results"
    shutil.copytree(tiny.paths.root / "data", results / "data")
    train_stage(parse_run("talking_faces/stylegan2"), Setting(tiny.config, Paths(results)))
    (run,) = server.runs("talking_faces")
    assert run.info.run_name == "stylegan2/train" and run.data.tags["sync"] == "live"
    client = MlflowClient(tracking_uri=server.uri)
    sent = {point.step: point.value for point in client.get_metric_history(run.info.run_id, "kimg")}
    curves = pd.read_csv(results / "talking_faces/stylegan2/curves.csv")
    assert sent == dict(zip(curves["step"], curves["kimg"], strict=True))
    sync(results, server.uri, published=None)
    (again,) = (run for run in server.runs("talking_faces") if run.info.run_name == "stylegan2/train")
    assert again.info.run_id == run.info.run_id and again.data.tags["sync"] == "complete"
    assert "samples.png" in [file.path for file in client.list_artifacts(run.info.run_id)]


def test_a_server_that_goes_away_gets_what_it_missed(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    curves = tmp_path / "curves.csv"

    def row(step: int) -> None:
        Curves(curves, step - 1).add({"step": step, "kimg": step / 10, "seconds": 1.0, "loss": 1.0})
        live.tick()

    def wait(what: str) -> None:
        for _ in range(300):
            if what in caplog.text or (not what and server.runs("away") and server.steps(server.runs("away")[0])):
                return
            time.sleep(0.1)
        raise TimeoutError(what)

    with caplog.at_level("INFO"), Live(parse_run("away/digan"), "train", "cafe", curves) as live:
        row(1)
        wait("")
        server.stop()
        row(2)
        wait("The training goes on; nothing is lost")
        row(3)
        server.start()
        row(4)
        wait("MLflow answers again")
    (run,) = server.runs("away")
    assert server.steps(run) == [1, 2, 3, 4]


def test_no_server_costs_a_warning_and_no_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    start = time.monotonic()
    train("none/digan", tmp_path, range(1, 4))
    assert time.monotonic() - start < 25
    assert caplog.text.count("MLflow does not answer") == 1
    (tmp_path / "results").mkdir()
    with pytest.raises(UserError, match=r"MLflow does not answer.*Nothing is lost"):
        (tmp_path / "results/sky/digan").mkdir(parents=True)
        (tmp_path / "results/sky/digan/provenance.json").write_text(provenance("train", "sky/digan"))
        sync(tmp_path / "results", "http://127.0.0.1:9", published=None)
