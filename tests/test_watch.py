"""How a study stands, from the files that its jobs leave."""

import io
import json
import os
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from styleinv.cli import main
from styleinv.paths import Paths
from styleinv.runs import parse_run
from styleinv.stages import watch
from styleinv.stages.schedule import Task, finish
from styleinv.stages.study import Job, Study, Watcher, begin_study, end_study, last_attempt, without_cost
from styleinv.stages.watch import counts, line, lines, outlook, picture, view_of
from styleinv.tracking.watching import Training
from styleinv.training.tick import Tick, read_tick
from tests.workflow.clone import DEMO, call, clone

BEGUN = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=10)


def job(rule: str, what: str, needs: tuple[int, ...] = (), wanted: bool = True) -> Job:
    return Job(rule, what, f"logs/{rule}/{what}.log", needs, 1, wanted, rule.startswith("train_"))


JOBS = [
    job("fetch", "sky", wanted=False),
    job("crop", "sky", (0,)),
    job("train_digan", "sky/digan", (1,)),
    job("train_stylegan2", "sky/stylegan2", (1,)),
    job("train_inversion", "sky/inversion", (3,)),
    job("evaluate", "sky/digan", (2,)),
]


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    # Ten minutes before this test, which may run long after it was collected.
    monkeypatch.setattr(
        sys.modules[__name__], "BEGUN", datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=10)
    )
    monkeypatch.chdir(tmp_path)
    Study("config/paper.yaml", BEGUN.isoformat(), 2, ".snakemake/log/x.log", JOBS).write(Paths())
    return Paths()


def says(number: int, minute: float, text: str = "", code: int | None = None, last: float = 0.0, again: bool = False):
    """What `logged` and the command line write: an attempt that began in a minute and spoke last in another."""
    history = (Paths().root / JOBS[number].log).with_suffix(".history.log")
    history.parent.mkdir(parents=True, exist_ok=True)
    start = (BEGUN + timedelta(minutes=minute)).isoformat()
    with open(history, "a") as file:
        file.write(f"--- {start} node1 job 77 attempt {1 + again}\n{text}\n")
        file.write("" if code is None else f"--- exit {code}\n")
    when = (BEGUN + timedelta(minutes=last or minute)).timestamp()
    os.utime(history, (when, when))


def ticks(run: str, kimg: float, total: float, rate: float) -> None:
    Tick(1, 2, kimg, total, rate, 1.0).write(Paths().tick(parse_run(run)))


def settings(run: str, kimg: float) -> None:
    file = Paths().settings("train", run)
    file.parent.mkdir(parents=True)
    file.write_text(f"settings: {{training: {{total_kimg: {kimg}}}}}\n")


def states(paths: Paths) -> list[str]:
    return [one.state for one in Watcher(paths).view().jobs]


def test_states_follow_from_the_histories_of_the_jobs(study: Paths) -> None:
    assert states(study) == ["done", "waits", "waits", "waits", "waits", "waits"]
    says(1, -60, "of an earlier study", 0)
    assert states(study)[1] == "waits"
    says(1, 1, "cropping")
    assert states(study)[1] == "runs"
    says(1, 2, "", 0, last=4, again=True)
    says(2, 4, "12:00 INFO x\nstyleinv: config/methods/digan.yaml: lr: is negative. Make it positive.", 2)
    says(3, 4, "styleinv: results/sky/stylegan2: stopped at step 3 of 9 after saving", 75)
    assert states(study) == ["done", "done", "failed", "stopped", "waits", "waits"]
    view = Watcher(study).view()
    assert view.jobs[1].seconds == 120
    assert view.jobs[2].error == "config/methods/digan.yaml: lr: is negative. Make it positive."
    says(3, 5, "it goes on", again=True)
    assert states(study)[3] == "runs"
    end_study(study, "failed")
    view = Watcher(study).view()
    assert [one.state for one in view.jobs[2:4]] == ["failed", "failed"] and view.left is None
    assert view.jobs[3].error == "it goes on"


