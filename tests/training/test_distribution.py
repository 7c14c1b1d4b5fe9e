"""Two processes (gloo, CPU) train what one process trains; the end of one ends the other.

Every method is held to one tolerance, running statistics and the mean of path lengths included: processes share the
groups of a step, and what a group draws, normalises by and leaves behind does not depend on who computes it.
Synchronised BatchNorm is the exception: it takes one group of every process, so that one process with groups of twice
the size is the same.
"""

import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from styleinv.files import sha256
from styleinv.paths import Paths
from styleinv.runs import parse_run
from styleinv.stages.crop import crop
from styleinv.stages.fetch import fetch
from styleinv.stages.prepare import prepare_all
from styleinv.stages.setting import Setting
from styleinv.stages.train import train
from styleinv.training.distribution import World
from tests.project import CHAIN, ROOT, TINY, make_project
from tests.workflow.clone import environment as shell

# Two groups a step, in every method.
SCALE = TINY.replace("batch: 4, group_size: 4", "batch: 4, group_size: 2")
SYNCHRONISED = SCALE.replace("  inversion:\n", "  inversion:\n    sync_batchnorm: true\n")
WHOLE = SCALE.replace("batch: 4, group_size: 2", "batch: 4, group_size: 4")
STATISTICS = ("w_avg", "running_mean", "running_var", "magnitude_ema")
FOUR = SCALE.replace("batch: 4, group_size: 2", "batch: 8, group_size: 2")
AT_ONCE = SCALE.replace("batch: 4, group_size: 2", "batch: 8, group_size: 2, groups_at_once: 2")
LONG = SCALE.replace("total_kimg: 0.08", "total_kimg: 80")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    """The data and the stages that others build on, trained by one process."""
    folder = make_project(tmp_path_factory.mktemp("distributed"), SCALE)
    (folder / "config/long.yaml").write_text(LONG)
    (folder / "config/synchronised.yaml").write_text(SYNCHRONISED)
    (folder / "config/whole.yaml").write_text(WHOLE)
    (folder / "config/four.yaml").write_text(FOUR)
    (folder / "config/at_once.yaml").write_text(AT_ONCE)
    setting = Setting(folder / "config/tiny.yaml", Paths(folder / "results"))
    fetch("talking_faces", setting)
    crop("talking_faces", setting)
    for method in ("stylegan2", "inversion", "long_video_gan_lr"):
        prepare_all(parse_run(f"talking_faces/{method}"), setting)
        train(parse_run(f"talking_faces/{method}"), setting)
    prepare_all(parse_run("talking_faces/mocogan_hd"), setting)
    return setting


