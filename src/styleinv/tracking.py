"""MLflow as a view of `results/`, filled by this one importer.

Jobs write plain files only; nothing is lost when the database is. `sync` reads every stage's provenance with the files
beside it and creates one MLflow run per stage: experiment = data set, run name = method for evaluations and
`<method>/<stage>` for the rest. A run that is already there with the same content is left alone, so `sync` may be
called after every job, by one process at a time.
"""

import hashlib
import json
import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import yaml

from styleinv.errors import UserError
from styleinv.files import read_json, sha256
from styleinv.report.published import published_scores, read_published, run_name

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)

PUBLISHED = Path("config/published.csv")

# MLflow refuses more metrics, parameters or tags in one call.
METRICS_PER_CALL = 1000
PARAMS_PER_CALL = 100

# The training state of a run is nobody's result.
SKIPPED_FOLDERS = {"state"}


@dataclass(frozen=True)
class SyncSummary:
    """What one `sync` did.

    Attributes:
        new: runs created.
        known: runs that were there already.
        broken: provenance files that could not be imported; each was logged.
    """

    new: int
    known: int
    broken: int = 0


@dataclass(frozen=True)
class StageRun:
    """One stage of one run, as it will appear in MLflow.

    Attributes:
        experiment: the data set.
        name: name of the MLflow run.
        stage, run: identity, with `content`: a hash over every imported file.
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
    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    curves: pd.DataFrame | None = None
    artifacts: list[Path] = field(default_factory=list)


def sync(results: Path, uri: str = "sqlite:///mlflow.db", published: Path | None = PUBLISHED) -> SyncSummary:
    """Bring MLflow up to date with `results`.

    Args:
        results: folder with `<data set>/<method>[-<variant>]/` and `data/<data set>/`.
        uri: tracking store. Of an SQLite store the artifacts lie in `mlruns` beside the database.
        published: the printed numbers; those of every data set that has results appear as runs `<method> (paper)`.
            None leaves them out.

    Raises:
        UserError: `results` does not exist. A broken file inside it is logged and skipped instead.
    """
    if not results.is_dir():
        raise UserError("does not exist", file=results, cure="Run a stage first.")
    # Imported here: it takes a second, and nothing else in the package needs it.
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    logging.getLogger("alembic").setLevel(logging.WARNING)
    store = Store(MlflowClient(tracking_uri=uri), _artifact_root(uri))
    added, broken = [], 0
    experiments = set()
    for path in provenance_files(results):
        try:
            stage = read_stage(results, path)
            added.append(store.add(stage))
            experiments.add(stage.experiment)
        except (UserError, KeyError, TypeError, ValueError, OSError, yaml.YAMLError, MlflowException) as error:
            # MLflow refuses what this file says. Its other errors (no server, a locked database) concern every file.
            if isinstance(error, MlflowException) and error.error_code != "INVALID_PARAMETER_VALUE":
                raise
            log.warning("%s was not imported: %s: %s", path, type(error).__name__, error)
            broken += 1
    if published is not None:
        added += [store.add(stage) for stage in _published_stages(published, experiments)]
    return SyncSummary(new=sum(added), known=len(added) - sum(added), broken=broken)


def provenance_files(results: Path) -> list[Path]:
    """Every `*provenance.json` at least two folders down, sorted, training state left out.

    What lies higher (tables, the report) belongs to no data set.
    """
    folders = {path: path.relative_to(results).parts[:-1] for path in results.rglob("*provenance.json")}
    return sorted(path for path, parts in folders.items() if len(parts) >= 2 and not SKIPPED_FOLDERS & set(parts))


def read_stage(results: Path, provenance_path: Path) -> StageRun:
    """Read one stage: its provenance and the files beside it.

    `evaluate.provenance.json` goes with `metrics.json`; any other with `curves.csv` and the samples. The configuration
    goes with both.

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
    # Paths are no names for MLflow: what was read and written stays one piece of JSON each.
    files = {key: json.dumps(provenance.pop(key)) for key in ("inputs", "outputs") if key in provenance}
    tags = flatten({"provenance": provenance | files})
    tags |= {"dataset": experiment, "source": "run", "mlflow.source.git.commit": str(provenance.get("commit") or "")}
    scores: dict[str, float] = {}
    curves = None
    artifacts: list[Path] = []
    if stage == "evaluate":
        metrics = beside("metrics.json")
        if metrics is None:
            raise UserError("has no metrics.json beside it", file=provenance_path)
        content = read_json(metrics)
        scores = {key: float(value) for key, value in content.items() if _is_number(value)}
        tags |= flatten({"protocol": content["protocol"]})
        tags |= {"protocol_id": str(content["protocol_id"]), "stand_in": str(content["stand_in"]).lower()}
    else:
        table = beside("curves.csv")
        curves = _curves(table) if table else None
        artifacts = sorted(p for p in folder.glob("samples*") if p.suffix in (".png", ".jpg", ".mp4"))
        read += artifacts
    for key in ("seconds", "peak_memory_mb"):
        if _is_number(provenance.get(key)):
            scores.setdefault(f"cost/{key}", float(provenance[key]))
    return StageRun(experiment, name, stage, run, _content(read), tags, params, scores, curves, artifacts)


