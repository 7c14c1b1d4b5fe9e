"""What the files of `results/` say about each stage, as it will appear in MLflow."""

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from styleinv.errors import UserError
from styleinv.files import read_json, read_scores, sha256
from styleinv.report.published import published_scores, read_published
from styleinv.runs import Run

# The training state of a run is nobody's result.
SKIPPED_FOLDERS = {"state"}

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
        tags: provenance and protocol.
        params: the flattened configuration.
        scores: numbers without a step.
        curves: rows of `step` and numbers, None where the stage has none.
        artifacts: files to copy.
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
        UserError, KeyError, TypeError, ValueError, OSError, YAMLError: one of these files is broken.
    """
    provenance = read_json(provenance_path)
    if not isinstance(provenance, dict):
        raise UserError("is not a provenance record", file=provenance_path)
    folder = provenance_path.parent
    stage, run = str(provenance["stage"]), str(provenance["run"])
    experiment, name = _names(folder.relative_to(results), stage)
    read = [provenance_path]

    def beside(file_name: str) -> Path | None:
        path = folder / file_name
        if not path.exists():
            return None
        read.append(path)
        return path

    config = beside("config.yaml")
    params = flatten(_mapping(config)) if config else {}
    params |= {"seed": str(provenance["seed"])} if "seed" in provenance else {}
    config_hash = str(provenance.get("config_hash") or "")
    data = [h for path, h in provenance.get("inputs", {}).items() if Path(path).name == "frames.zip"]
    # Paths are no names for MLflow: what was read and written stays one piece of JSON each.
    files = {key: json.dumps(provenance.pop(key)) for key in ("inputs", "outputs") if key in provenance}
    tags = flatten({"provenance": provenance | files})
    tags |= {"dataset": experiment, "source": "run", "mlflow.source.git.commit": str(provenance.get("commit") or "")}
    tags |= {"config_hash": config_hash, "data_hash": " ".join(data)}
    scores: dict[str, float] = {}
    curves = None
    artifacts: list[Path] = []
    if stage == "evaluate":
        metrics = beside("metrics.json")
        if metrics is None:
            raise UserError("has no metrics.json beside it", file=provenance_path)
        beside("protocol.json")
        content = read_scores(metrics)
        numbers = dict(content)
        for key, prefix in (("diagnostics", "motion"), ("diagnostics_real", "motion_real")):
            numbers |= {f"{prefix}/{name}": value for name, value in content.get(key, {}).items()}
        scores = {key: float(value) for key, value in numbers.items() if _is_number(value)}
        tags |= flatten({"protocol": content["protocol"]})
        tags |= {"protocol_id": str(content["protocol_id"]), "stand_in": str(content["stand_in"]).lower()}
        tags |= {"result": "true", "signatures": "; ".join(content.get("signatures", [])) or "none"}
        artifacts = [table] if (table := beside("diagnostics.csv")) else []
    elif stage in CURVES:
        table = beside(CURVES[stage])
        curves = read_curves(table) if table else None
    if stage == "train":
        artifacts = sorted(p for p in folder.glob("samples*") if p.suffix in (".png", ".jpg", ".mp4"))
        read += artifacts
    for key in ("seconds", "training_seconds", "peak_memory_mb", "peak_gpu_memory_mb"):
        if _is_number(provenance.get(key)):
            scores.setdefault(f"cost/{key}", float(provenance[key]))
    return StageRun(experiment, name, stage, run, _content(read), config_hash, tags, params, scores, curves, artifacts)


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


def _mapping(path: Path) -> dict[str, Any]:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise UserError("is not a configuration", file=path)
    return content


def _names(place: Path, stage: str) -> tuple[str, str]:
    """(experiment, run name) of a stage whose files lie in `place` under the results."""
    first, second, *rest = place.parts
    if first == "data":
        return second, stage
    name = second if stage == "evaluate" else "/".join([second, *rest, stage])
    return first, name


def read_curves(path: Path) -> pd.DataFrame:
    """Read the numeric columns of curves.csv, with an integer `step`."""
    table = pd.read_csv(path)
    if "step" not in table:
        raise UserError("has no column `step`", file=path)
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
