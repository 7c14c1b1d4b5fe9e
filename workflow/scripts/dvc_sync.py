"""Keep the two views of the pipeline in step: Snakemake runs it, DVC versions it.

record    take finished outputs into dvc.yaml, dvc.lock and the DVC cache, with the `--config` they were made with
restore   after `dvc pull` or `dvc checkout`: tell Snakemake which outputs are good
check     fail if dvc.yaml and the Snakefile do not describe the same stages
write     make the stages that the demo comes to, after a change of the rules or of config/config.yaml; what has been
          recorded beyond them stays
settings  write what every stage of dvc.yaml is told of the configuration: its first stage
"""

import argparse
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import networkx as nx
from dvc.exceptions import DvcException
from dvc.repo import Repo
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

JOB = re.compile(r"^(?:local)?rule (\w+):\n(?:    input: (.*)\n)?    output: (.*)$", re.MULTILINE)
SETTINGS = "results/settings/"
# Keys of config.yaml that say which runs there are, and the stages besides tables that are of all of them.
LISTS, SUMMARIES = ("datasets", "methods", "seeds", "styles", "unseen"), ("gallery", "report")


class Job(NamedTuple):
    """One job: its rule, and the files it reads and writes."""

    rule: str
    inputs: list[str]
    outputs: list[str]

    @property
    def name(self) -> str:
        """Its stage in dvc.yaml: `<stage>-<data set>-<run>`, as far as it has these."""
        kinds = ("data", "tables", "figures", "gallery")
        parts = [part for part in Path(self.outputs[0]).parent.parts[1:] if part not in kinds]
        return "-".join([re.sub("^(train|crop)_.*", r"\1", self.rule), *parts])

    def stage(self, words: list[str]) -> dict:
        """It as a stage of dvc.yaml, run with the configuration of some words, as far as it hears them."""
        if self.name not in SUMMARIES and not self.outputs[0].startswith(("results/tables/", "results/figures/")):
            words = [word for word in words if word.partition("=")[0] not in LISTS]
        config = ["--config", *words] if words else []
        command = ["snakemake", "--cores", "all", "--force", "--allowed-rules", self.rule, *config, "--"]
        stage: dict = {"cmd": shlex.join([*command, self.outputs[0]]), "deps": sorted(self.inputs)}
        for path in self.outputs:
            if path.endswith("/metrics.json"):
                stage.setdefault("metrics", []).append(path)
            else:
                # Frame stores are large, and follow from the raw videos.
                stage.setdefault("outs", []).append({path: options(cache=False)} if path.endswith(".zip") else path)
        return stage


def options(**those) -> CommentedMap:
    """Options of one output, on one line of dvc.yaml."""
    line = CommentedMap(those)
    line.fa.set_flow_style()
    return line


def losses(path: str) -> list[str]:
    """The curves of a training that are losses, for `dvc plots`; none where it has not run."""
    columns = Path(path).read_text().partition("\n")[0].split(",") if Path(path).exists() else []
    return [name for name in columns if re.match("loss_(?!scores|signs)", name)]


def snakemake(*args: str, config: Iterable[str] = ()) -> str:
    """Standard output of a Snakemake call; `config` is what `--config` says, such as `scale=paper`."""
    words = ["snakemake", *(["--config", *config] if config else []), "--cores", "1", *args]
    done = subprocess.run(words, capture_output=True, text=True)
    said = done.stdout + done.stderr
    if "MissingRuleException" in said:
        sys.exit("dvc.yaml is not what config/config.yaml comes to. Run `python workflow/scripts/dvc_sync.py write`.")
    if done.returncode:
        sys.exit(f"{shlex.join(words)} failed:\n{said.strip()[-2000:]}")
    return done.stdout


def jobs(config: Iterable[str], *targets: str) -> list[Job]:
    """Every job behind some targets; what they are told is written on the way."""
    text = snakemake("--dry-run", "--forceall", "--quiet", "progress", "--", *targets, config=config)
    return [Job(rule, given.split(", ") if given else [], made.split(", ")) for rule, given, made in JOB.findall(text)]


def fresh_outputs(config: list[str]) -> set[str]:
    """Outputs of all tables that Snakemake calls up to date."""
    lines = snakemake("--summary", "--", "all", config=config).splitlines()
    head = lines[0].split("\t")
    rows = [dict(zip(head, line.split("\t"), strict=False)) for line in lines[1:]]
    return {row["output_file"] for row in rows if row["plan"] == "no update" and row["status"] == "ok"}


def stages(repo: Repo) -> dict:
    """Stages of rules by their names in dvc.yaml."""
    found = {stage.addressing: stage for stage in repo.index.stages if stage.is_data_source is False}
    return {name: stage for name, stage in found.items() if name != "settings"}


def paths(items) -> set[str]:
    """Plain paths of dependencies or outputs."""
    return {item.def_path for item in items}


def by_config(those: Iterable) -> dict[tuple[str, ...], list]:
    """Stages by what the `--config` of their commands says."""
    groups: dict[tuple[str, ...], list] = {}
    for stage in those:
        words = shlex.split(stage.cmd)
        said = words[words.index("--config") + 1 : words.index("--")] if "--config" in words else []
        groups.setdefault(tuple(said), []).append(stage)
    return groups


def outputs_of(those: Iterable) -> list[str]:
    """All outputs of some stages."""
    return sorted(path for stage in those for path in paths(stage.outs))


def settings(repo: Repo, config: list[str]) -> int:
    """Write what the stages of dvc.yaml are told."""
    for words, those in by_config(stages(repo).values()).items():
        jobs(words, *outputs_of(those))
    return 0


