"""How an artefact came to be: provenance.json beside every stage's outputs."""

import getpass
import importlib.metadata
import os
import platform
import resource
import socket
import subprocess
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from styleinv.files import Hashes, sha256, write_json

PACKAGES = ("torch", "torchvision", "numpy", "styleinv")


class Recorder:
    """Times one stage and writes its provenance.

    Args:
        stage: name of the stage.
        run: what it worked on.
        config_hash: hash of its resolved configuration.
        inputs: files it read.
        hashes: where the hashes of inputs are kept; without it they are read whole.
    """

    def __init__(self, stage: str, run: str, config_hash: str, inputs: list[Path], hashes: Hashes | None = None):
        hash_of = hashes.of if hashes else sha256
        self.stage, self.run, self.config_hash = stage, run, config_hash
        self.inputs = {str(path): hash_of(path) for path in inputs}
        self.start, self.started = time.monotonic(), now()

    def write(self, path: Path, outputs: list[Path], device: str = "cpu", **extra: Any) -> None:
        """Write the record; `outputs` are hashed, `extra` is added as is."""
        commit, dirty = code_commit()
        gpu = torch.cuda.max_memory_allocated() if device.startswith("cuda") else 0
        record = {
            "stage": self.stage,
            "run": self.run,
            "commit": commit,
            "dirty": dirty,
            "config_hash": self.config_hash,
            "inputs": self.inputs,
            "outputs": {str(p): sha256(p) for p in outputs},
            "versions": {name: importlib.metadata.version(name) for name in PACKAGES}
            | {"python": platform.python_version()},
            "started": self.started,
            "ended": now(),
            "user": _user(),
            "threads": torch.get_num_threads(),
            "host": socket.gethostname(),
            "device": torch.cuda.get_device_name() if device.startswith("cuda") else platform.machine(),
            "job_id": os.environ.get("SLURM_JOB_ID"),
            "seconds": round(time.monotonic() - self.start, 1),
            "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
            "peak_gpu_memory_mb": round(gpu / 2**20) if gpu else None,
            **extra,
        }
        write_json(path, record)


def now() -> str:
    """Return the time as ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _user() -> str | None:
    with suppress(OSError, KeyError):  # containers run users without a name
        return getpass.getuser()
    return None


def commit_name() -> str | None:
    """Return the commit of `code_commit` as one word, with `-dirty` where it has changes."""
    commit, dirty = code_commit()
    return commit and f"{commit}{'-dirty' * bool(dirty)}"


def code_commit() -> tuple[str | None, bool | None]:
    """Return the commit of this package's own checkout and whether the package has changes; None outside of a checkout.

    Configuration and data have hashes of their own, and recording a study changes `dvc.yaml`.
    """

    def git(*args: str) -> str:
        command = ["git", "-C", str(Path(__file__).parent), *args]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        # Installed packages often lie inside some other repository, whose commit says nothing of them.
        git("ls-files", "--error-unmatch", Path(__file__).name)
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain", "--", "."))
    except (OSError, subprocess.CalledProcessError):
        return None, None
