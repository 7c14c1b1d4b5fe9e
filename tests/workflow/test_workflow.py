"""Snakemake drives, DVC versions, MLflow shows: the real tools on the shipped files, at a scale of seconds."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from styleinv.data.video import comment_of
from tests.project import ROOT
from tests.workflow.clone import call, clone, environment, planned

TABLE = "results/tables/table1.csv"


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone in which the whole DAG has run."""
    folder = clone(tmp_path_factory.mktemp("done"))
    call(folder, "snakemake", "demo", "--profile", "profiles/demo")
    return folder


def test_dvc_and_snakemake_describe_the_same_stages(tmp_path: Path) -> None:
    folder = clone(tmp_path)
    assert "DVC and Snakemake agree on" in call(folder, "python", "workflow/scripts/dvc_sync.py", "check")
    dvc = folder / "dvc.yaml"
    settings, model = "settings/train/talking_faces/styleinv/settings.yaml", "talking_faces/inversion/model.safetensors"
    lines = [f"      - results/{name}\n" for name in (settings, model)]
    dvc.write_text(dvc.read_text().replace("".join(lines), lines[0], 1))
    said = call(folder, "python", "workflow/scripts/dvc_sync.py", "check", code=1)
    assert "results/talking_faces/inversion/model.safetensors only in the Snakefile" in said and "sync.py write" in said


@pytest.mark.slow
def test_dvc_follows_another_list_of_methods_and_data_sets(tmp_path: Path) -> None:
    """Also to training stages, preparations and variants that dvc.yaml never had, and away from those it had."""
    folder = clone(tmp_path)
    config = folder / "config/config.yaml"
    original = config.read_text()
    lists = [
        ("[talking_faces, sky]", "[digan, digan-clip128, mocogan_hd]"),
        ("[sky]", "[styleinv, mocogan_hd, mocogan_hd-ffa_st]"),
    ]
    for datasets, methods in lists:
        lines = [line for line in original.splitlines() if not line.startswith(("datasets:", "methods:"))]
        config.write_text("\n".join([*lines, f"datasets: {datasets}", f"methods: {methods}", ""]))
        call(folder, "python", "workflow/scripts/dvc_sync.py", "check", code=1)
        call(folder, "python", "workflow/scripts/dvc_sync.py", "write")
        assert "DVC and Snakemake agree on" in call(folder, "python", "workflow/scripts/dvc_sync.py", "check")
    assert "train_digan" not in (folder / "dvc.yaml").read_text()
    config.write_text(original)
    call(folder, "python", "workflow/scripts/dvc_sync.py", "write")
    written = (folder / "dvc.yaml").read_text()
    shipped = (ROOT / "dvc.yaml").read_text().replace("config/demo.yaml", "config/tiny.yaml")
    # Which curves are losses is known once there are curves.
    ours, theirs = ([line for line in text.splitlines() if "x: kimg" not in line] for text in (written, shipped))
    assert sorted(line for line in ours if line != "plots: []") == sorted(line for line in theirs if line != "plots:")


def test_bad_workflow_configuration_is_one_line(tmp_path: Path) -> None:
    folder = clone(tmp_path)
    config = folder / "config/config.yaml"
    original = config.read_text()
    for old, new, says in (
        ("scale: tiny", "scale: tny", "config/tny.yaml: does not exist"),
        ("[talking_faces]", "[tachi]", "config/datasets/tachi.yaml: does not exist"),
        ("[styleinv,", "[stylinv,", "stylinv.yaml: does not exist"),
        ("scale: tiny", "scale: tiny\nsed: 1", "sed: unknown key"),
    ):
        config.write_text(original.replace(old, new))
        assert says in call(folder, "snakemake", "demo", "-n", code=1)


