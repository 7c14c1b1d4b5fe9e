"""C16: memory that is kept once it is there."""

import os
import statistics
import subprocess
import sys

from benchmarks.allocator import ALLOCATOR, ENVIRONMENT, ROOT
from benchmarks.rows import at_least, row

PAIRS = 3
# Prints the CPU seconds of the fastest of some passes: a page fault is paid anew in each of them.
TRIAL = """
import torch
from benchmarks.networks import LATENT, generator
from benchmarks.timing import seconds
torch.manual_seed(0)
net = generator(128).train().requires_grad_(True).synthesis
ws = torch.randn(2, net.num_ws, LATENT)
print(min(seconds(lambda: net(ws, noise_mode="const").mean().backward()) for _ in range(4)))
"""


@row(
    "C16",
    "the allocator's settings under which tests run",
    at_least("settings in .ci/run", 3, None, "settings"),
    at_least("G forward and backward at 128², against none", None, 1.5),
)
def settings() -> list[float]:
    """Measure in processes of their own, which alone read the settings."""
    without = {name: value for name, value in os.environ.items() if name not in ALLOCATOR}
    ratios = []
    for _ in range(PAIRS):
        times = [_trial(environment) for environment in (without, os.environ | ENVIRONMENT)]
        ratios.append(times[0] / times[1])
    return [len(ALLOCATOR), statistics.median(ratios)]


def _trial(environment: dict[str, str]) -> float:
    command = [sys.executable, "-c", TRIAL]
    return float(subprocess.run(command, env=environment, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
