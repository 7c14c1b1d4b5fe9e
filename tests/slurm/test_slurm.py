"""The shipped profile on a real Slurm, through what happens to jobs there."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from styleinv.files import read_json, sha256
from tests.workflow.clone import call, clone

RUN = "results/talking_faces/stylegan2"
MODEL = f"{RUN}/model.safetensors"
STATE = f"{RUN}/state/latest.safetensors"
# Some ten seconds of training: long enough to be hit in the middle.
LONG = "total_kimg: 0.08, ema_kimg: 0.05, tick_kimg: 0.02", "total_kimg: 0.48, ema_kimg: 0.05, tick_kimg: 0.12"
# The profile as it is, but for the patience that a test cannot have.
SNAKEMAKE = ["snakemake", "--profile", "slurm", "--latency-wait", "5", "--slurm-init-seconds-before-status-checks", "1"]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone whose data are there."""
    folder = clone(tmp_path_factory.mktemp("study"))
    scale = folder / "config/tiny.yaml"
    scale.write_text(scale.read_text().replace(*LONG, 1))
    call(folder, "snakemake", "--cores", "1", "--no-hooks", "results/data/talking_faces/frames.zip")
    return folder


@pytest.fixture(scope="module")
def reference(study: Path, cluster: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The hash of the model of an undisturbed job."""
    folder = tmp_path_factory.mktemp("reference") / "clone"
    shutil.copytree(study, folder, symlinks=True)
    call(folder, *SNAKEMAKE, "--no-hooks", MODEL, env=cluster)
    return sha256(folder / MODEL)


class Job:
    """A Snakemake that trains through Slurm."""

    def __init__(self, folder: Path, cluster: dict[str, str], *options: str):
        self.folder, self.cluster = folder, cluster
        self.process = self.start(*options)

    def start(self, *options: str) -> subprocess.Popen:
        command = [*SNAKEMAKE, "--no-hooks", *options, "--", MODEL]
        return subprocess.Popen(
            command, cwd=self.folder, env=self.cluster, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def slurm(self, *words: str) -> str:
        return subprocess.run(words, env=self.cluster, check=True, capture_output=True, text=True).stdout

    def running(self) -> str:
        """The job's id, once its training has saved something."""
        for _ in range(900):
            assert self.process.poll() is None, self.process.communicate()[0][-3000:]
            rows = [row.split(maxsplit=1) for row in self.slurm("squeue", "-h", "-t", "R", "-o", "%i %Z").splitlines()]
            mine = [number for number, place in rows if Path(place) == self.folder]
            if mine and (self.folder / STATE).exists():
                return mine[-1]
            time.sleep(0.1)
        raise TimeoutError("no job runs")

    def ended(self, code: int = 0) -> str:
        text, _ = self.process.communicate(timeout=400)
        assert self.process.returncode == code, text[-4000:]
        return text


@pytest.fixture
def train(study: Path, cluster: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Job]]:
    """Start trainings in a folder of their own; what still runs afterwards is ended."""
    jobs: list[Job] = []
    folder = tmp_path / "clone"
    shutil.copytree(study, folder, symlinks=True)

    def start(*options: str) -> Job:
        jobs.append(Job(folder, cluster, *options))
        return jobs[-1]

    yield start
    for job in jobs:
        job.process.kill()
    subprocess.run(["scancel", "--user", "root"], env=cluster, check=False)


def submissions(text: str) -> int:
    return len(re.findall("has been submitted", text))


def resumed(folder: Path) -> int:
    return (folder / "results/logs/train/talking_faces/stylegan2.log").read_text().count("resuming at step")


def test_a_warning_before_the_limit_saves_and_requeues(train: Callable[..., Job], reference: str) -> None:
    job = train()
    number = job.running()
    job.slurm("scancel", "--signal=USR1", number)
    text = job.ended()
    assert submissions(text) == 1 and resumed(job.folder) == 1
    assert sha256(job.folder / MODEL) == reference


def test_a_job_that_reaches_its_limit_is_retried(train: Callable[..., Job], reference: str) -> None:
    """Slurm looks at limits twice a minute; a training that stands still then cannot even save."""
    job = train()
    job.slurm("scontrol", "update", f"jobid={job.running()}", "EndTime=now+1")
    for process in psutil.process_iter(["cwd", "cmdline"]):
        if process.info["cwd"] == str(job.folder) and "train" in (process.info["cmdline"] or []):
            process.suspend()
    text = job.ended()
    assert submissions(text) == 2 and resumed(job.folder) == 1
    assert sha256(job.folder / MODEL) == reference


