"""The shipped profile on a real Slurm, through what happens to jobs there."""

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from mlflow import MlflowClient

from styleinv.files import read_json, sha256
from tests.training.test_distribution import difference
from tests.workflow.clone import call, clone

RUN = "results/talking_faces/stylegan2"
MODEL = f"{RUN}/model.safetensors"
STATE = f"{RUN}/state/latest.safetensors"
# Some ten seconds of training, long enough to be hit in the middle; four groups a step, for as many processes.
LONG = (
    "batch: 4, group_size: 2, total_kimg: 0.08, ema_kimg: 0.05, tick_kimg: 0.02",
    "batch: 8, group_size: 2, total_kimg: 0.24, ema_kimg: 0.05, tick_kimg: 0.08",
)
# The profile as it is, but for the patience that a test cannot have.
SNAKEMAKE = [
    "snakemake",
    "--profile",
    "slurm",
    "--latency-wait",
    "5",
    "--slurm-init-seconds-before-status-checks",
    "1",
]
# Seconds after which something hangs, however busy the machine is.
PATIENCE = 1200
# Nine trainings at once on few cores: a thread for each.
ONE_THREAD = ["--set-threads", "train_stylegan2=1"]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone whose data are there."""
    folder = clone(tmp_path_factory.mktemp("study"))
    scale = folder / "config/tiny.yaml"
    scale.write_text(scale.read_text().replace(*LONG, 1))
    call(folder, "snakemake", "--cores", "1", "--no-hooks", "results/data/talking_faces/frames.zip")
    return folder


class Job:
    """A Snakemake that trains through Slurm."""

    def __init__(self, folder: Path, cluster: dict[str, str], *options: str):
        self.folder, self.cluster = folder, cluster
        self.process = self.start(*options)

    def start(self, *options: str) -> subprocess.Popen:
        threads = [] if "--set-threads" in options else ONE_THREAD
        command = [*SNAKEMAKE, "--no-hooks", *threads, *options, "--", MODEL]
        return subprocess.Popen(
            command, cwd=self.folder, env=self.cluster, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def slurm(self, *words: str) -> str:
        return subprocess.run(words, env=self.cluster, check=True, capture_output=True, text=True).stdout

    def running(self) -> str:
        """The job's id, once its training has saved something."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.process.communicate()[0][-3000:]
            rows = [row.split(maxsplit=1) for row in self.slurm("squeue", "-h", "-t", "R", "-o", "%i %Z").splitlines()]
            mine = [number for number, place in rows if Path(place) == self.folder]
            if mine and (self.folder / STATE).exists():
                return mine[-1]
            time.sleep(0.1)
        raise TimeoutError("no job runs")

    def ended(self, code: int = 0) -> str:
        text, _ = self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == code, text[-4000:]
        return text


def processes(job: Job) -> list[psutil.Process]:
    """All that runs in a job's folder, but for the Snakemake that watches it; a job's own is `python -m snakemake`."""
    found = [p for p in psutil.process_iter(["cwd", "name"]) if p.info["cwd"] == str(job.folder)]
    return [p for p in found if p.info["name"] != "snakemake"]


def warn(job: Job) -> None:
    """What Slurm sends before the limit."""
    job.slurm("scancel", "--signal=USR1", job.running())


def limit(job: Job) -> None:
    job.slurm("scontrol", "update", f"jobid={job.running()}", "EndTime=now+1")


def cancel(job: Job) -> None:
    job.slurm("scancel", job.running())


def requeue(job: Job) -> None:
    job.slurm("scontrol", "requeue", job.running())


def kill_snakemake(job: Job) -> None:
    """Its job would go on alone; the documented cure ends it, unlocks and starts again."""
    number = job.running()
    job.process.send_signal(signal.SIGKILL)
    job.process.communicate()
    job.slurm("scancel", "--full", number)
    call(job.folder, "snakemake", "--unlock", env=job.cluster)
    job.process = job.start()


NODES = ("gpu=4", "nodes=2", "tasks=4", "tasks_per_gpu=1", "mpi=srun", "slurm_extra='--gpus-per-node=2'")
# More GPUs than one, by the options that ask for them, and how many processes that are.
SEVERAL: dict[str, tuple[list[str], int]] = {
    "two GPUs": (["--config", "gpus=2", "--set-threads", "train_stylegan2=2"], 2),
    "two nodes": (
        ["--set-resources", *(f"train_stylegan2:{word}" for word in NODES), "--set-threads", "train_stylegan2=4"],
        4,
    ),
}
# Without the warning that would let the job requeue itself.
UNWARNED = ["--set-resources", "train_stylegan2:slurm_extra='--nice=0'"]
# What happens to jobs that run at the same time.
EVENTS: dict[str, Callable[[Job], None] | None] = {
    "nothing": None,
    "two GPUs": None,
    "two nodes": None,
    "warn": warn,
    "limit": limit,
    "cancel": cancel,
    "requeue": requeue,
    "kill snakemake": kill_snakemake,
}