def test_on_a_cpu_jobs_run_side_by_side_and_the_longest_chain_goes_first(tmp_path: Path) -> None:
    folder = clone(tmp_path)

    def asked(key: str, cores: int = 8, methods: str = "styleinv,digan") -> dict[str, str]:
        text = call(folder, "snakemake", "demo", "-n", "--cores", str(cores), "--config", f"methods=[{methods}]")
        jobs = re.split(r"^(?:local)?rule (\w+):$", text, flags=re.MULTILINE)[1:]
        found = {
            rule: re.search(rf"^    {key}: (\d+)$", job, re.MULTILINE)
            for rule, job in zip(jobs[::2], jobs[1::2], strict=True)
        }
        return {rule: said[1] for rule, said in found.items() if said}

    chain = ("train_stylegan2", "train_inversion", "train_styleinv")
    assert asked("threads") == dict.fromkeys(chain, "2")
    assert asked("threads", 2) == dict.fromkeys(chain[1:], "2")  # the other core trains DIGAN beside the first
    assert asked("threads", 2, "styleinv,digan,stylegan_v") == {chain[2]: "2"}
    assert asked("threads", 2, "styleinv,digan,stylegan_v,mocogan_hd") == {}  # enough for both cores until the end
    assert asked("priority") == dict.fromkeys(("fetch", "crop"), "4") | dict.fromkeys(chain, "3") | {"train_digan": "1"}
    scale = folder / "config/tiny.yaml"
    scale.write_text(scale.read_text().replace("device: cpu", "device: auto"))
    assert asked("threads")["train_digan"] == "8"


@pytest.mark.slow
def test_the_whole_dag(done: Path) -> None:
    header, row = (done / TABLE).read_text().splitlines()[:2]
    columns = dict(zip(header.split(","), row.split(","), strict=False))
    assert columns["dataset"] == "talking_faces" and columns["method"] == "styleinv"
    assert all(float(columns[name]) >= 0 for name in ("fid", "fvd4", "fvd16"))
    assert "stand-in" in (done / "results/tables/table1.md").read_text()
    report = (done / "results/report.html").read_text()
    assert "data:video/mp4" in report and "stand-in" in report
    assert comment_of(done / "results/talking_faces/styleinv/samples.mp4").startswith("Synthetic video")


@pytest.mark.slow
def test_the_other_tables(done: Path) -> None:
    call(done, "snakemake", "table2", "table3", "--profile", "profiles/demo")
    rows = {
        name: [line.split(",")[1] for line in (done / f"results/tables/{name}.csv").read_text().splitlines()[1:]]
        for name in ("table2", "table3")
    }
    assert rows["table2"] == ["mocogan_hd", "mocogan_hd-ffa_st", "digan", "digan-clip128", "styleinv"]
    assert len(rows["table3"]) == 5 and rows["table3"][-1] == "styleinv"
    assert "Nothing to be done" in call(done, "snakemake", "table2", "--profile", "profiles/demo", "--no-hooks")
    # DVC versions them like the rest.
    assert "up to date" in call(done, "dvc", "status")
    assert "DVC and Snakemake agree on" in call(done, "python", "workflow/scripts/dvc_sync.py", "check")
    stage = "evaluate-talking_faces-digan-clip128"
    text = call(done, "dvc", "repro", "--single-item", "--force", stage)
    assert "rule evaluate" in text and "rule train" not in text
    assert "up to date" in call(done, "dvc", "status")


def timed(folder: Path, *words: str) -> tuple[str, float]:
    """What Snakemake says, started as a user starts it, and its seconds of a processor, whatever else runs."""
    before = os.times()
    text = call(folder, str(Path(sys.executable).with_name("snakemake")), *words)
    after = os.times()
    return text, after.children_user + after.children_system - before.children_user - before.children_system


@pytest.mark.slow
def test_a_second_run_does_nothing(done: Path) -> None:
    text, seconds = timed(done, "demo", "--profile", "profiles/demo")
    assert "Nothing to be done" in text and seconds < 20


@pytest.mark.slow
def test_snakemake_reports(done: Path, tmp_path: Path) -> None:
    text = call(done, "snakemake", "demo", "--profile", "profiles/demo", "--report", str(tmp_path / "report.zip"))
    assert "Missing metadata" not in text
    with zipfile.ZipFile(tmp_path / "report.zip") as archive:
        assert any("table1" in archive.read(name).decode(errors="ignore") for name in archive.namelist())


