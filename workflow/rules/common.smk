"""Paths and run names, from the package's own catalogue."""

import functools
import os
import sys
from pathlib import Path

from styleinv import config as configuration
from styleinv.config import (
    Experiment,
    experiments,
    groups_of,
    load_dataset,
    load_experiment,
    load_scale,
    study_seeds,
)
from styleinv.runs import parse_run
from styleinv.errors import UserError
from styleinv.methods import preparation as preparation_of
from styleinv.methods import preparations
from styleinv.paths import Paths

# Every job asks; the files do not change in between.
lineage = functools.cache(configuration.lineage)
needs = functools.cache(configuration.needs)

CONFIG = Path("config")
PREPARATIONS = preparations()
SCALE = f"config/{config['scale']}.yaml"
P = Paths()
# Jobs find the commands of the environment that Snakemake itself runs in.
os.environ.update(
    PATH=os.pathsep.join([os.path.dirname(sys.executable), os.getenv("PATH", "")])
)

for file in (
    SCALE,
    *(f"config/datasets/{dataset}.yaml" for dataset in config["datasets"]),
):
    if not Path(file).exists():
        sys.exit(
            f"{file}: does not exist. Correct config/config.yaml or write that file."
        )
try:
    for dataset in config["datasets"]:
        load_dataset(dataset, Path(SCALE))
    SEEDS = study_seeds(
        [int(seed) for seed in config["seeds"]], load_scale(Path(SCALE))
    )
    STUDY = config["datasets"], config["methods"], SEEDS
    RUNS = Experiment(title="").rows(*STUDY)
    CHAINS = {str(run): lineage(run, CONFIG) for run in RUNS}
    # Models along the trainings, which the tables then show too.
    SNAPSHOTS = load_scale(Path(SCALE)).snapshots
    EXPERIMENTS = {
        name: load_experiment(name, CONFIG).rows(*STUDY) for name in experiments(CONFIG)
    }
    TRAINED = sorted(
        {
            part.method
            for rows in (RUNS, *EXPERIMENTS.values())
            for run in rows
            for part in lineage(run, CONFIG)
        }
    )
except UserError as error:
    sys.exit(str(error))

REPORT = [str(P.report)]
FIGURES = [
    str(P.figures / f"{run.dataset}-{run.folder}-{kind}.png")
    for run in RUNS
    for kind in ("curves", "strip")
]
# DVC records what is up to date and MLflow shows it, once, after all jobs; neither may spoil a finished run.
AFTERWARDS = (
    "python workflow/scripts/dvc_sync.py record || echo 'DVC: not recorded';"
    " styleinv track || echo 'MLflow: not updated'"
)
# `logged FILE COMMAND`: what a command writes goes to the job's log, which Snakemake empties before every attempt, to
# FILE's history beside it, which keeps all attempts, and on. `exec` puts it in the shell's place, and `tee` is deaf to
# signals, so that a signal reaches the command alone, which may take its time to save.
shell.prefix(
    "set -euo pipefail;"
    ' logged() {{ local log=$1 all=${{1%.log}}.history.log; shift; local before=$(grep -c "^--- " "$all" 2>/dev/null);'
    ' echo "--- $(date -Is) $(hostname) job ${{SLURM_JOB_ID:-$$}} attempt $((before + 1))" >>"$all";'
    ' exec > >(trap \'\' HUP INT TERM USR1; exec tee -a "$log" "$all") 2>&1; exec "$@"; }}; '
)


def tables(*names):
    """Both files of each table."""
    return [
        str(P.table(name).with_suffix(kind))
        for name in names
        for kind in (".csv", ".md")
    ]


wildcard_constraints:
    dataset="[a-z0-9_]+",
    run="[a-z0-9_]+(-[a-z0-9_]+){0,2}",


def upstream(dataset, name):
    """Models that a run builds on, and what else it needs."""
    run = parse_run(f"{dataset}/{name}")
    more = [str(preparation_of(kind).output(P, run)) for kind in needs(run, CONFIG)]
    return below(dataset, name) + more


def below(dataset, name):
    """The model that a run builds on."""
    parts = lineage(parse_run(f"{dataset}/{name}"), CONFIG)
    return [str(P.model(parts[-2]))] if len(parts) > 1 else []


def censuses(runs):
    """How much of the paper's data is there, of each data set once."""
    return [
        str(P.census(dataset)) for dataset in dict.fromkeys(run.dataset for run in runs)
    ]


def chain_files(kind):
    """One file of every run of every chain."""
    return sorted({str(kind(part)) for parts in CHAINS.values() for part in parts})


def finds_faces(dataset):
    """Whether networks look for the faces of a data set, which takes a GPU."""
    crop = load_dataset(dataset, Path(SCALE)).crop
    return crop.type == "ffhq" and crop.landmarks != "rendered"