class Ended:
    """What became of a job."""

    def __init__(self, job: Job):
        text = job.ended()
        self.folder, self.text = job.folder, text
        self.submissions = len(re.findall("has been submitted", text))
        self.model = sha256(job.folder / MODEL)
        log = (job.folder / "results/logs/train/talking_faces/stylegan2.log").read_text()
        self.resumed = log.count("resuming at step")


def copy(study: Path, folder: Path) -> Path:
    shutil.copytree(study, folder, symlinks=True)
    return folder


@pytest.fixture(scope="module")
def ended(study: Path, cluster: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Ended]]:
    """Trainings side by side, each with its own fate."""
    folder = tmp_path_factory.mktemp("jobs")
    jobs: dict[str, Job] = {}
    try:
        for name in EVENTS:
            options = UNWARNED if name == "limit" else SEVERAL[name][0] if name in SEVERAL else []
            jobs[name] = Job(copy(study, folder / name.replace(" ", "_")), cluster, *options)
        for name, event in EVENTS.items():
            if event is not None:
                event(jobs[name])
        yield {name: Ended(job) for name, job in jobs.items()}
    finally:
        for job in jobs.values():
            job.process.kill()
        subprocess.run(["scancel", "--user", "root"], env=cluster, check=False)


@pytest.mark.parametrize(
    ("event", "submissions", "says"),
    [
        ("warn", 1, ""),
        ("limit", 2, "TIMEOUT"),
        ("cancel", 2, "CANCELLED"),
        ("requeue", 1, ""),
        ("kill snakemake", 1, ""),
    ],
)
def test_a_disturbed_job_goes_on_and_ends_in_the_same_bits(
    ended: dict[str, Ended], event: str, submissions: int, says: str
) -> None:
    job = ended[event]
    assert job.submissions == submissions and job.resumed == 1 and says in job.text
    assert job.model == ended["nothing"].model


@pytest.mark.parametrize("name", SEVERAL)
def test_every_gpu_has_a_process_and_all_train_what_one_trains(ended: dict[str, Ended], name: str) -> None:
    record = read_json(ended[name].folder / RUN / "provenance.json")
    assert (record["processes"], record["threads"]) == (SEVERAL[name][1], 1)
    # By rounding, which 30 steps of Adam amplify; tests/training/test_distribution.py looks closer.
    assert difference(ended["nothing"].folder / MODEL, ended[name].folder / MODEL) < 1e-2


def test_two_nodes_are_held(ended: dict[str, Ended], cluster: dict[str, str]) -> None:
    jobs = subprocess.run(["scontrol", "show", "jobs", "-o"], env=cluster, capture_output=True, text=True, check=True)
    several = [job for job in jobs.stdout.splitlines() if str(ended["two nodes"].folder) in job]
    assert len(several) == 1 and "NumNodes=2 " in several[0] and "NumTasks=4 " in several[0]


@pytest.fixture
def train(study: Path, cluster: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Job]]:
    """Start trainings in a folder of their own; what still runs afterwards is ended."""
    jobs: list[Job] = []
    folder = copy(study, tmp_path / "clone")

    def start(*options: str) -> Job:
        jobs.append(Job(folder, cluster, *options))
        return jobs[-1]

    yield start
    for job in jobs:
        job.process.kill()
    subprocess.run(["scancel", "--user", "root"], env=cluster, check=False)


