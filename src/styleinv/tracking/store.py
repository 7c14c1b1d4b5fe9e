"""The MLflow side: experiments and runs, found by tags."""

import json
import logging
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import pandas as pd

from styleinv.runs import Run as StyleInVRun
from styleinv.runs import parse_run
from styleinv.tracking.records import STUDY, StageRun

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run
    from mlflow.models import ModelSignature

# MLflow refuses more metrics, parameters or tags in one call.
METRICS_PER_CALL = 1000
PARAMS_PER_CALL = 100

# Every row of a training's curves has it, so its history tells how far a run has come.
ALWAYS = "kimg"

METHOD = "params.`method`"
COLUMNS = [*(f"metrics.`{score}`" for score in ("fid", "fvd16", "fvd128")), METHOD, "params.`seed`"]
COLUMNS += ["params.`protocol.id`", "tags.`signatures`"]
LATEST = "tags.latest = 'true'"

# What the page of an experiment opens with, and the others of its menu `Views`: name, and what differs.
VIEWS: dict[str, tuple[str, dict[str, Any]]] = {
    "scores": ("Scores", {}),
    "seeds": (
        "Means over seeds",
        {
            "searchFilter": f"{LATEST} and tags.result = 'true' and tags.source = 'run'",
            "groupBy": {"aggregateFunction": "average", "groupByKeys": [{"mode": "param", "groupByData": "method"}]},
        },
    ),
    "trainings": (
        "Trainings",
        {"searchFilter": f"{LATEST} and tags.stage = 'train'", "orderByKey": METHOD, "chartsSearchFilter": "loss"},
    ),
}


