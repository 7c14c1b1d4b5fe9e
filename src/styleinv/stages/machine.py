"""doctor: what this machine has and lacks, and what each lack means for whoever works on it."""

import importlib.util
import os
import platform
import shutil
import subprocess
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from itertools import groupby
from pathlib import Path

import psutil
from packaging.requirements import Requirement

from styleinv.data.video import executable
from styleinv.data.weights import WEIGHTS, where
from styleinv.errors import SystemTrouble, UserError
from styleinv.stages.setting import Setting

# What `make demo` takes of a disk and of the memory, with some to spare.
DEMO_DISK_GB, DEMO_MEMORY_GB = 2.0, 4.0
# Where the two main commands would fail; where something else would; where all is well.
MISSING, LACKS, OK = "MISSING", "-", "ok"
# Letters in a line, and those before what a finding says.
SCREEN, INDENT = 100, 20


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        name: what was looked at.
        state: MISSING, LACKS or OK.
        says: what there is, or what its lack means.
    """

    name: str
    state: str
    says: str


def report(setting: Setting) -> Iterator[str]:
    """Look at everything that this project can make use of and yield a line for each.

    Raises:
        SystemTrouble: after the last line, where something is missing that `make demo` or `make test` needs.
    """
    missing = []
    for look in LOOKS:
        for found in look(setting):
            missing += [found.name] if found.state == MISSING else []
            text = textwrap.fill(found.says, SCREEN - INDENT, break_on_hyphens=False)
            yield f"{found.state:8}{found.name:12}" + textwrap.indent(text, " " * INDENT).lstrip()
    if missing:
        names = ", ".join(dict.fromkeys(missing))
        raise SystemTrouble(f"missing for `make demo` or `make test`: {names}", cure="The lines above say what to do.")


def _python(setting: Setting) -> Iterator[Finding]:
    yield Finding("Python", OK, f"{platform.python_version()}, {platform.platform(terse=True)}, {platform.machine()}")


def _packages(setting: Setting) -> Iterator[Finding]:
    """Hold what is installed to what the package says it requires; `dev` is what the tests need."""
    asked = [Requirement(text) for text in metadata.requires("styleinv") or []]
    always = [one for one in asked if one.marker is None]
    tests = [one for one in asked if one.marker and one.marker.evaluate({"extra": "dev"})]
    for name, what, wanted in (("packages", "make demo", always), ("test tools", "make test", tests)):
        wrong = [str(one) for one in wanted if not _fits(one)]
        if wrong:
            yield Finding(name, MISSING, f"{', '.join(wrong)}: `{what}` needs them; `make install` installs them")
        else:
            yield Finding(name, OK, f"all {len(wanted)} that `{what}` needs")


def _fits(wanted: Requirement) -> bool:
    try:
        return wanted.specifier.contains(metadata.version(wanted.name), prereleases=True)
    except metadata.PackageNotFoundError:
        return False


def _torch(setting: Setting) -> Iterator[Finding]:
    if importlib.util.find_spec("torch") is None:
        yield Finding("torch", MISSING, "is not installed: nothing can train; `make install`")
        return
    try:
        import torch
    except (ImportError, OSError) as error:
        yield Finding("torch", MISSING, f"does not load ({' '.join(str(error).split())[:60]}): `make install`")
        return
    built = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU alone"
    yield Finding("torch", OK, f"{torch.__version__}, built for {built}")
    if torch.cuda.is_available():
        cards = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
        said = ", ".join(f"{card.name} ({card.total_memory / 2**30:.0f} GB)" for card in cards)
        yield Finding("GPU", OK, f"{said}; what fits it and how long it takes: docs/how-long.md")
    else:
        seen = " though nvidia-smi is here: check the driver" if shutil.which("nvidia-smi") else ""
        why = "trainings run on the CPU, which is enough for the scales demo and laptop (docs/how-long.md)"
        yield Finding("GPU", LACKS, f"none that torch can use{seen}: {why}")


def _processor(setting: Setting) -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = os.environ.get("OMP_NUM_THREADS")
    said = f"{cores} core{'s' * (cores > 1)} for this process" + (f", OMP_NUM_THREADS={threads}" if threads else "")
    if cores > 1:
        yield Finding("processor", OK, said)
    else:
        yield Finding("processor", LACKS, f"{said}: `make demo` trains one run at a time and takes twice as long")


def _memory(setting: Setting) -> Iterator[Finding]:
    memory = psutil.virtual_memory()
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.is_file() else "max"
    total = min(memory.total, int(text)) if text.isdigit() else memory.total
    said = f"{total / 1e9:.1f} GB, {min(memory.available, total) / 1e9:.1f} free"
    if total < DEMO_MEMORY_GB * 1e9:
        yield Finding("memory", LACKS, f"{said}: `make demo` wants {DEMO_MEMORY_GB:.0f} GB and may be killed")
    else:
        yield Finding("memory", OK, said)


def _disk(setting: Setting) -> Iterator[Finding]:
    root = setting.paths.root
    place = next(path for path in (root.absolute(), *root.absolute().parents) if path.exists())
    free = shutil.disk_usage(place).free / 1e9
    if not os.access(place, os.W_OK | os.X_OK):
        yield Finding("disk", MISSING, f"{root} cannot be written: check its permissions, or give --results DIR")
    elif free < DEMO_DISK_GB:
        yield Finding("disk", MISSING, f"{free:.1f} GB free for {root}/: `make demo` needs {DEMO_DISK_GB:.0f}")
    else:
        yield Finding("disk", OK, f"{free:.0f} GB free for {root}/; a study's share: `styleinv plan`")


def _checkout(setting: Setting) -> Iterator[Finding]:
    if setting.config.exists():
        yield Finding("checkout", OK, f"{setting.config} and what it names are here")
    else:
        yield Finding("checkout", MISSING, f"{setting.config} is not here: start in the project's folder")


def _tools(setting: Setting) -> Iterator[Finding]:
    try:
        path = executable()
        said = subprocess.run([path, "-version"], capture_output=True, text=True, check=True).stdout.split()
        yield Finding("ffmpeg", OK, f"{said[2]}, {path if path == shutil.which('ffmpeg') else 'from imageio-ffmpeg'}")
    except (RuntimeError, OSError, subprocess.CalledProcessError):
        yield Finding("ffmpeg", MISSING, "none that runs: no video can be read or written; `make install` brings one")
    if make := shutil.which("make"):
        yield Finding("make", OK, make)
    else:
        yield Finding("make", MISSING, "is not on the path: `make demo` and `make test` need it")
    if git := shutil.which("git"):
        yield Finding("git", OK, git)
    else:
        yield Finding("git", LACKS, "is not on the path: records name no commit, and DVC keeps nothing")


def _slurm(setting: Setting) -> Iterator[Finding]:
    if shutil.which("sbatch"):
        yield Finding("Slurm", OK, "`snakemake --profile slurm` can submit from here (docs/cluster.md)")
    else:
        yield Finding("Slurm", LACKS, "no `sbatch`: `snakemake --profile slurm` needs a login node (docs/cluster.md)")


def _dvc(setting: Setting) -> Iterator[Finding]:
    # DVC's own reading of its files; what else it imports takes a second.
    from dvc.config import Config, ConfigError
    from dvc.exceptions import NotDvcRepoError

    try:
        remotes = Config.from_cwd()["remote"]
    except NotDvcRepoError:
        remotes = {}
    except ConfigError as error:
        yield Finding("DVC remote", LACKS, f"{error}: correct .dvc/config")
        return
    if remotes:
        said = ", ".join(f"{name} ({told['url']})" for name, told in remotes.items())
        yield Finding("DVC remote", OK, said)
    else:
        lacks = "`dvc push` and `dvc pull` have no place; `dvc remote add -d NAME URL` names one"
        yield Finding("DVC remote", LACKS, f"none: {lacks}")


def _weights(setting: Setting) -> Iterator[Finding]:
    for serves, group in groupby(WEIGHTS, key=lambda name: WEIGHTS[name].serves):
        names = list(group)
        lacking = [name for name in names if not _there(name, setting.paths.weights)]
        if lacking:
            yield Finding("weights", LACKS, f"for {serves}: `styleinv weights fetch {' '.join(lacking)}`")
        else:
            yield Finding("weights", OK, f"for {serves}: {', '.join(names)}")


def _there(name: str, folder: Path) -> bool:
    try:
        return where(name, folder).is_file()
    except UserError:
        return False


def _data(setting: Setting) -> Iterator[Finding]:
    names = sorted(file.stem for file in (setting.config.parent / "datasets").glob("*.yaml"))
    cropped = [name for name in names if setting.paths.frames(name).exists()]
    fetched = [name for name in names if setting.paths.raw(name).exists() and name not in cropped]
    rest = [name for name in names if name not in (*cropped, *fetched)]
    if cropped:
        yield Finding("data", OK, f"ready to train on: {', '.join(cropped)}")
    if fetched:
        yield Finding("data", OK, f"fetched, to be cropped: {', '.join(fetched)}")
    if rest:
        cure = "`make demo` makes talking_faces; for the others see `styleinv data doctor` and docs/datasets.md"
        yield Finding("data", LACKS, f"not here: {', '.join(rest)}; {cure}")


LOOKS: list[Callable[[Setting], Iterator[Finding]]] = [
    _python,
    _packages,
    _torch,
    _processor,
    _memory,
    _disk,
    _checkout,
    _tools,
    _slurm,
    _dvc,
    _weights,
    _data,
]