def test_what_has_not_changed_is_not_read_again(study: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    watcher = Watcher(study)
    says(1, 1, "cropping")
    watcher.view()
    read: list[Path] = []
    text = Path.read_text
    monkeypatch.setattr(Path, "read_text", lambda path, **k: (read.append(path), text(path, **k))[1])
    watcher.view()
    assert not [path for path in read if path.name.endswith(".history.log")]


def test_the_outlook_is_the_cost_corrected_by_the_measured_rate(study: Paths) -> None:
    for run, kimg in (("sky/digan", 100), ("sky/stylegan2", 100), ("sky/inversion", 50)):
        settings(run, kimg)
    assert without_cost(study_record(), study) == ["sky/digan", "sky/stylegan2", "sky/inversion"]
    assert outlook(Watcher(study).view()).endswith(" so far; no estimate yet")
    table = study.table("cost")
    table.parent.mkdir(parents=True)
    rows = [f"paper,x,sky/{name},10,{kimg}" for name, kimg in (("digan", 100), ("stylegan2", 100), ("inversion", 50))]
    table.write_text("\n".join(["scale,method,stage,seconds_per_kimg,total_kimg", *rows]) + "\n")
    assert without_cost(study_record(), study) == []
    view = Watcher(study).view()
    # Two at once: digan beside stylegan2, then inversion. Nobody has cropped or scored anything yet.
    assert view.left == pytest.approx(1500) and view.unmeasured == ["crop", "evaluate"]
    assert "; not measured yet: crop, evaluate)" in outlook(view)
    end = (view.at + timedelta(seconds=1500)).astimezone()
    assert f"10 min 0 s so far, about 25 min 0 s to go (until {end:%H:%M}; " in outlook(replace(view, seconds=600))
    says(1, 1, "", 0, last=2)
    says(2, 2, "", last=10)
    ticks("sky/digan", 60, 100, 20)
    view = Watcher(study).view()
    assert view.jobs[2].left == pytest.approx(800)  # by its own rate
    assert view.jobs[3].left == pytest.approx(2000) and view.jobs[4].left == pytest.approx(1000)  # twice as slow
    assert view.left == pytest.approx(3000)
    # A cost of another scale says nothing.
    table.write_text(table.read_text().replace("paper,x,sky/stylegan2", "demo,x,sky/stylegan2"))
    assert Watcher(study).view().jobs[3].left is None


def study_record() -> Study:
    return Study(**json.loads(Paths().study.read_text()) | {"jobs": JOBS})


def test_a_tick_of_an_earlier_attempt_says_nothing(study: Paths) -> None:
    ticks("sky/digan", 60, 100, 20)
    old = (BEGUN - timedelta(hours=1)).timestamp()
    os.utime(study.tick(parse_run("sky/digan")), (old, old))
    says(2, 2)
    assert Watcher(study).view().jobs[2].tick is None
    study.tick(parse_run("sky/digan")).write_text("{")
    assert read_tick(study.tick(parse_run("sky/digan"))) is None


def test_lines_name_rate_picture_error_and_log(study: Paths) -> None:
    says(1, 1, "", 0, last=2)
    says(2, 2, "", last=3)
    ticks("sky/digan", 60, 100, 20)
    says(3, 4, "styleinv: no space left on device", 1)
    sample = study.snapshots(parse_run("sky/digan")) / "kimg000060.png"
    sample.parent.mkdir(parents=True)
    sample.touch()
    view = Watcher(study).view()
    assert counts(view) == "2 of 6 jobs done, 1 run, 2 wait, 1 failed"
    text = "\n".join(lines(view))
    for part in (
        "60.0 of 100.0 kimg, 20 s/kimg, 13 min 20 s to go; has said nothing for ",
        "newest picture: results/sky/digan/snapshots/kimg000060.png",
        "last error: train_stylegan2 sky/stylegan2: no space left on device",
        "whole log: .snakemake/log/x.log",
    ):
        assert part in text, text
    assert "\n" not in line(view) and "results/logs/train_stylegan2/sky/stylegan2.log" in line(view)
    screen = io.StringIO()
    Console(file=screen, width=120).print(picture(view))
    assert "train_digan sky/digan" in screen.getvalue() and "no space left on device" in screen.getvalue()


def test_a_large_study_still_fits_a_screen(study: Paths) -> None:
    many = [job("evaluate", f"sky/digan-v{i}") for i in range(100)]
    Study("config/paper.yaml", BEGUN.isoformat(), 2, "", [*JOBS, *many]).write(study)
    text = lines(Watcher(study).view())
    assert len(text) < 15 and any("101 of 101" in row for row in text)


def test_the_command_ends_with_the_study(study: Paths, capsys: pytest.CaptureFixture, monkeypatch) -> None:
    monkeypatch.setattr(watch, "LOOK", 0.01)
    says(2, 4, "styleinv: lr: is negative", 2)
    assert main(["watch", "--once"]) == 0
    assert "failed   train_digan sky/digan" in capsys.readouterr().out
    end_study(study, "failed")
    assert main(["watch"]) == 1
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 1 and "the study has failed: train_digan sky/digan" in err
    assert main(["watch", "--results", "nowhere"]) == 2
    assert "nowhere/logs/study.json: does not exist: no study has been started here" in capsys.readouterr().err
    study.study.write_text('{"jobs": [{}]}')
    assert main(["watch"]) == 2
    assert "is no record of a study" in capsys.readouterr().err


def test_plain_lines_come_every_so_often(study: Paths, capsys: pytest.CaptureFixture, monkeypatch) -> None:
    monkeypatch.setattr(watch, "LINE", 0.2)
    end = time.monotonic() + 0.5
    watch.follow(Watcher(study).view, lambda: time.monotonic() > end, 0.01)
    assert 3 <= len(capsys.readouterr().out.splitlines()) <= 5


def test_a_server_knows_the_trainings() -> None:
    view = view_of(
        [
            Training("sky/stylegan2", "FINISHED", 100, 100, 1000, 0),
            Training("sky/digan", "RUNNING", 25, 100, 500, 10),
            Training("sky/inversion", "KILLED", 5, None, 50, 20),
        ]
    )
    assert [one.state for one in view.jobs] == ["done", "runs", "stopped"]
    assert view.left == pytest.approx(1500)
    assert "25.0 of 100.0 kimg, 20 s/kimg, 25 min 0 s to go" in "\n".join(lines(view))
    assert outlook(view_of([])) == "0.0 s so far"


def test_tasks_end_when_what_they_need_has() -> None:
    tasks = {"a": Task(2), "b": Task(3, ["a"]), "c": Task(4, ["gone"]), "d": Task(1, ["a", "c"])}
    assert finish(tasks, 1) == 10 and finish(tasks, 2) == 5
    assert finish({"a": Task(5, slots=8)}, 2) == 5  # it gets what there is
    assert finish({"a": Task(5, slots=2, runs=True), "b": Task(1)}, 2) == 6
    assert finish({}, 1) == 0


def test_the_history_of_a_job_names_its_last_words() -> None:
    said = datetime.now(UTC)
    head = "--- 2026-01-01T00:00:00+00:00 node job 1 attempt 1"
    attempt = last_attempt([head, "Traceback", "ValueError: x", "--- exit 1"], said)
    assert attempt is not None and (attempt.code, attempt.error) == (1, "ValueError: x")
    assert last_attempt(["nothing"], said) is None


def test_the_workflow_writes_down_what_it_does(tmp_path: Path) -> None:
    """Snakemake's own plan; a job that fails ends the study, and its line is found."""
    folder = clone(tmp_path)
    rules = folder / "workflow/rules/common.smk"
    rules.write_text(rules.read_text().replace("AFTERWARDS = (", 'AFTERWARDS = "true" or ('))  # neither DVC nor MLflow
    (folder / "results/data/talking_faces").mkdir(parents=True)
    (folder / "results/data/talking_faces/raw").touch()  # in the place of a folder
    call(folder, *DEMO[:4], "--quiet", "all", "--config", "methods=[stylegan_v]", code=1)
    record = json.loads((folder / "results/logs/study.json").read_text())
    jobs = [Job(**one) for one in record["jobs"]]
    assert [one.rule for one in jobs[:3]] == ["fetch", "crop", "train_stylegan_v"] and record["ended"] == "failed"
    assert {one.rule for one in jobs[3:]} == {"evaluate", "gallery", "table1", "report"}
    assert [one.needs for one in jobs[:3]] == [[], [0], [1]] and all(one.wanted for one in jobs)
    assert record["scale"] == "config/tiny.yaml" and (folder / record["log"]).exists()
    view = Watcher(Paths(folder / "results")).view()  # from another folder
    assert [one.state for one in view.jobs] == ["failed", *["waits"] * 6]
    assert view.errors[0].error == (
        "results/data/talking_faces/raw: is no folder, and in the place of one. Move it away, or name another place."
    )


def test_begin_study_is_what_read_study_reads(tmp_path: Path) -> None:
    from dataclasses import asdict

    begin_study(Paths(tmp_path), "config/demo.yaml", 3, "", [asdict(one) for one in JOBS])
    assert Watcher(Paths(tmp_path)).view().count("waits") == 5
