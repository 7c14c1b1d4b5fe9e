"""What keeps every job from running is said in one line, before the first one."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.workflow.clone import call, clone, environment


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clone(tmp_path_factory.mktemp("project"))


def last_line(text: str) -> str:
    return text.strip().splitlines()[-1]


def test_no_slurm(project: Path, tmp_path: Path) -> None:
    tools = ("bash", "sh", "git", "which", "uname")
    for name in tools:
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    own = environment()
    own["PATH"] = os.pathsep.join([own["PATH"].split(os.pathsep)[0], str(tmp_path)])
    text = call(project, "snakemake", "demo", "--profile", "slurm", code=1, env=own)
    assert last_line(text).startswith("--profile slurm: there is no Slurm here")
    # The lock is gone: the next call runs.
    assert "total" in call(project, "snakemake", "demo", "-n", "--profile", "slurm", env=own)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--default-resources", "slurm_partition=nowhere"), "slurm_partition nowhere: this cluster has no such name"),
        (("--set-resources", "crop:slurm_partition=nowhere"), "Known: cpu, gpu. Correct profiles/slurm/profile.yaml."),
        (
            ("--default-resources", "slurm_partition=gpu", "slurm_account=them"),
            "slurm_account them: this cluster has no",
        ),
    ],
)
def test_names_that_the_cluster_does_not_have_are_refused_once(
    project: Path, tmp_path: Path, options: tuple[str, ...], says: str
) -> None:
    """By stand-ins for Slurm's commands; tests/slurm has the real ones."""
    for name, prints in (("sbatch", "exit 1"), ("sinfo", "echo gpu; echo cpu"), ("sacctmgr", "echo mine")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{prints}\n")
        (tmp_path / name).chmod(0o755)
    own = environment()
    own["PATH"] = f"{tmp_path}{os.pathsep}{own['PATH']}"
    text = call(project, "snakemake", "demo", "--profile", "slurm", *options, code=1, env=own)
    assert says in last_line(text) and "rule fetch" not in text


def test_logs_keep_every_attempt(project: Path) -> None:
    """Snakemake empties a log before each; the history beside it does not."""
    raw, log = project / "results/data/talking_faces/raw", project / "results/logs/fetch/talking_faces.log"
    raw.parent.mkdir(parents=True)
    raw.write_text("in the way")
    for code in (1, 0):
        call(project, "snakemake", "--cores", "1", "--no-hooks", f"{raw.relative_to(project)}.json", code=code)
        raw.unlink(missing_ok=True) if code else None
    history = log.with_suffix(".history.log").read_text()
    heads = [line for line in history.splitlines() if re.match("--- .* attempt ", line)]
    assert [head.split()[-2:] for head in heads] == [["attempt", "1"], ["attempt", "2"]]
    refused = "raw: is no folder, and in the place of one"
    assert refused in history.split("attempt 2")[0] and refused not in log.read_text()
    shutil.rmtree(project / "results/data")


def test_bad_input_is_not_tried_again(project: Path) -> None:
    """Any other end is, also one that has said nothing (a job that was killed)."""
    videos = project / "videos"
    videos.mkdir()
    (project / "config/datasets/mine.yaml").write_text(
        f"title: Mine\nsource: {{type: folder, path: {videos}}}\ncrop: {{type: centre}}\nresolution: 32\n"
    )
    target, log = "results/data/mine/raw.json", project / "results/logs/fetch/mine.log"
    words = ("snakemake", "--cores", "1", "--no-hooks", "--retries", "2", target)
    text = call(project, *words, code=1)
    assert "--- exit 2" in log.read_text() and "Trying to restart" not in text
    raw = project / "results/data/mine/raw"
    shutil.rmtree(raw, ignore_errors=True)
    own = environment()
    (project / "bin").mkdir()
    (project / "bin/styleinv").write_text("#!/bin/sh\nkill -9 $$\n")
    (project / "bin/styleinv").chmod(0o755)
    # The Snakefile puts its own environment's commands first; a job's shell can still have others.
    own["BASH_ENV"] = str(project / "bin/env")
    (project / "bin/env").write_text(f"PATH={project / 'bin'}:$PATH\n")
    text = call(project, *words, code=1, env=own)
    assert text.count("Trying to restart") == 2


def test_trainings_ask_for_what_was_measured_of_them_and_are_warned(project: Path) -> None:
    """Up to the profile's time limit; others ask for what the profile says, and only trainings are warned of it."""
    costs = project / "results/tables/cost.csv"
    costs.parent.mkdir(parents=True)
    rows = ("stylegan2,0.125,4", "inversion,40,2.1", "styleinv,0.125,")
    table = [f"tiny,talking_faces/{row}" for row in rows]
    # What another scale takes says nothing of this one.
    other = [f"paper,talking_faces/{row.partition(',')[0]},9,9" for row in rows]
    costs.write_text("\n".join(["scale,stage,days,host_gb", *table, *other, ""]))
    words = ("snakemake", "results/tables/table1.csv", "-n", "--profile", "slurm", "--config", "methods=[styleinv]")
    text = call(project, *words)
    asked = {}
    for rule, resources in re.findall(r"^rule (\w+):.*?resources: (.*?)$", text, re.MULTILINE | re.DOTALL):
        asked[rule] = dict(pair.partition("=")[::2] for pair in resources.split(", "))
    costs.unlink()
    limits = {rule: (int(said["runtime"]), said["mem"]) for rule, said in asked.items()}
    day = 24 * 60
    assert limits["train_stylegan2"] == (225 + 30, "6 GB") and limits["train_inversion"] == (day, "4 GB")
    assert limits["train_styleinv"] == (225 + 30, "32 GB") and limits["evaluate"] == (day, "32 GB")
    warned = {rule for rule, said in asked.items() if "--signal=USR1@300" in said["slurm_extra"]}
    assert warned == {"train_stylegan2", "train_inversion", "train_styleinv"}
    assert all("--open-mode=append" in said["slurm_extra"] for said in asked.values())


def test_results_is_no_folder(project: Path) -> None:
    (project / "results").rename(project / "results-away")  # a dry run has written what stages are told
    (project / "results").write_text("")
    try:
        text = call(project, "snakemake", "demo", "--profile", "profiles/demo", code=1)
        assert last_line(text) == "results: is not a folder. Move it away."
    finally:
        (project / "results").unlink()
        (project / "results-away").rename(project / "results")


def test_results_cannot_be_written(project: Path) -> None:
    results = project / "results"
    results.mkdir(exist_ok=True)
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", results]).returncode:
        pytest.skip("needs the right to mount")
    try:
        text = call(project, "snakemake", "demo", "--profile", "profiles/demo", code=1)
        assert last_line(text).startswith(f"{results}: cannot be written.")
        text = call(project, "styleinv", "fetch", "talking_faces", "--config", "config/tiny.yaml", code=2)
        assert last_line(text).startswith("styleinv: ") and "cannot be written" in text
    finally:
        subprocess.run(["umount", results], check=True)


@pytest.mark.slow
def test_an_absent_dvc_remote_is_said_and_loses_nothing(project: Path) -> None:
    (project / "results/data/talking_faces").mkdir(parents=True, exist_ok=True)
    call(project, "snakemake", "--cores", "1", "--no-hooks", "results/data/talking_faces/raw.json")
    call(project, "python", "workflow/scripts/dvc_sync.py", "record")
    call(project, "dvc", "remote", "add", "--force", "--default", "shelf", "/proc/nowhere")
    text = call(project, "dvc", "push", code=255)
    assert "ERROR" in text and "Traceback" not in text
    assert "up to date" in call(project, "dvc", "status", "fetch-talking_faces")
