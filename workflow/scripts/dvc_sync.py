"""Keep the two views of the pipeline in step: Snakemake runs it, DVC versions it.

record    take finished outputs into dvc.lock and the DVC cache; what dvc.yaml does not list yet (variants, further
          tables) becomes a stage of it
restore   after `dvc pull` or `dvc checkout`: tell Snakemake which outputs are good
check     fail if dvc.yaml and the Snakefile do not describe the same stages
write     bring the stages of dvc.yaml in line with the Snakefile, after a change of its rules or of config/config.yaml
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import networkx as nx
from dvc.exceptions import DvcException
from dvc.repo import Repo
from ruamel.yaml import YAML

JOB = re.compile(r"^(?:local)?rule (\w+):\n(?:    input: (.*)\n)?    output: (.*)$", re.MULTILINE)


def snakemake(*args: str) -> str:
    """Standard output of a Snakemake call."""
    done = subprocess.run(["snakemake", *args], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"snakemake {' '.join(args)} failed:\n{done.stderr.strip()[-2000:]}")
    return done.stdout


def fresh_outputs() -> set[str]:
    """Outputs of all tables that Snakemake calls up to date."""
    lines = snakemake("all", "--cores", "1", "--summary").splitlines()
    head = lines[0].split("\t")
    rows = [dict(zip(head, line.split("\t"), strict=False)) for line in lines[1:]]
    return {row["output_file"] for row in rows if row["plan"] == "no update" and row["status"] == "ok"}


def stages(repo: Repo) -> dict:
    """Stages by their address in dvc.yaml."""
    return {stage.addressing: stage for stage in repo.index.stages if stage.is_data_source is False}


def paths(items) -> set[str]:
    """Plain paths of dependencies or outputs, parameter files included once."""
    return {item.def_path for item in items}


def record(repo: Repo) -> int:
    """Commit every changed stage whose outputs Snakemake calls up to date."""
    fresh = fresh_outputs()
    if extend(repo, fresh):
        repo = Repo()
    changed, known = repo.status(), stages(repo)
    todo = [name for name, stage in known.items() if name in changed and paths(stage.outs) <= fresh]
    if len(todo) == len(known):
        repo.commit(force=True, relink=False)
    else:
        for name in todo:
            repo.commit(name, force=True, relink=False)
    print(f"DVC: recorded {len(todo)} stages, {len(set(changed) - set(todo))} still to run")
    return 0


def restore(repo: Repo) -> int:
    """Touch, in Snakemake's books, the outputs whose hashes DVC has verified and none of whose ancestors is stale."""
    graph = repo.index.graph  # edges point upstream
    states = {name: str(why) for name, why in repo.status().items()}
    stale = {name for name, why in states.items() if any(s in why for s in ("modified", "new", "changed command"))}
    good = [
        stage
        for name, stage in stages(repo).items()
        if not stale & ({name} | {up.addressing for up in nx.descendants(graph, stage)})
    ]
    outs = sorted(path for stage in good for path in paths(stage.outs) if Path(path).exists())
    if outs:
        # The hooks of the Snakefile would record these touches as results.
        snakemake("--cores", "1", "--touch", "--no-hooks", "--rerun-triggers", "mtime", "--", *outs)
    print(f"DVC: restored {len(outs)} outputs of {len(good)} stages")
    return 0


def jobs(target: str) -> list[tuple[str, list[str], list[str]]]:
    """(rule, inputs, outputs) of every job behind a target."""
    text = snakemake(target, "--cores", "1", "--dry-run", "--forceall", "--quiet", "progress")
    return [(r, i.split(", ") if i else [], o.split(", ")) for r, i, o in JOB.findall(text)]


def write(repo: Repo) -> int:
    """Rewrite the stages that the demo comes to; comments, order and what was recorded beyond the demo stay."""
    made = demo_stages()
    with edited() as document:
        stages = document["stages"]
        for name in [name for name, stage in stages.items() if {"foreach", "matrix"} & set(stage) and name not in made]:
            del stages[name]
        # New stages come before those that sum up all runs.
        place = next((i for i, name in enumerate(stages) if name == "evaluate"), len(stages))
        for name, stage in made.items():
            if name in stages:
                stages[name] = stage
            else:
                stages.insert(place, name, stage)
                place += 1
    return 0


def demo_stages() -> dict[str, dict]:
    """Stages of dvc.yaml by name: rules that run once for a data set or a run as templates, the others as they are."""
    config = settings()
    by_rule: dict[str, list[tuple[list[str], list[str]]]] = {}
    for rule, inputs, outputs in jobs("demo"):
        by_rule.setdefault(rule, []).append((inputs, outputs))
    made = {}
    for rule, several in by_rule.items():
        places = [place_of(outputs[0], config["datasets"]) for _, outputs in several]
        dataset, runs = places[0][0], list(dict.fromkeys(run for _, run in places))
        stage = explicit(rule, *several[0])
        if dataset is None:
            made[rule] = stage
        elif len(runs) == 1 and rule != "evaluate":
            made[rule] = {"foreach": "${datasets}", "do": renamed(stage, (dataset, "${item}"))}
        else:
            listed = "${methods}" if runs == config["methods"] else runs
            template = renamed(stage, (dataset, "${item.dataset}"), (runs[0], "${item.run}"))
            made[rule] = {"matrix": {"dataset": "${datasets}", "run": listed}} | template
    return made


