"""The shipped files as a user's clone, at a scale of seconds."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests import warm
from tests.project import ROOT, TINY

SHIPPED = ["Snakefile", "dvc.yaml", "workflow", "profiles", "config", ".dvc/config", ".dvcignore", ".gitignore"]


def environment() -> dict[str, str]:
    """In which a user's commands run: those that start warm before those of the installation."""
    path = os.pathsep.join([str(warm.folder()), str(Path(sys.executable).parent), os.environ["PATH"]])
    names = {"GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@t", "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@t"}
    return os.environ | names | {"PATH": path, "OMP_NUM_THREADS": "1", "PYTHONPATH": warm.PACKAGES}


def call(folder: Path, *words: str, code: int = 0, env: dict[str, str] | None = None) -> str:
    """Run a command in the clone; returns what it printed."""
    done = subprocess.run(words, cwd=folder, env=env or environment(), capture_output=True, text=True)
    text = done.stdout + done.stderr
    assert done.returncode == code, text[-6000:]
    return text


def clone(folder: Path) -> Path:
    """The shipped files in a git repository of their own, at the tiny scale."""
    for name in SHIPPED:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    (folder / "slurm").symlink_to("profiles/slurm")
    (folder / "config/tiny.yaml").write_text(TINY)
    config = folder / "config/config.yaml"
    config.write_text(config.read_text().replace("scale: demo", "scale: tiny"))
    call(folder, "git", "init", "-q")
    call(folder, "git", "add", "-A")
    call(folder, "git", "commit", "-qm", "start")
    return folder


DEMO = ("snakemake", "demo", "--cores", "1", "--no-hooks")


def planned(folder: Path, *words: str) -> dict[str, int]:
    """Jobs that Snakemake would run, counted by rule."""
    text = call(folder, *DEMO, "-n", "--quiet", "rules", *words)
    counts = re.findall(r"^(\w+) +(\d+)$", text, re.MULTILINE)
    return {rule: int(count) for rule, count in counts if rule not in ("demo", "total")}


def finish(folder: Path, *words: str) -> None:
    """Let Snakemake believe that the demo has run."""
    text = call(folder, *DEMO, "-n", "--forceall", *words)
    for outputs in re.findall(r"^    output: (.*)$", text, re.MULTILINE):
        for output in outputs.split(", "):
            (folder / output).parent.mkdir(parents=True, exist_ok=True)
            (folder / output).touch()
    call(folder, *DEMO, "--touch", *words)
