"""What the files of `results/` say about each stage, as it will appear in MLflow."""

import hashlib
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from styleinv.errors import UserError
from styleinv.files import read_json, read_object, read_scores, sha256
from styleinv.report.published import published_scores, read_published
from styleinv.runs import Run, parse_run
from styleinv.schema import read_yaml

# The training state of a run is nobody's result.
SKIPPED_FOLDERS = {"state"}

# The stage of the run that is the parent of all stages in one folder.
STUDY = "study"

# The stages whose settings and numbers it shows, the last word being the last one's.
FINAL = ("evaluate", "train")

MODEL = "model.safetensors"

# The experiment of what all runs come to: tables, figures, the report.
SUMMARY = "tables and figures"

# What grows with the steps of a training, by the stage that writes it.
CURVES = {"train": "curves.csv", "progress": "progress.csv"}


@dataclass(frozen=True)
class StageRun:
    """One stage of one run, as it will appear in MLflow.

    Attributes:
        experiment: the data set.
        name: name of the MLflow run.
        stage, run: identity, with `content`: a hash over every imported file.
        config_hash: of the configuration and inputs.
        tags: provenance and results.
        params: what was asked for: method, seed, the flattened configuration and protocol.
        scores: numbers without a step.
        curves: rows of `step` and numbers, None where the stage has none.
        artifacts: files to keep.
        start, end: of the job, in milliseconds since 1970; None is the time of the import.
        data: hashes of the data sets that it read, by file.
        models: hashes of the models that it read.
        model: the one that it made, and its hash.
    """

    experiment: str
    name: str
    stage: str
    run: str
    content: str
    config_hash: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    curves: pd.DataFrame | None = None
    artifacts: list[Path] = field(default_factory=list)
    start: int | None = None
    end: int | None = None
    data: dict[Path, str] = field(default_factory=dict)
    models: list[str] = field(default_factory=list)
    model: tuple[Path, str] | None = None

    @property
    def folder(self) -> str:
        """What the parent of this stage is called: the run without its data set, or `data`."""
        return self.name.split("/")[0]


def provenance_files(results: Path) -> list[Path]:
    """Find every `*provenance.json` at least two folders down, sorted, training state left out.

    What lies higher (tables, the report) belongs to no data set.
    """
    folders = {path: path.relative_to(results).parts[:-1] for path in results.rglob("*provenance.json")}
    return sorted(path for path, parts in folders.items() if len(parts) >= 2 and not SKIPPED_FOLDERS & set(parts))