def test_a_job_survives_preemption_and_the_loss_of_its_node(
    train: Callable[..., Job], ended: dict[str, Ended], cluster: dict[str, str]
) -> None:
    job = train()
    number = job.running()
    job.slurm("sbatch", "-p", "urgent", "-N", "2", "--exclusive", "--output=/dev/null", "--wrap", "sleep 3")
    for _ in range(600):
        if job.slurm("squeue", "-h", "-t", "R", "-p", "urgent", "-o", "%i").strip():
            break
        time.sleep(0.1)
    while job.slurm("squeue", "-h", "-t", "R", "-p", "urgent", "-o", "%i").strip():
        time.sleep(0.2)
    number = job.running()
    node = job.slurm("squeue", "-h", "-j", number, "-o", "%N").strip()
    try:
        job.slurm("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
        for process in processes(job):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        assert Ended(job).model == ended["nothing"].model
    finally:
        # It may have come back by itself.
        subprocess.run(["scontrol", "update", f"nodename={node}", "state=resume"], env=cluster, check=False)


def test_a_second_snakemake_is_refused(train: Callable[..., Job]) -> None:
    job = train()
    job.running()
    text = call(job.folder, *SNAKEMAKE, "--no-hooks", "--", MODEL, code=1, env=job.cluster)
    assert "cannot be locked" in text
    job.process.kill()


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


def test_bad_input_is_submitted_once(study: Path, cluster: dict[str, str], tmp_path: Path) -> None:
    """Found when the job runs: what it is told is right, what it reads is not."""
    folder = copy(study, tmp_path / "clone")
    frames = folder / "results/data/talking_faces/frames.zip"
    frames.write_bytes(frames.read_bytes()[:1000])
    text = call(folder, *SNAKEMAKE, *ONE_THREAD, "--", MODEL, code=1, env=cluster)
    assert re.search(r"stylegan2.history.log: Slurm job \d+: FAILED, NonZeroExitCode, exit 1:0, on node[12], 00:", text)
    assert text.count("has been submitted") == 1 and "frames.zip" in text and "--- exit 2" in text, text[-3000:]


STUDY = ("methods=[stylegan_v,digan]", "seeds=[0,1]")
ONE_EACH = ("train_digan=1", "train_stylegan_v=1")
RUNS = ["digan", "digan-seed1", "stylegan_v", "stylegan_v-seed1"]


@pytest.fixture(scope="module")
def finished(cluster: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone whose study of two methods and two seeds has gone through Slurm, each stage a job of its own."""
    folder = clone(tmp_path_factory.mktemp("finished"))
    own = cluster | {"WARM_STEPS": "1"}
    call(folder, *SNAKEMAKE, "demo", "--set-threads", *ONE_EACH, "--config", *STUDY, env=own)
    return folder


def test_the_dag(finished: Path, cluster: dict[str, str]) -> None:
    table = (finished / "results/tables/table1.csv").read_text().splitlines()
    assert sorted(line.split(",")[1] for line in table[1:]) == ["digan", "stylegan_v"]
    assert "(n = 2)" in (finished / "results/tables/table1.md").read_text()
    for name in RUNS:
        assert read_json(finished / f"results/talking_faces/{name}/provenance.json")["seed"] == int("seed1" in name)
    jobs = subprocess.run(
        ["scontrol", "show", "jobs", "-o"], env=cluster, capture_output=True, text=True, check=True
    ).stdout
    mine = [line for line in jobs.splitlines() if f"WorkDir={finished} " in f"{line} "]
    counts = {"crop": 1, "train_stylegan_v": 2, "train_digan": 2, "evaluate": 4}
    for rule, count in counts.items():
        lines = [line for line in mine if f"rule_{rule}_" in line]
        assert len(lines) == count, mine
        assert all(("gres:gpu" in line) == (rule != "crop") for line in lines), lines
    assert not [line for line in mine if "rule_fetch" in line]


def test_watch_shows_a_study_that_ran_through_slurm(finished: Path) -> None:
    shown = call(finished, "styleinv", "watch", "--once")
    found = re.search(r"(\d+) of (\d+) jobs done; done after", shown)
    assert found and int(found[1]) == int(found[2]) > 10, shown


def test_the_study_is_there_in_another_clone_with_nothing_to_do(
    finished: Path, cluster: dict[str, str], tmp_path: Path
) -> None:
    behind = [line for line in call(finished, "dvc", "status").splitlines() if not line.startswith("\t")]
    assert behind and not [line for line in behind if "digan" in line or "stylegan_v" in line or "table1" in line]
    call(finished, "dvc", "remote", "add", "--default", "shelf", str(tmp_path / "shelf"))
    call(finished, "dvc", "push")
    call(finished, "git", "add", "-A")
    call(finished, "git", "commit", "-qm", "done")
    second = tmp_path / "second"
    call(tmp_path, "git", "clone", "-q", str(finished), str(second))
    call(second, "dvc", "pull", "--allow-missing")  # dvc.yaml has the demo's other methods too
    call(second, "python", "workflow/scripts/dvc_sync.py", "restore")
    text = call(second, *SNAKEMAKE, "demo", "--no-hooks", "--config", *STUDY, env=cluster)
    assert "Nothing to be done" in text
    for name in ("results/tables/table1.csv", *(f"results/talking_faces/{name}/model.safetensors" for name in RUNS)):
        assert sha256(second / name) == sha256(finished / name)
    call(second, "styleinv", "verify")
    call(second, "styleinv", "track")
    client = MlflowClient(tracking_uri=f"sqlite:///{second / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("talking_faces")
    trained = client.search_runs([experiment.experiment_id], "tags.stage = 'train'")
    seen = {run.info.run_name: run.data for run in trained}
    assert {f"{name}/train" for name in RUNS} <= set(seen)
    for name in RUNS:
        assert seen[f"{name}/train"].params["seed"] == str(int("seed1" in name))
    scored = client.search_runs([experiment.experiment_id], "tags.stage = 'evaluate'")
    assert len(scored) == 4 and all(run.data.metrics["fid"] >= 0 for run in scored)