@pytest.mark.slow
def test_dvc_has_recorded_everything(done: Path) -> None:
    assert "up to date" in call(done, "dvc", "status")
    table = call(done, "dvc", "metrics", "show", "--md")
    assert "| fid " in table and "protocol." not in table
    document = YAML(typ="safe").load((done / "dvc.yaml").read_text())
    axes = dict(pair for plot in document["plots"] for pair in plot.items())[
        "results/talking_faces/styleinv/curves.csv"
    ]
    assert axes["x"] == "kimg" and {"loss_d_loss", "loss_g_recon"} <= set(axes["y"])
    assert "params:" not in (done / "dvc.lock").read_text()


@pytest.mark.slow
def test_every_file_is_an_output_of_a_stage(done: Path) -> None:
    beside = {"logs", "cache", "weights", "state", "snapshots", "raw", "settings"}
    results = done / "results"
    files = [file for file in results.rglob("[!.]*") if file.is_file()]
    made = {file for file in files if not beside & set(file.relative_to(results).parts)}
    stages = YAML(typ="safe").load((done / "dvc.yaml").read_text())["stages"].values()
    outs = [out for stage in stages for kind in ("outs", "metrics", "plots") for out in stage.get(kind, [])]
    listed = {done / (out if isinstance(out, str) else next(iter(out))) for out in outs}
    assert made == {file for file in listed if "settings" not in file.parts}


@pytest.mark.slow
def test_mlflow_shows_every_stage(done: Path) -> None:
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{done}/mlflow.db")
    experiment = client.get_experiment_by_name("talking_faces")
    runs = client.search_runs([experiment.experiment_id], "tags.latest = 'true'")
    names = {run.info.run_name for run in runs}
    assert {"stylegan2/train", "inversion/train", "styleinv/train", "styleinv"} <= names, names
    scored = next(run for run in runs if run.info.run_name == "styleinv")
    assert {"fid", "fvd4", "fvd16"} <= set(scored.data.metrics)


@pytest.mark.slow
def test_dvc_repro_runs_one_stage_and_both_tools_agree(done: Path) -> None:
    method = done / "config/methods/inversion.yaml"
    original = method.read_text()
    try:
        method.write_text(original + "# only a comment\n")
        text = call(done, "dvc", "repro", "--single-item", "--force", "evaluate-talking_faces-styleinv")
        assert "rule evaluate" in text and "rule train" not in text
        method.write_text(original)
        call(done, "python", "workflow/scripts/dvc_sync.py", "restore")
        assert "up to date" in call(done, "dvc", "status")
        assert "Nothing to be done" in call(done, "snakemake", "demo", "--profile", "profiles/demo")
    finally:
        method.write_text(original)


@pytest.mark.slow
def test_an_edited_parameter_reruns_what_depends_on_it(done: Path) -> None:
    file = done / "config/methods/styleinv.yaml"
    original = file.read_text()
    try:
        file.write_text(original.replace("lambda_recon: 10", "lambda_recon: 11"))
        assert "modified:           config/methods" in call(done, "dvc", "status")
        # DVC's own way, and Snakemake's.
        call(done, "dvc", "repro", "--single-item", "settings")
        status = call(done, "dvc", "status")
        plan = call(done, "snakemake", "demo", "-n", "--profile", "profiles/demo")
        assert "rule train_styleinv" in plan and "rule evaluate" in plan
        assert "rule train_stylegan2" not in plan and "rule train_inversion" not in plan
        assert "train-talking_faces-styleinv" in status and "train-talking_faces-inversion" not in status
    finally:
        file.write_text(original)
        assert "Nothing to be done" in call(done, "snakemake", "demo", "--profile", "profiles/demo")
        call(done, "dvc", "repro", "--single-item", "settings")
        assert "up to date" in call(done, "dvc", "status")


@pytest.mark.slow
def test_killed_three_times_it_ends_in_the_same_table(done: Path, tmp_path: Path) -> None:
    folder = clone(tmp_path)
    demo = [sys.executable, "workflow/scripts/demo.py"]
    rng = random.Random(7)
    for _ in range(3):
        process = subprocess.Popen(
            demo, cwd=folder, env=environment(), start_new_session=True, stdout=subprocess.DEVNULL
        )
        time.sleep(rng.uniform(8, 25))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if (folder / TABLE).exists():
            break
    call(folder, *demo)
    assert (folder / TABLE).read_text() == (done / TABLE).read_text()