def read_stage(results: Path, provenance_path: Path) -> StageRun:
    """Read one stage: its provenance and the files beside it.

    `evaluate` goes with `metrics.json` and `diagnostics.csv`, `train` with `curves.csv` and the samples, `progress`
    with `progress.csv`; the configuration goes with all.

    Raises:
        UserError, KeyError, TypeError, ValueError, OSError: one of these files is broken.
    """
    provenance = read_json(provenance_path)
    if not isinstance(provenance, dict):
        raise UserError("is not a provenance record", file=provenance_path, cure="Run its stage again.")
    folder = provenance_path.parent
    stage, run = str(provenance["stage"]), str(provenance["run"])
    experiment, *place = _place(folder.relative_to(results))
    read = [provenance_path]

    def beside(file_name: str) -> Path | None:
        path = folder / file_name
        if not path.exists():
            return None
        read.append(path)
        return path

    config = beside("config.yaml")
    params = flatten(read_yaml(config)) if config else {}
    if place[0] != "data":
        params["method"] = parse_run(f"{experiment}/{place[0]}").settings
    params |= {key: str(provenance[key]) for key in ("seed", "scale") if key in provenance}
    config_hash = str(provenance.get("config_hash") or "")
    start, end = _times(provenance, provenance_path)
    inputs = {Path(path): digest for path, digest in provenance.get("inputs", {}).items()}
    data = {path: digest for path, digest in inputs.items() if path.name == "frames.zip"}
    model = next((digest for path, digest in provenance.get("outputs", {}).items() if Path(path).name == MODEL), None)
    # Paths are no names for MLflow: what was read and written stays one piece of JSON each.
    files = {key: json.dumps(provenance.pop(key)) for key in ("inputs", "outputs") if key in provenance}
    tags = flatten({"provenance": provenance | files})
    tags |= {"dataset": experiment, "source": "run", "mlflow.source.git.commit": str(provenance.get("commit") or "")}
    tags |= {"config_hash": config_hash, "data_hash": " ".join(data.values())}
    tags |= {"mlflow.source.name": f"styleinv {stage}", "mlflow.source.type": "LOCAL"}
    tags |= {"mlflow.user": provenance["user"]} if provenance.get("user") else {}
    scores: dict[str, float] = {}
    curves = None
    if stage == "evaluate":
        metrics = beside("metrics.json")
        if metrics is None:
            raise UserError("has no metrics.json beside it", file=provenance_path, cure="Run its evaluation again.")
        beside("protocol.json")
        content = read_scores(metrics)
        numbers = dict(content)
        for key, prefix in (("diagnostics", "motion"), ("diagnostics_real", "motion_real")):
            numbers |= {f"{prefix}/{name}": value for name, value in content.get(key, {}).items()}
        scores = {key: float(value) for key, value in numbers.items() if _is_number(value)}
        params |= flatten({"protocol": content["protocol"]}) | {"protocol.id": str(content["protocol_id"])}
        tags |= {"protocol_id": str(content["protocol_id"]), "stand_in": str(content["stand_in"]).lower()}
        tags["signatures"] = "; ".join(content.get("signatures", [])) or "none"
        beside("diagnostics.csv")
    elif stage in CURVES:
        table = beside(CURVES[stage])
        curves = read_curves(table) if table else None
    if stage == "train":
        read += sorted(p for p in folder.glob("samples*") if p.suffix in (".png", ".jpg", ".mp4"))
    for key in ("seconds", "training_seconds", "peak_memory_mb", "peak_gpu_memory_mb"):
        if _is_number(provenance.get(key)):
            scores.setdefault(f"cost/{key}", float(provenance[key]))
    return StageRun(
        experiment=experiment,
        name="/".join([*place, stage]),
        stage=stage,
        run=run,
        content=_content(read),
        config_hash=config_hash,
        tags=tags,
        params=params,
        scores=scores,
        curves=curves,
        artifacts=read,
        start=start,
        end=end,
        data=data,
        models=[digest for path, digest in inputs.items() if path.name == MODEL],
        model=(folder / MODEL, model) if model and (folder / MODEL).exists() else None,
    )


def study(stages: list[StageRun]) -> StageRun:
    """Sum up the stages of one folder, as their parent: what was asked for, the final scores, the training's costs."""
    final = [stage for kind in FINAL for stage in stages if stage.stage == kind]
    first = min(stages, key=lambda stage: stage.start or 0)
    tags = {k: v for stage in final or stages for k, v in stage.tags.items() if not k.startswith("provenance.")}
    if any(stage.stage == "evaluate" for stage in final):
        tags["result"] = "true"
    return StageRun(
        experiment=first.experiment,
        name=first.folder,
        stage=STUDY,
        run=f"{first.experiment}/{first.folder}",
        content=hashlib.sha256("\n".join(sorted(stage.content for stage in stages)).encode()).hexdigest(),
        tags=tags,
        params={key: value for stage in final for key, value in stage.params.items()},
        scores={key: value for stage in final for key, value in stage.scores.items()},
        start=first.start,
        end=max(stage.end or 0 for stage in stages),
        data={path: digest for stage in final for path, digest in stage.data.items()},
    )