def flatten(value: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested dictionaries as `a.b.c` -> text; anything but text becomes JSON."""
    flat: dict[str, str] = {}
    for key, inner in value.items():
        name = _name(f"{prefix}{key}")
        if isinstance(inner, dict):
            flat |= flatten(inner, f"{name}.")
        else:
            flat[name] = inner if isinstance(inner, str) else json.dumps(inner, default=str)
    return flat


def _name(text: str) -> str:
    """A name that MLflow accepts: characters it refuses become `_`."""
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


def _curves(path: Path) -> pd.DataFrame:
    """Numeric columns of curves.csv with an integer `step`."""
    table = pd.read_csv(path)
    if "step" not in table:
        raise UserError("has no column `step`", file=path)
    table = table.apply(pd.to_numeric, errors="coerce").rename(columns=_name)
    return table.dropna(subset=["step"]).astype({"step": "int64"})


def _content(paths: list[Path]) -> str:
    """One hash over names and bytes of the files."""
    return hashlib.sha256("\n".join(f"{p.name} {sha256(p)}" for p in sorted(paths)).encode()).hexdigest()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _artifact_root(uri: str) -> Path | None:
    """Folder of the artifacts of a local database; a server decides for itself."""
    return Path(uri.removeprefix("sqlite:///")).resolve().parent / "mlruns" if uri.startswith("sqlite:///") else None


def _published_stages(path: Path, experiments: set[str]) -> Iterator[StageRun]:
    """The printed numbers of some data sets, as runs."""
    for (dataset, method, variant), scores in published_scores(read_published(path)).items():
        if dataset in experiments:
            name = f"{run_name(method, variant)} (paper)"
            content = hashlib.sha256(json.dumps(scores, sort_keys=True).encode()).hexdigest()
            tags = {"dataset": dataset, "source": "paper"}
            yield StageRun(dataset, name, "paper", f"{dataset}/{name}", content, tags, scores=scores)


class Store:
    """The MLflow side: experiments and runs, found by tags.

    A run that a killed `sync` left half filled has `sync = incomplete`; it is deleted and made again.
    """

    def __init__(self, client: "MlflowClient", artifact_root: Path | None):
        self._client = client
        self._artifact_root = artifact_root
        self._experiments: dict[str, str] = {}

    def add(self, stage: StageRun) -> bool:
        """Create the run of a stage unless it is there; True when it was created."""
        experiment = self._experiment(stage.experiment)
        same = f"tags.stage = '{_quoted(stage.stage)}' and tags.run = '{_quoted(stage.run)}'"
        older = self._client.search_runs([experiment], same)
        if any(run.data.tags.get("content") == stage.content for run in older):
            return False
        run_id = self._client.create_run(experiment, run_name=stage.name, tags={"sync": "incomplete"}).info.run_id
        self._fill(run_id, stage)
        for run in older:
            self._client.set_tag(run.info.run_id, "latest", "false")
        identity = {
            "stage": stage.stage,
            "run": stage.run,
            "content": stage.content,
            "latest": "true",
            "sync": "complete",
        }
        self._log(run_id, tags=stage.tags | identity)
        self._client.set_terminated(run_id)
        return True

    def _experiment(self, name: str) -> str:
        if name not in self._experiments:
            found = self._client.get_experiment_by_name(name)
            if found:
                identity = found.experiment_id
            else:
                place = (self._artifact_root / name).as_uri() if self._artifact_root else None
                identity = self._client.create_experiment(name, artifact_location=place)
            for run in self._client.search_runs([identity], "tags.sync = 'incomplete'"):
                self._client.delete_run(run.info.run_id)
            self._experiments[name] = identity
        return self._experiments[name]

    def _fill(self, run_id: str, stage: StageRun) -> None:
        from mlflow.entities import Metric

        self._log(run_id, params=stage.params)
        points = [Metric(key, value, 0, 0) for key, value in stage.scores.items()]
        for row in stage.curves.to_dict("records") if stage.curves is not None else []:
            step, seconds = int(row.pop("step")), row.get("seconds", 0.0)
            # Milliseconds since the start of the run, so that MLflow's time axis is the training time.
            when = int(1000 * seconds) if math.isfinite(seconds) else 0
            points += [Metric(str(key), value, when, step) for key, value in row.items() if math.isfinite(value)]
        for start in range(0, len(points), METRICS_PER_CALL):
            self._client.log_batch(run_id, metrics=points[start : start + METRICS_PER_CALL])
        for path in stage.artifacts:
            self._client.log_artifact(run_id, str(path))

    def _log(self, run_id: str, params: dict[str, str] | None = None, tags: dict[str, str] | None = None) -> None:
        """Log parameters and tags, as many per call as MLflow takes."""
        from mlflow.entities import Param, RunTag

        many_params = [Param(key, value) for key, value in (params or {}).items()]
        many_tags = [RunTag(key, value) for key, value in (tags or {}).items()]
        for start in range(0, len(many_params), PARAMS_PER_CALL):
            self._client.log_batch(run_id, params=many_params[start : start + PARAMS_PER_CALL])
        # The identity comes last, so that a run counts as there only when everything else is.
        for start in range(0, len(many_tags), PARAMS_PER_CALL):
            self._client.log_batch(run_id, tags=many_tags[start : start + PARAMS_PER_CALL])


def _quoted(text: str) -> str:
    """Text inside a quoted string of an MLflow filter."""
    return text.replace("'", "\\'")