def place_of(output: str, datasets: list[str]) -> tuple[str | None, str | None]:
    """The data set and the run in whose folder an output lies."""
    parts = Path(output).parent.parts[1:]
    if parts[:1] == ("data",) and len(parts) > 1:
        return parts[1], None
    return (parts[0], parts[1]) if len(parts) > 1 and parts[0] in datasets else (None, None)


def renamed(value, dataset: tuple[str, str], run: tuple[str, str] | None = None):
    """A stage whose paths name another data set and run, each given as (old, new)."""
    if isinstance(value, dict):
        return {renamed(key, dataset, run): renamed(inner, dataset, run) for key, inner in value.items()}
    if isinstance(value, list):
        return [renamed(inner, dataset, run) for inner in value]
    if not isinstance(value, str):
        return value
    if run is not None:
        value = re.sub(rf"(results/{dataset[0]}/){run[0]}(?=/)", rf"\g<1>{run[1]}", value)
    return re.sub(rf"(results/|results/data/|config/datasets/){dataset[0]}(?=/|\.yaml)", rf"\g<1>{dataset[1]}", value)


def extend(repo: Repo, fresh: set[str]) -> int:
    """Add the finished jobs that dvc.yaml does not list; returns how many."""
    listed = {out for stage in stages(repo).values() for out in paths(stage.outs)}
    new = [job for job in jobs("all") if set(job[2]) <= fresh and not set(job[2]) & listed]
    if new:
        with edited() as document:
            for rule, inputs, outputs in new:
                document["stages"][stage_name(rule, outputs)] = explicit(rule, inputs, outputs)
    return len(new)


def stage_name(rule: str, outputs: list[str]) -> str:
    """`<rule>-<data set>-<run>`, or the rule alone where there is one job of it."""
    folders = Path(outputs[0]).parent.parts[1:]
    return "-".join([rule, *folders]) if len(folders) > 1 else rule


def explicit(rule: str, inputs: list[str], outputs: list[str]) -> dict:
    """One job as a stage; parameter files, metrics and plots as such, like the other stages of dvc.yaml."""
    own = f"config/{settings()['scale']}.yaml"
    parameters = [path for path in inputs if path.startswith("config/") and path.endswith(".yaml")]
    kinds = {"metrics.json": "metrics", "curves.csv": "plots"}
    stage: dict = {
        "cmd": f"snakemake --cores all --force --allowed-rules {rule} -- {outputs[0]}",
        "params": [{"config/${scale}.yaml" if path == own else path: None} for path in parameters],
    }
    if deps := [path for path in inputs if path not in parameters]:
        stage["deps"] = deps
    for path in outputs:
        kind = kinds.get(Path(path).name, "outs")
        # Frame stores are large, and follow from the raw videos.
        options = {"x": "kimg"} if kind == "plots" else {"cache": False} if path.endswith(".zip") else None
        stage.setdefault(kind, []).append({path: options} if options else path)
    return stage


@contextmanager
def edited() -> Iterator[dict]:
    """dvc.yaml, to be changed; comments and order stay."""
    file = Path("dvc.yaml")
    yaml = YAML()
    yaml.width = 120
    yaml.indent(mapping=2, sequence=4, offset=2)
    document = yaml.load(file.read_text())
    yield document
    temporary = file.with_suffix(".tmp")
    with temporary.open("w") as stream:
        yaml.dump(document, stream)
    temporary.replace(file)


def settings() -> dict:
    """The content of config/config.yaml."""
    return YAML(typ="safe").load(Path("config/config.yaml").read_text())


def rule_of(stage) -> str:
    """The rule that a stage's command runs."""
    return re.search(r"--allowed-rules (\w+) ", stage.cmd)[1]


def check(repo: Repo) -> int:
    """Compare rule, inputs and outputs of both descriptions; beyond the demo, of what has been recorded."""
    theirs = {
        out: (rule_of(stage), frozenset(paths(stage.deps)))
        for stage in stages(repo).values()
        for out in paths(stage.outs)
    }
    demo = {output for _, _, outputs in jobs("demo") for output in outputs}
    ours = {}
    for rule, inputs, outputs in jobs("all"):
        ours |= {output: (rule, frozenset(inputs)) for output in outputs if output in demo or output in theirs}
    for path in sorted(ours.keys() | theirs.keys()):
        if path not in theirs or path not in ours:
            print(f"{path}: {'dvc.yaml' if path not in theirs else 'the Snakefile'} does not make it")
        elif ours[path] != theirs[path]:
            (rule, inputs), (other, deps) = ours[path], theirs[path]
            print(f"{path}: made by {rule}, in dvc.yaml by {other}" if rule != other else f"{path}: other inputs:")
            for name in sorted(inputs ^ deps):
                print(f"  {name} only in {'the Snakefile' if name in inputs else 'dvc.yaml'}")
    if ours != theirs:
        print("Run `python workflow/scripts/dvc_sync.py write`.")
        return 1
    print(f"DVC and Snakemake agree on {len(ours)} outputs")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["record", "restore", "check", "write"])
    action = {"record": record, "restore": restore, "check": check, "write": write}[parser.parse_args().action]
    try:
        sys.exit(action(Repo()))
    except DvcException as error:
        sys.exit(f"DVC: {error}")