def summaries(results: Path) -> Iterator[StageRun]:
    """Give every table, every figure and the report as a run of their own, with their files as artifacts.

    Raises:
        UserError: the record of a figure is broken.
    """
    found: list[tuple[str, str, Iterable[Path]]] = []
    found += [("table", file.stem, file.parent.glob(f"{file.stem}.*")) for file in (results / "tables").glob("*.csv")]
    found += [
        ("figure", file.stem, file.parent.glob(f"{file.stem}.*")) for file in (results / "figures").glob("*.json")
    ]
    found += [("report", file.stem, [file]) for file in results.glob("report.html")]
    for kind, name, those in sorted(found, key=lambda one: one[:2]):
        files = sorted(file for file in those if file.is_file() and not file.name.startswith("."))
        tags = {"source": "run", "kind": kind}
        if kind == "figure":
            record = read_object(results / "figures" / f"{name}.json")
            tags |= {key: str(record.get(key, "")) for key in ("title", "caption", "scale", "commit")}
            tags |= {"runs": " ".join(record.get("runs", {})), "mlflow.note.content": str(record.get("caption", ""))}
        yield StageRun(SUMMARY, name, kind, f"{SUMMARY}/{name}", _content(files), tags=tags, artifacts=files)


def flatten(value: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Flatten nested dictionaries to `a.b.c` -> text; anything but text becomes JSON."""
    flat: dict[str, str] = {}
    for key, inner in value.items():
        name = metric_name(f"{prefix}{key}")
        if isinstance(inner, dict):
            flat |= flatten(inner, f"{name}.")
        else:
            flat[name] = inner if isinstance(inner, str) else json.dumps(inner, default=str)
    return flat


def metric_name(text: str) -> str:
    """Make a name that MLflow accepts: characters it refuses become `_`."""
    return "".join(c if c.isalnum() or c in "_-. :/" else "_" for c in text)


def _place(place: Path) -> tuple[str, ...]:
    """(experiment, folder of the run or `data`, folders below) of a stage whose files lie in `place` in the results."""
    first, second, *rest = place.parts
    return (second, first, *rest) if first == "data" else (first, second, *rest)


def _times(provenance: dict[str, Any], path: Path) -> tuple[int, int]:
    """Start and end of the job; records without dates were written when it ended."""
    if "ended" in provenance:
        end = datetime.fromisoformat(provenance["ended"]).timestamp()
    else:
        end = path.stat().st_mtime
    if "started" in provenance:
        start = datetime.fromisoformat(provenance["started"]).timestamp()
    else:
        start = end - float(provenance.get("seconds", 0))
    return int(1000 * start), int(1000 * end)


def read_curves(path: Path) -> pd.DataFrame:
    """Read the numeric columns of curves.csv, with an integer `step`."""
    table = pd.read_csv(path)
    if "step" not in table:
        raise UserError("has no column `step`", file=path, cure="Train the run again, or restore it by `dvc pull`.")
    table = table.apply(pd.to_numeric, errors="coerce").select_dtypes("number").rename(columns=metric_name)
    return table.dropna(subset=["step"]).astype({"step": "int64"})


def _content(paths: list[Path]) -> str:
    """One hash over names and bytes of the files."""
    return hashlib.sha256("\n".join(f"{p.name} {sha256(p)}" for p in sorted(paths)).encode()).hexdigest()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def published_stages(path: Path, experiments: set[str]) -> Iterator[StageRun]:
    """Give the printed numbers of some data sets as runs."""
    for (dataset, method, variant), scores in published_scores(read_published(path)).items():
        if dataset in experiments:
            name = f"{Run(dataset=dataset, method=method, variant=variant).folder} (paper)"
            content = hashlib.sha256(json.dumps(scores, sort_keys=True).encode()).hexdigest()
            tags = {"dataset": dataset, "source": "paper", "result": "true"}
            yield StageRun(dataset, name, "paper", f"{dataset}/{name}", content, tags=tags, scores=scores)