def patience(seconds: int, retries: int) -> None:
    """Limit how long a server may be silent, unless the user's environment does: MLflow's own limit is many minutes."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(seconds))
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", str(retries))
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # its every try is no news


class Registry(Protocol):
    """What a registered model is told of its run.

    Attributes:
        loader: name of the module whose `_load_pyfunc` loads a model from its folder.
    """

    loader: str

    def title(self, run: StyleInVRun) -> str:
        """Name the method of a run for people."""
        ...

    def card(self, run: StyleInVRun) -> str:
        """Write the card of a run, in Markdown."""
        ...

    def signature(self, run: StyleInVRun) -> "ModelSignature | None":
        """Say what a model takes and returns; None where it cannot be run alone."""
        ...


class Store:
    """An MLflow store whose runs have the tags `stage`, `run` and `content`.

    While a run is filled it has `sync = incomplete`; one that a killed import left so is deleted and made again. The
    run of a training that sends its curves itself has `sync = live` until its stage is imported.

    Args:
        client: of the store.
        artifact_root: folder of the artifacts of a local store.
        registry: where registered models get card and signature from.
    """

    def __init__(self, client: "MlflowClient", artifact_root: Path | None, registry: Registry | None = None):
        self._client = client
        self._artifact_root = artifact_root
        self._registry = registry
        self.experiments: dict[str, str] = {}

    def add(self, stage: StageRun, children: Sequence[str] = ()) -> tuple[str, bool]:
        """Create the run of a stage, or complete one, unless it is there.

        Completed are the live run of a training, and the parent of a study that goes on: one whose parameters and
        scores are still true.

        Args:
            stage: what is to be there.
            children: runs whose parent it is.

        Returns:
            The id of the run, and whether something was done.
        """
        experiment = self.experiment(stage.experiment)
        older = self._runs(experiment, stage.stage, stage.run)
        done = [run for run in older if run.data.tags.get("sync") == "complete"]
        known = [run for run in done if run.data.tags.get("content") == stage.content]
        live = [run for run in older if _continues(run, stage)]
        kept = known[:1] or live[:1]
        for run in older:
            state = run.data.tags.get("sync")
            if run not in kept and (state == "incomplete" or (state == "live" and run in live)):
                self._discard(run)
        if known:
            self._register(known[0], stage)  # its model may have been pulled since
            return known[0].info.run_id, False
        if kept:
            seen = self.last_step(kept[0].info.run_id)
        else:
            first = {"stage": stage.stage, "run": stage.run, "sync": "incomplete"}
            kept, seen = [self._client.create_run(experiment, stage.start, first, stage.name)], -1
        run_id = kept[0].info.run_id
        self._fill(kept[0], stage, seen)
        for run in older:
            if run not in kept and run.data.tags.get("latest") == "true":
                self._client.set_tag(run.info.run_id, "latest", "false")
        for child in children:
            self._client.set_tag(child, "mlflow.parentRunId", run_id)
        self._log(run_id, tags=stage.tags | {"content": stage.content, "latest": "true"})
        # Last, so that a run counts as complete only when everything else is there.
        self._client.set_tag(run_id, "sync", "complete")
        self._client.set_terminated(run_id, end_time=stage.end)
        return run_id, True

    def live(
        self, experiment: str, name: str, stage: str, run: str, config_hash: str, more: dict[str, str] | None = None
    ) -> str:
        """Find or make the run that a training sends its curves to, and return its id.

        Args:
            experiment, name, stage, run, config_hash: what it is.
            more: tags that it gets besides, also where it was there before.
        """
        identity = self.experiment(experiment)
        for found in self._runs(identity, stage, run):
            tags = found.data.tags
            if tags.get("sync") == "live" and tags.get("config_hash") == config_hash:
                self._client.update_run(found.info.run_id, status="RUNNING")
                self._log(found.info.run_id, tags=more)
                return found.info.run_id
        tags = {"stage": stage, "run": run, "config_hash": config_hash, "sync": "live", "latest": "true"}
        tags |= more or {}
        return self._client.create_run(identity, run_name=name, tags=tags).info.run_id

    def last_step(self, run_id: str) -> int:
        """Return the last step whose curves a run has, -1 without any."""
        return max((point.step for point in self._client.get_metric_history(run_id, ALWAYS)), default=-1)

    def send(self, run_id: str, curves: pd.DataFrame) -> None:
        """Add rows of curves; a row arrives whole or not at all."""
        points: list[Metric] = []
        for row in curves.to_dict("records"):
            more = _points(row)
            if len(points) + len(more) > METRICS_PER_CALL:
                self._client.log_batch(run_id, metrics=points)
                points = []
            points += more
        if points:
            self._client.log_batch(run_id, metrics=points)

    def end(self, run_id: str, status: str) -> None:
        """Say how a live run ended."""
        self._client.set_terminated(run_id, status)

    def experiment(self, name: str) -> str:
        """Return the id of an experiment, which is made when there is none."""
        if name not in self.experiments:
            from mlflow.exceptions import MlflowException

            found = self._client.get_experiment_by_name(name)
            if found is None:
                # Relative to wherever `mlflow ui` is started: a moved checkout still shows them.
                place = f"mlflow-artifacts:/{name}" if self._artifact_root else None
                try:
                    self._client.create_experiment(name, place, _view_tags())
                except MlflowException:  # somebody else has just made it
                    if self._client.get_experiment_by_name(name) is None:
                        raise
                found = self._client.get_experiment_by_name(name)
            assert found is not None
            self.experiments[name] = found.experiment_id
        return self.experiments[name]

    def add_views(self) -> None:
        """Give experiments of before the views that they lack; what the user has changed stays."""
        for experiment in self.experiments.values():
            there = self._client.get_experiment(experiment).tags
            for key, value in _view_tags().items():
                if key not in there:
                    self._client.set_experiment_tag(experiment, key, value)

    def _runs(self, experiment: str, stage: str, run: str) -> "list[Run]":
        same = f"tags.stage = '{_quoted(stage)}' and tags.run = '{_quoted(run)}'"
        return list(self._client.search_runs([experiment], same))

    def _fill(self, run: "Run", stage: StageRun, seen: int) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelInput, Metric

        run_id, when = run.info.run_id, stage.end or 0
        read = self._models(stage.models)
        self._log(run_id, params={key: value for key, value in stage.params.items() if key not in run.data.params})
        inputs = [
            DatasetInput(
                # MLflow takes 36 characters, and shows them; the whole hash is a tag.
                Dataset(path.parent.name, digest[:16], "local", json.dumps({"uri": "/".join(path.parts[-3:])})),
                [InputTag("mlflow.data.context", stage.stage)],
            )
            for path, digest in stage.data.items()
        ]
        if not run.inputs or not run.inputs.dataset_inputs:
            self._client.log_inputs(run_id, inputs, [LoggedModelInput(model) for model in read])
        # Scores are also the model's, costs are not.
        measured = {"model_id": read[0], "run_id": run_id} if stage.stage == "evaluate" and read else {}
        points = [
            Metric(key, value, when, 0, **({} if key.startswith("cost/") else measured))
            for key, value in stage.scores.items()
            if key not in run.data.metrics
        ]
        if points:
            self._client.log_batch(run_id, metrics=points)
        if stage.curves is not None:
            self.send(run_id, stage.curves[stage.curves["step"] > seen])
        for path in stage.artifacts:
            self._keep(path, run.info.artifact_uri, lambda path: self._client.log_artifact(run_id, path))
        self._register(run, stage)

    def _register(self, run: "Run", stage: StageRun) -> None:
        """Log the model of a training and make it a version of the registered model of its method; renew its card."""
        if stage.model is None:
            return
        if not (run.outputs and run.outputs.model_outputs):
            self._publish(run, stage, *stage.model)
        if self._registry is not None:
            card = self._registry.card(parse_run(stage.run))
            for version in self._client.search_model_versions(f"run_id = '{run.info.run_id}'"):
                # Scores may have come since.
                if version.description != card:
                    self._client.update_model_version(version.name, version.version, card)

    def _publish(self, run: "Run", stage: StageRun, path: Path, digest: str) -> None:
        from mlflow.entities import LoggedModelOutput

        tags = {"digest": digest, "run": stage.run, "seed": stage.params.get("seed", "")}
        model = self._client.create_logged_model(
            run.info.experiment_id, stage.folder, run.info.run_id, tags, stage.params, "safetensors"
        )
        self._client.log_outputs(run.info.run_id, [LoggedModelOutput(model.model_id, 0)])

        def keep(file: Path) -> None:
            self._keep(file, model.artifact_location, lambda one: self._client.log_model_artifact(model.model_id, one))

        # What loads a model, and what checks it, besides its weights.
        for file in (path, *(file for file in stage.artifacts if file.name in ("config.yaml", "provenance.json"))):
            keep(file)
        name, title = f"{stage.experiment}.{stage.params['method']}", None
        if self._registry is not None:
            title = self._registry.title(parse_run(stage.run))
            with tempfile.TemporaryDirectory() as folder:
                keep(self._mlmodel(Path(folder), run.info.run_id, model.model_id, stage.run))
        self._client.finalize_logged_model(model.model_id, "READY")
        if not self._client.search_registered_models(f"name = '{name}'"):
            self._client.create_registered_model(name, description=title)
        made = self._client.create_model_version(
            name, model.artifact_location, run.info.run_id, tags, model_id=model.model_id, await_creation_for=0
        )
        link = json.dumps([{"name": name, "version": made.version}])
        self._client.set_logged_model_tags(model.model_id, {"mlflow.modelVersions": link})

    def _mlmodel(self, folder: Path, run_id: str, model_id: str, run: str) -> Path:
        """Write the file by which MLflow knows what a model takes, what it returns and who loads it."""
        from mlflow.models import Model

        assert self._registry is not None
        signature = self._registry.signature(parse_run(run))
        flavors = {"python_function": {"loader_module": self._registry.loader}} if signature else {}
        model = Model(run_id=run_id, model_id=model_id, signature=signature, flavors=flavors)
        model.save(folder / "MLmodel")
        return folder / "MLmodel"

    def _models(self, digests: list[str]) -> list[str]:
        """Find logged models by their hashes."""
        places = list(self.experiments.values())
        found = (self._client.search_logged_models(places, f"tags.digest = '{digest}'") for digest in digests)
        return [models[0].model_id for models in found if models]

    def _keep(self, path: Path, uri: str, upload: Callable[[str], None]) -> None:
        """Keep a file as an artifact: in the folder of a local store as a second name of the file, without a copy.

        Results are never changed in place, so an old run keeps what it had.
        """
        if self._artifact_root is None or not uri.startswith("mlflow-artifacts:"):
            upload(str(path))
            return
        target = self._artifact_root / urlsplit(uri).path.lstrip("/") / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        try:
            target.hardlink_to(path)
        except OSError:  # another disk, or one without such links
            shutil.copy2(path, target)

    def _discard(self, run: "Run") -> None:
        """Delete a run with what was registered from it."""
        for version in self._client.search_model_versions(f"run_id = '{run.info.run_id}'"):
            self._client.delete_model_version(version.name, version.version)
        for output in run.outputs.model_outputs if run.outputs else ():
            self._client.delete_logged_model(output.model_id)
        self._client.delete_run(run.info.run_id)

    def _log(self, run_id: str, params: dict[str, str] | None = None, tags: dict[str, str] | None = None) -> None:
        """Log parameters and tags, as many per call as MLflow takes."""
        from mlflow.entities import Param, RunTag

        many_params = [Param(key, value) for key, value in (params or {}).items()]
        many_tags = [RunTag(key, value) for key, value in (tags or {}).items()]
        for start in range(0, len(many_params), PARAMS_PER_CALL):
            self._client.log_batch(run_id, params=many_params[start : start + PARAMS_PER_CALL])
        for start in range(0, len(many_tags), PARAMS_PER_CALL):
            self._client.log_batch(run_id, tags=many_tags[start : start + PARAMS_PER_CALL])


def _view_tags() -> dict[str, str]:
    """The views in the form in which MLflow's pages keep them."""
    tags = {}
    for key, (title, changes) in VIEWS.items():
        state = {"selectedColumns": COLUMNS, "columnOrder": COLUMNS, "searchFilter": LATEST} | changes
        view = {"name": title, "createdAt": 0, "updatedAt": 0, "state": json.dumps(state)}
        tags[f"mlflow.sharedViewState.{key}"] = json.dumps(view)
    return tags


def _continues(run: "Run", stage: StageRun) -> bool:
    """Whether a run is that stage's, not yet complete: a live one, or the parent of a study to which more was added."""
    tags, data = run.data.tags, run.data
    if stage.stage == STUDY:
        same = data.params.items() <= stage.params.items() and data.metrics.items() <= stage.scores.items()
        return tags.get("sync") == "complete" and tags.get("latest") == "true" and same
    return tags.get("sync") == "live" and tags.get("config_hash") == stage.config_hash


def _points(row: dict) -> "list[Metric]":
    from mlflow.entities import Metric

    step, seconds = int(row["step"]), row.get("seconds", 0.0)
    # Milliseconds since the start of the run, so that MLflow's time axis is the training time.
    when = int(1000 * seconds) if math.isfinite(seconds) else 0
    return [Metric(str(k), v, when, step) for k, v in row.items() if k != "step" and math.isfinite(v)]


def _quoted(text: str) -> str:
    """Text inside a quoted string of an MLflow filter."""
    return text.replace("'", "\\'")
