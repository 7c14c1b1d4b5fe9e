"""What would make every job fail is said once, before the first one."""

import getpass
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

if P.root.exists() and not P.root.is_dir():
    sys.exit(f"{P.root}: is not a folder. Move it away.")


def resource_values(name):
    """The names that profile and command line give for a resource, for all rules or for single ones."""
    single = workflow.resource_settings.overwrite_resources or {}
    for said in (
        usual(name),
        *(resource_text(resources, name) for resources in single.values()),
    ):
        if said and re.fullmatch(r"[\w.,-]+", said):  # not an expression
            yield said


def slurm_says(*command):
    """The words that a Slurm command prints; None where it cannot be asked."""
    if not shutil.which(command[0]):
        return None
    done = subprocess.run(command, capture_output=True, text=True)
    return None if done.returncode else done.stdout.split()


def check_names():
    """Refuse partitions and accounts that this cluster does not have, once instead of once for each job."""
    partitions = slurm_says("sinfo", "--noheader", "--format=%R")
    user = getpass.getuser()
    accounts = slurm_says(
        *("sacctmgr", "-nP", "show", "assoc", f"user={user}", "format=account")
    )
    for resource, known in (
        ("slurm_partition", partitions),
        ("slurm_account", accounts),
    ):
        for name in resource_values(resource):
            if known and not set(name.split(",")) <= set(known):
                sys.exit(
                    f"{resource} {name}: this cluster has no such name."
                    f" Known: {', '.join(sorted(set(known)))}. Correct profiles/slurm/profile.yaml."
                )


def on_slurm():
    """Whether jobs go to Slurm."""
    return bool(workflow.executor_plugin and workflow.executor_plugin.name == "slurm")


def preflight():
    """Stop with one line where nothing can run."""
    if on_slurm() and not shutil.which("sbatch"):
        sys.exit(
            "--profile slurm: there is no Slurm here (`sbatch` is not on the path)."
            " Start it on a login node of the cluster, or use `--profile profiles/demo` on this machine."
        )
    if on_slurm():
        check_names()
    folder = P.root if P.root.exists() else Path()
    if not os.access(folder, os.W_OK | os.X_OK):
        sys.exit(
            f"{folder.resolve()}: cannot be written. Check its permissions and its file system."
        )