@pytest.mark.slow
def test_a_second_clone_pulls_and_has_nothing_to_do(done: Path, tmp_path: Path) -> None:
    call(done, "dvc", "remote", "add", "--force", "--default", "shelf", str(tmp_path / "shelf"))
    call(done, "dvc", "push")
    call(done, "git", "add", "-A")
    call(done, "git", "commit", "-qm", "done", "--allow-empty")
    second = tmp_path / "second"
    call(tmp_path, "git", "clone", "-q", str(done), str(second))
    assert not (second / "results/talking_faces/styleinv/model.safetensors").exists()
    call(second, "dvc", "pull")
    assert "restored" in call(second, "python", "workflow/scripts/dvc_sync.py", "restore")
    assert "Nothing to be done" in call(second, "snakemake", "demo", "--profile", "profiles/demo", "--no-hooks")
    assert (second / TABLE).read_text() == (done / TABLE).read_text()
    # An edited parameter is named by the tools that compare.
    scale = second / "config/tiny.yaml"
    scale.write_text(
        scale.read_text().replace("motion_z_distance: 8, time_dim: 8", "motion_z_distance: 4, time_dim: 8")
    )
    assert "motion_z_distance" in call(second, "dvc", "params", "diff")
    assert "train_styleinv" in planned(second)
    assert "fvd16" in call(second, "dvc", "metrics", "show")
    assert "index.html" in call(second, "dvc", "plots", "show", "-o", str(tmp_path / "plots"))


@pytest.mark.slow
def test_figures_of_the_runs_at_hand(done: Path) -> None:
    """The last one that looks at what has run: it makes more files."""
    said = call(done, "snakemake", "figures", "--profile", "profiles/demo")
    at_hand = ("figure2", "figure6", "figure_s1", "figure_s2")
    for name in at_hand:
        assert f"results/figures/{name}.png: " in said
    assert "figure8: lacks talking_faces_ffhq/stylegan2 and " in said and "Run `snakemake figure8`." in said
    record = json.loads((done / "results/figures/figure6.json").read_text())
    methods = [f"talking_faces/{name}" for name in ("styleinv", "stylegan_v", "digan", "mocogan_hd", "long_video_gan")]
    assert list(record["runs"]) == methods
    assert [(row.get("run"), row["seed"]) for row in record["rows"]] == [
        (run, seed) for seed in (0, 1) for run in (None, *methods)
    ]
    assert all(row["frames"] == list(range(0, 128, 16)) for row in record["rows"] if "run" in row)
    # By its name a figure is a stage as any other.
    assert "Nothing to be done" in call(done, "snakemake", *at_hand, "--profile", "profiles/demo", "--no-hooks")
    assert "figure6:" in (done / "dvc.yaml").read_text() and "up to date" in call(done, "dvc", "status")
    assert "DVC and Snakemake agree on" in call(done, "python", "workflow/scripts/dvc_sync.py", "check")


def test_the_dag_of_the_whole_paper_builds_in_seconds(tmp_path: Path) -> None:
    """Four data sets, five methods, the variants of tables 2 and 3, the noise pairs."""
    folder = clone(tmp_path)
    names = ("deeperforensics", "faceforensics", "taichi", "sky")
    for name in names:
        shutil.copy(folder / "config/datasets/talking_faces.yaml", folder / f"config/datasets/{name}.yaml")
    text, seconds = timed(folder, "all", "-n", "--quiet", "rules", "--config", f"datasets=[{','.join(names)}]")
    assert seconds < 5 * 2  # twice the promise, as processors differ
    counts = {
        row.split()[0]: int(row.split()[1])
        for row in text.splitlines()
        if len(row.split()) == 2 and row.split()[1].isdigit()
    }
    assert counts["train_styleinv"] >= 10 and counts["train_long_video_gan"] == 4 and counts["total"] > 80, text
