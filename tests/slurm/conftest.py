"""A real Slurm of two nodes for the tests of this folder."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workflow.clone import environment

SCRIPT = Path(__file__).parent / "cluster.sh"
MISSING = [name for name in ("slurmctld", "slurmd", "munged", "sbatch") if not shutil.which(name)]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say why nothing here runs where it cannot."""
    reason = (
        "needs root" if os.geteuid() else f"needs {', '.join(MISSING)} (Debian: slurmctld slurmd slurm-client munge)"
    )
    for item in items:
        if "tests/slurm/" in item.path.as_posix():
            item.add_marker("slurm")
            item.add_marker("slow")
            if os.geteuid() or MISSING:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def cluster() -> Iterator[dict[str, str]]:
    """The environment in which client commands find the cluster."""
    own = environment() | {"SLURM_TEST_DIR": f"/tmp/slurm-{os.getpid()}"}
    try:
        subprocess.run([SCRIPT, "up"], env=own, check=True)
        words = subprocess.run([SCRIPT, "env"], env=own, check=True, capture_output=True, text=True).stdout.split()
        yield own | dict(word.split("=", 1) for word in words)
    finally:
        subprocess.run([SCRIPT, "down"], env=own, check=False)
