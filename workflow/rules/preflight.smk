"""What would make every job fail is said once, before the first one."""

import os
import shutil
import sys
from pathlib import Path

if P.root.exists() and not P.root.is_dir():
    sys.exit(f"{P.root}: is not a folder. Move it away.")


def preflight():
    """Stop with one line where nothing can run."""
    executor = workflow.executor_plugin and workflow.executor_plugin.name
    if executor == "slurm" and not shutil.which("sbatch"):
        sys.exit(
            "--profile slurm: there is no Slurm here (`sbatch` is not on the path)."
            " Start it on a login node of the cluster, or use `--profile profiles/demo` on this machine."
        )
    folder = P.root if P.root.exists() else Path()
    if not os.access(folder, os.W_OK | os.X_OK):
        sys.exit(
            f"{folder.resolve()}: cannot be written. Check its permissions and its file system."
        )
