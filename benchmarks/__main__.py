"""The benchmark suite of the CPU tier.

python -m benchmarks [run] [--only ROW ...]    measure, print the table, write benchmarks/history/<date>-<commit>.json
python -m benchmarks list                      what the rows are and must reach
python -m benchmarks page                      write docs/performance.md from the newest complete record
"""

import argparse
import os
import sys

from benchmarks.allocator import ENVIRONMENT

if __name__ == "__main__":
    if any(os.environ.get(name) != value for name, value in ENVIRONMENT.items()):
        # Read when the process starts, by the allocator and by the libraries of linear algebra.
        os.execve(sys.executable, [sys.executable, "-m", "benchmarks", *sys.argv[1:]], os.environ | ENVIRONMENT)

import benchmarks.suite  # noqa: E402, F401  (registers the rows)
from benchmarks import page, record  # noqa: E402
from benchmarks.rows import ROWS  # noqa: E402


def main() -> int:
    """Do what the command line says; 1 where something that must hold does not and no row says why."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.split("\n")[0])
    parser.add_argument("action", nargs="?", choices=["run", "list", "page"], default="run")
    parser.add_argument("--only", nargs="+", metavar="ROW", choices=list(ROWS), default=list(ROWS))
    arguments = parser.parse_args()
    if arguments.action == "page":
        page.write()
        return 0
    if arguments.action == "list":
        print(record.table([record.Result(ROWS[name], None) for name in arguments.only]))
        return 0
    results = []
    for result in record.run([ROWS[name] for name in arguments.only]):
        results.append(result)
        path = record.save([result])  # at once: a run that is stopped keeps what it has
        print(f"{result.row.name}: {result.seconds:.0f} s", file=sys.stderr)
    print(f"{record.table(results)}\nwrote {path}")
    missed = [r.row.name for r in results if not r.holds and not r.row.reason]
    if missed:
        print(f"{', '.join(missed)}: not what it must be", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