def test_a_cancelled_job_is_retried(train: Callable[..., Job], reference: str) -> None:
    job = train()
    job.slurm("scancel", job.running())
    text = job.ended()
    assert "CANCELLED" in text and submissions(text) == 2 and resumed(job.folder) == 1
    assert sha256(job.folder / MODEL) == reference


def test_a_preempted_job_goes_on(train: Callable[..., Job], reference: str) -> None:
    job = train()
    job.running()
    job.slurm("sbatch", "-p", "urgent", "-N", "2", "--exclusive", "--output=/dev/null", "--wrap", "sleep 8")
    job.ended()
    assert resumed(job.folder) == 1 and sha256(job.folder / MODEL) == reference


def test_a_requeued_job_goes_on(train: Callable[..., Job], reference: str) -> None:
    job = train()
    job.slurm("scontrol", "requeue", job.running())
    text = job.ended()
    assert submissions(text) == 1 and resumed(job.folder) == 1
    assert sha256(job.folder / MODEL) == reference


def test_a_job_moves_on_when_its_node_dies(train: Callable[..., Job], reference: str, cluster: dict[str, str]) -> None:
    job = train()
    node = job.slurm("squeue", "-h", "-j", job.running(), "-o", "%N").strip()
    try:
        job.slurm("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
        job.ended()
    finally:
        # It may have come back by itself.
        subprocess.run(["scontrol", "update", f"nodename={node}", "state=resume"], env=cluster, check=False)
    assert resumed(job.folder) == 1 and sha256(job.folder / MODEL) == reference


def test_a_killed_snakemake_is_picked_up(train: Callable[..., Job], reference: str) -> None:
    """Its job goes on alone; whoever starts again too soon is told so by the run's lock, and tries again."""
    job = train()
    number = job.running()
    job.process.send_signal(signal.SIGKILL)
    job.process.communicate()
    call(job.folder, "snakemake", "--unlock", env=job.cluster)
    job.slurm("scancel", "--full", number)
    again = train()
    again.ended()
    assert sha256(job.folder / MODEL) == reference


def test_a_second_snakemake_is_refused(train: Callable[..., Job]) -> None:
    job = train()
    job.running()
    text = call(job.folder, *SNAKEMAKE, "--no-hooks", "--", MODEL, code=1, env=job.cluster)
    assert "cannot be locked" in text
    job.process.kill()


def test_two_nodes_train_one_run(train: Callable[..., Job], reference: str) -> None:
    resources = "train_stylegan2:gpu=2,train_stylegan2:nodes=2,train_stylegan2:tasks=2,train_stylegan2:mpi=srun"
    job = train("--set-resources", *resources.split(","))
    job.ended()
    assert read_json(job.folder / RUN / "provenance.json")["processes"] == 2
    nodes = re.findall(r"NumNodes=(\d+)", job.slurm("scontrol", "show", "jobs", "-o"))
    assert "2" in nodes


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--default-resources", "slurm_partition=nowhere", "mem=1GB"), "invalid partition"),
        (("--set-resources", "train_stylegan2:gpu=99"), "not available"),
    ],
)
def test_what_the_cluster_cannot_give_is_said(train: Callable[..., Job], options: tuple[str, ...], says: str) -> None:
    text = train("--retries", "0", *options).ended(1)
    assert any(says in line.lower() for line in text.splitlines()), text[-3000:]


def test_the_whole_dag(study: Path, cluster: dict[str, str], tmp_path: Path) -> None:
    folder = clone(tmp_path)
    call(folder, *SNAKEMAKE, "demo", env=cluster)
    assert (folder / "results/tables/table1.csv").read_text().count("\n") == 6
    jobs = subprocess.run(
        ["scontrol", "show", "jobs", "-o"], env=cluster, capture_output=True, text=True, check=True
    ).stdout
    mine = [line for line in jobs.splitlines() if f"WorkDir={folder} " in f"{line} "]
    gpus = {rule: [line for line in mine if f"rule_{rule}" in line] for rule in ("fetch", "crop", "train_styleinv")}
    assert all(len(lines) == 1 for lines in gpus.values()), mine
    for rule, (line,) in gpus.items():
        assert ("gres:gpu" in line) == (rule == "train_styleinv"), line
    assert "up to date" in call(folder, "dvc", "status")
    assert os.path.exists(folder / "mlflow.db")
