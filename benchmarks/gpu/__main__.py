"""The GPU tier: proofs that a GPU computes what it should, then G1 to G14; `make bench-gpu`.

A run takes nine minutes at most. Each step is kept when it is done, in benchmarks/history/gpu, and the same command
goes on with the others: those that failed, those for which no time was left.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

# Read when torch starts: sums of products in a fixed order, for the proof of resumed trainings.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

import torch  # noqa: E402

from benchmarks.gpu import measurements, proofs  # noqa: E402
from benchmarks.gpu.record import Record, run  # noqa: E402
from benchmarks.gpu.steps import STEPS, Bench, in_order  # noqa: E402
from benchmarks.gpu.studies import miniature, of_the_paper  # noqa: E402

assert measurements and proofs, "register the steps"


def main(words: list[str] | None = None) -> int:
    """Do what the command line says.

    Returns:
        0 when all is done and as it must be; 75 when the same command has more to do; else 1.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--small", action="store_true", help="measure the miniature of the tests, which takes seconds")
    parser.add_argument("--only", nargs="+", metavar="STEP", choices=list(STEPS), default=list(STEPS))
    parser.add_argument("--minutes", type=float, default=9, help="start nothing that would end later (default 9)")
    parser.add_argument("--record", type=Path, help="file of the record; that of commit and GPU if none is named")
    arguments = parser.parse_args(words)
    if arguments.device == "cuda" and not torch.cuda.is_available():
        print("no GPU: torch finds none on this machine, and nothing was measured", file=sys.stderr)
        return 1
    if arguments.device == "cpu" and not (arguments.small and arguments.record):
        parser.error("a CPU takes days for the paper's size: give --small and --record FILE")
    device = torch.device(arguments.device)
    with tempfile.TemporaryDirectory(prefix="bench-gpu-") as folder:
        small = miniature(Path(folder) / "small")
        sizes = {"large": small, "larger": None, "textbook": 32, "videos": 2}
        if not arguments.small:
            sizes = {"larger": of_the_paper(Path(folder) / "larger", 1024), "textbook": 256, "videos": 32}
            sizes["large"] = of_the_paper(Path(folder) / "large", 256)
        bench = Bench(device, small, **sizes)
        record = Record.of(arguments.record, bench)
        return run([one for one in in_order() if one.row.name in arguments.only], bench, record, arguments.minutes * 60)


if __name__ == "__main__":
    sys.exit(main())