def record(repo: Repo, config: list[str]) -> int:
    """Commit every stage of a configuration that has changed and whose outputs Snakemake calls up to date."""
    fresh = fresh_outputs(config)
    found = {job.name: job.stage(config) for job in jobs(config, "all") if set(job.outputs) <= fresh}
    with edited() as document:
        put(document, found)
    repo = Repo()
    if not all(Path(out).exists() for out in outputs_of([repo.stage.load_one(name="settings")])):
        settings(repo, config)  # what stages are told that this run had no part in
    changed = repo.status()
    todo = [name for name in ("settings", *found) if name in changed]
    if len(todo) == len(found) + 1 == len(stages(repo)) + 1:
        repo.commit(force=True, relink=False)
    else:
        for name in todo:
            repo.commit(name, force=True, relink=False)
    print(f"DVC: recorded {len(todo)} stages, {len(set(changed) - set(todo))} still to run")
    return 0


def restore(repo: Repo, config: list[str]) -> int:
    """Touch, in Snakemake's books, the outputs whose hashes DVC has verified and none of whose ancestors is stale."""
    settings(repo, config)
    graph = repo.index.graph  # edges point upstream
    states = {name: str(why) for name, why in repo.status().items() if name != "settings"}
    stale = {name for name, why in states.items() if any(s in why for s in ("modified", "new", "changed command"))}
    good = [
        stage
        for name, stage in stages(repo).items()
        if not stale & ({name} | {up.addressing for up in nx.descendants(graph, stage)})
    ]
    count = 0
    for words, those in by_config(good).items():
        there = [path for path in outputs_of(those) if Path(path).exists()]
        count += len(there)
        if there:
            # The hooks of the Snakefile would record these touches as results.
            snakemake("--touch", "--no-hooks", "--rerun-triggers", "mtime", "--", *there, config=words)
    print(f"DVC: restored {count} outputs of {len(good)} stages")
    return 0


def write(repo: Repo, config: list[str]) -> int:
    """Make the stages of the demo; of the others, what has been recorded stays, and the rest goes."""
    made = {job.name: job.stage(config) for job in jobs(config, "demo")}
    lock = Path("dvc.lock")
    recorded = YAML(typ="safe").load(lock.read_text())["stages"] if lock.exists() else {}
    with edited() as document:
        for name in [name for name in document["stages"] if name not in made and name not in recorded]:
            del document["stages"][name]
        put(document, made)
    return 0


def put(document: dict, made: dict[str, dict]) -> None:
    """Put stages into dvc.yaml in place of those of their names, after the one that writes what all are told."""
    stages = document["stages"]
    for name, stage in made.items():
        stages[name] = stage
    outs = [out for stage in stages.values() for out in stage.get("outs", []) if str(out).endswith("/curves.csv")]
    drawn = {path: how for plot in document.get("plots") or [] for path, how in plot.items()}
    drawn |= {path: options(x="kimg", y=found) for path in outs if (found := losses(path))}
    document["plots"] = [{path: drawn[path]} for path in sorted(outs) if path in drawn]
    deps = {path for stage in stages.values() for path in stage.get("deps", [])}
    scales = set(re.findall(r"\bscale=(\w+)", " ".join(stage["cmd"] for stage in stages.values())))
    scales |= {YAML(typ="safe").load(Path("config/config.yaml").read_text())["scale"]}
    files = [f"config/{scale}.yaml" for scale in sorted(scales)] + ["config/datasets", "config/methods"]
    document["params"] = files
    own = {
        "cmd": "python workflow/scripts/dvc_sync.py settings",
        "deps": ["config/config.yaml", *files, "config/experiments"],
        "outs": [{path: options(cache=False, persist=True)} for path in sorted(deps) if path.startswith(SETTINGS)],
    }
    stages.pop("settings", None)
    stages.insert(0, "settings", own)


@contextmanager
def edited() -> Iterator[dict]:
    """dvc.yaml, to be changed; comments and order stay."""
    file = Path("dvc.yaml")
    yaml = YAML()
    yaml.width = 1000
    yaml.indent(mapping=2, sequence=4, offset=2)
    document = yaml.load(file.read_text())
    yield document
    temporary = file.with_suffix(".tmp")
    with temporary.open("w") as stream:
        yaml.dump(document, stream)
    temporary.replace(file)


def rule_of(stage) -> str:
    """The rule that a stage's command runs."""
    return re.search(r"--allowed-rules (\w+) ", stage.cmd)[1]


def check(repo: Repo, config: list[str]) -> int:
    """Compare rule, inputs and outputs of all outputs of stages, and of the demo, in both descriptions.

    A stage that was run with another `--config` takes the place of the demo's of its name.
    """
    listed = stages(repo).values()
    otherwise = {stage.addressing for stage in listed if " --config " in stage.cmd}
    theirs = {out: (rule_of(stage), frozenset(paths(stage.deps))) for stage in listed for out in paths(stage.outs)}
    demo = [job for job in jobs(config, "demo") if job.name not in otherwise]
    own = [job for words, those in by_config(listed).items() for job in jobs(words, *outputs_of(those))]
    wanted = theirs.keys() | {out for job in demo for out in job.outputs}
    ours = {out: (job.rule, frozenset(job.inputs)) for job in [*demo, *own] for out in job.outputs if out in wanted}
    for path in sorted(wanted):
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
    actions = {"record": record, "restore": restore, "check": check, "write": write, "settings": settings}
    parser.add_argument("action", choices=actions)
    parser.add_argument("--config", nargs="*", default=[], metavar="KEY=VALUE", help="of the run that is recorded")
    args = parser.parse_args()
    try:
        sys.exit(actions[args.action](Repo(), args.config))
    except DvcException as error:
        sys.exit(f"DVC: {error}")