class Job:
    """A run started as some processes in a folder of its own."""

    def __init__(
        self,
        study: Setting,
        folder: Path,
        run: str,
        size: int,
        scale: str = "tiny",
        python: str = "python",
        **environment: str,
    ):
        self.python = python
        self.results, self.folder, self.run = folder / "results", folder, run
        if not self.results.exists():
            shutil.copytree(study.paths.root, self.results)
            for file in (self.results / run).glob("*"):
                if file.name != "pca.safetensors":
                    shutil.rmtree(file) if file.is_dir() else file.unlink()
        scale_file = study.config.with_name(f"{scale}.yaml")
        self.command = ["train", run, "--config", str(scale_file), "--results", str(self.results)]
        self.environment = shell() | {"BATCHES": str(folder / "batches")} | environment
        with socket.socket() as free:
            free.bind(("localhost", 0))
            port = str(free.getsockname()[1])
        ranks = [{"RANK": str(r), "WORLD_SIZE": str(size), "MASTER_ADDR": "localhost"} for r in range(size)]
        self.processes = [self.start({**rank, "MASTER_PORT": port} if size > 1 else {}) for rank in ranks]

    def start(self, environment: dict[str, str], *launcher: str) -> subprocess.Popen:
        return subprocess.Popen(
            [self.python, *launcher, "-m", "tests.training.worker", *self.command],
            env=self.environment | environment,
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for_step(self) -> None:
        """Until a first checkpoint shows that all have stepped."""
        deadline = time.monotonic() + 300
        while not (self.results / self.run / "state/latest.safetensors").exists():
            assert time.monotonic() < deadline and all(p.poll() is None for p in self.processes)
            time.sleep(0.02)

    def finish(self) -> None:
        for process in self.processes:
            _, stderr = process.communicate(timeout=600)
            assert process.returncode == 0, stderr

    def stop(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()

    @property
    def model(self) -> Path:
        return self.results / self.run / "model.safetensors"

    def batches(self) -> list[str]:
        """`<step> <group> <hash>` over all processes."""
        return sorted(line for file in self.folder.glob("batches-*") for line in file.read_text().splitlines())


@pytest.fixture
def jobs() -> Iterator[list[Job]]:
    """Jobs to be ended whatever the test's outcome."""
    started: list[Job] = []
    yield started
    for job in started:
        job.stop()


def difference(a: Path, b: Path, statistics: bool = False) -> float:
    """The largest relative difference of a network's weights, or of its running statistics.

    Networks are compared as wholes: what has no effect, such as a bias before a normalisation, follows rounding alone.
    """
    left, right = load_file(a), load_file(b)
    assert left.keys() == right.keys()
    squares: dict[str, list[float]] = {}
    for name in left:
        if name.endswith(STATISTICS) == statistics and left[name].is_floating_point():
            sums = squares.setdefault(name.split(".")[0], [0.0, 0.0])
            sums[0] += float((left[name] - right[name]).square().sum())
            sums[1] += float(left[name].square().sum())
    return max(((change / whole) ** 0.5 for change, whole in squares.values()), default=0.0)


def curves(model: Path) -> pd.DataFrame:
    return pd.read_csv(model.with_name("curves.csv")).drop(columns="seconds")


@pytest.mark.slow
@pytest.mark.parametrize("method", CHAIN)
def test_two_processes_train_what_one_trains(study: Setting, tmp_path: Path, jobs: list[Job], method: str) -> None:
    run = f"talking_faces/{method}"
    for size in (1, 2):
        jobs.append(Job(study, tmp_path / str(size), run, size))
        jobs[-1].finish()
    one, two = jobs
    assert one.batches() == two.batches() and len(one.batches()) == 40
    assert all((two.folder / f"batches-{rank}").read_text().count("\n") == 20 for rank in (0, 1))
    assert difference(one.model, two.model) < 1e-4
    assert difference(one.model, two.model, statistics=True) < 1e-3
    left, right = load_file(one.model), load_file(two.model)
    assert all(torch.equal(left[name], right[name]) for name in left if name.endswith("num_batches_tracked"))
    pd.testing.assert_frame_equal(curves(one.model), curves(two.model), rtol=0.02, atol=1e-4)


@pytest.mark.slow
def test_two_processes_take_two_groups_at_once(study: Setting, tmp_path: Path, jobs: list[Job]) -> None:
    """Running statistics of BatchNorm move in the order of all groups."""
    for size, scale in ((1, "four"), (2, "at_once")):
        jobs.append(Job(study, tmp_path / scale, "talking_faces/inversion", size, scale))
        jobs[-1].finish()
    one, two = jobs
    assert one.batches() == two.batches() and len(one.batches()) == 40
    assert difference(one.model, two.model) < 1e-4
    assert difference(one.model, two.model, statistics=True) < 1e-3
    left, right = load_file(one.model), load_file(two.model)
    assert all(torch.equal(left[name], right[name]) for name in left if name.endswith("num_batches_tracked"))


@pytest.mark.slow
def test_synchronised_batchnorm_makes_two_processes_one(study: Setting, tmp_path: Path, jobs: list[Job]) -> None:
    run = "talking_faces/inversion"
    for size, scale in ((1, "whole"), (2, "synchronised"), (2, "tiny")):
        jobs.append(Job(study, tmp_path / f"{scale}{size}", run, size, scale))
        jobs[-1].finish()
    one, two, apart = (load_file(job.model) for job in jobs)
    assert difference(jobs[0].model, jobs[1].model) < 1e-5 < difference(jobs[0].model, jobs[2].model)
    statistics = [name for name in one if name.startswith("pSp") and "running" in name]
    assert len(statistics) > 20
    for name in statistics:
        torch.testing.assert_close(two[name], one[name], rtol=1e-4, atol=1e-6)
    assert not all(torch.allclose(apart[name], one[name], rtol=1e-4, atol=1e-6) for name in statistics)


@pytest.mark.slow
def test_a_rank_that_dies_during_synchronisation_is_one_line(study: Setting, tmp_path: Path, jobs: list[Job]) -> None:
    (study.config.parent / "forever.yaml").write_text(SYNCHRONISED.replace("total_kimg: 0.08", "total_kimg: 80"))
    jobs.append(Job(study, tmp_path, "talking_faces/inversion", 2, "forever"))
    jobs[0].wait_for_step()
    jobs[0].processes[1].send_signal(signal.SIGKILL)
    assert "rank 0 of 2: lost contact" in ended(jobs[0].processes[0], 55)


@pytest.mark.slow
def test_torchrun_and_a_restart_after_kill_9_change_nothing(study: Setting, tmp_path: Path, jobs: list[Job]) -> None:
    """Bit by bit, path lengths, ADA and optimisers included."""
    jobs.append(Job(study, tmp_path / "plain", "talking_faces/stylegan2", 2))
    jobs[0].finish()
    jobs.append(Job(study, tmp_path / "killed", "talking_faces/stylegan2", 2))
    jobs[1].wait_for_step()
    jobs[1].stop()
    assert not jobs[1].model.exists()
    jobs.append(Job(study, tmp_path / "killed", "talking_faces/stylegan2", 0))
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    jobs[2].processes = [jobs[2].start({}, *launcher)]
    jobs[2].finish()
    assert sha256(jobs[0].model) == sha256(jobs[2].model)


@pytest.mark.slow
def test_the_command_starts_its_processes_itself(study: Setting, tmp_path: Path, jobs: list[Job]) -> None:
    """It gives what two processes give that were started by hand, stops on a signal, goes on, and fails in one line."""
    run = "talking_faces/digan"
    jobs.append(Job(study, tmp_path / "by_hand", run, 2))
    jobs[0].finish()
    jobs.append(Job(study, tmp_path / "itself", run, 0, "long"))
    jobs[1].command += ["--processes", "2"]
    jobs[1].processes = [jobs[1].start({})]
    jobs[1].wait_for_step()
    jobs[1].processes[0].send_signal(signal.SIGTERM)
    _, stderr = jobs[1].processes[0].communicate(timeout=600)
    assert jobs[1].processes[0].returncode == 75 and stderr.count("Run the same command to continue") == 1
    jobs.append(Job(study, tmp_path / "again", run, 0))
    jobs[2].command += ["--processes", "2"]
    jobs[2].processes = [jobs[2].start({})]
    jobs[2].finish()
    assert sha256(jobs[0].model) == sha256(jobs[2].model)
    jobs[2].command[-1] = "3"
    failed = jobs[2].start({})
    _, stderr = failed.communicate(timeout=600)
    assert failed.returncode == 2 and "2 groups of 2 samples cannot be shared by 3 processes" in stderr
    assert stderr.count("styleinv: ") == 1 and "Traceback" not in stderr


def ended(process: subprocess.Popen, seconds: float) -> str:
    """The last line of a process that has to fail within `seconds`."""
    started = time.monotonic()
    _, stderr = process.communicate(timeout=seconds)
    assert process.returncode == 1 and time.monotonic() - started < seconds, stderr
    assert "Traceback" not in stderr
    last = stderr.strip().splitlines()[-1]
    assert last.startswith("styleinv: rank ") and len(last) < 200, stderr
    return last


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_a_dead_rank_ends_the_other(study: Setting, tmp_path: Path, jobs: list[Job], victim: int) -> None:
    jobs.append(Job(study, tmp_path, "talking_faces/stylegan2", 2, "long"))
    jobs[0].wait_for_step()
    jobs[0].processes[victim].send_signal(signal.SIGKILL)
    other = 1 - victim
    assert f"rank {other} of 2: lost contact" in ended(jobs[0].processes[other], 55)


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_a_rank_that_hangs_ends_the_other(study: Setting, tmp_path: Path, jobs: list[Job], victim: int) -> None:
    """No connection breaks when a process stands still: only its missing heartbeat tells."""
    jobs.append(Job(study, tmp_path, "talking_faces/stylegan2", 2, "long", sys.executable, HEARTBEAT="0.5"))
    jobs[0].wait_for_step()
    jobs[0].processes[victim].send_signal(signal.SIGSTOP)
    other = 1 - victim
    line = ended(jobs[0].processes[other], 55)
    assert f"rank {other} of 2: no sign of life from rank {victim}" in line


@pytest.mark.slow
def test_a_rank_that_never_starts_is_missed(study: Setting, tmp_path: Path, jobs: list[Job]) -> None:
    jobs.append(Job(study, tmp_path, "talking_faces/stylegan2", 2, START="3"))
    jobs[0].processes[1].kill()
    assert "rank 0 of 2: cannot reach the other processes" in ended(jobs[0].processes[0], 30)


@pytest.mark.slow
def test_term_to_one_rank_stops_all_after_saving(study: Setting, tmp_path: Path, jobs: list[Job]) -> None:
    jobs.append(Job(study, tmp_path, "talking_faces/stylegan2", 2, "long", HEARTBEAT="0.5"))
    jobs[0].wait_for_step()
    jobs[0].processes[1].send_signal(signal.SIGTERM)
    for process in jobs[0].processes:
        _, stderr = process.communicate(timeout=600)
        assert process.returncode == 75 and "Run the same command to continue" in stderr


def test_a_single_process_exchanges_nothing() -> None:
    world = World("cpu")
    values = torch.tensor([1.0, 2.0])
    world.broadcast([values])
    world.average([values])
    world.leave()
    world.close()
    assert torch.equal(values, torch.tensor([1.0, 2.0])) and torch.equal(world.sum(values), values)
    assert (world.rank, world.size, world.any(3)) == (0, 1, 3) and world.exchange(2) == 2
