"""The MLflow side: experiments and runs, found by tags."""

import logging
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from styleinv.tracking.records import StageRun

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run

# MLflow refuses more metrics, parameters or tags in one call.
METRICS_PER_CALL = 1000
PARAMS_PER_CALL = 100

# Every row of a training's curves has it, so its history tells how far a run has come.
ALWAYS = "kimg"


def patience(seconds: int, retries: int) -> None:
    """Limit how long a server may be silent, unless the user's environment does: MLflow's own limit is many minutes."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(seconds))
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", str(retries))
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # its every try is no news


class Store:
    """An MLflow store whose runs have the tags `stage`, `run` and `content`.

    While a run is filled it has `sync = incomplete`; one that a killed import left so is deleted and made again. The
    run of a training that sends its curves itself has `sync = live` until its stage is imported.
    """

    def __init__(self, client: "MlflowClient", artifact_root: Path | None):
        self._client = client
        self._artifact_root = artifact_root
        self._experiments: dict[str, str] = {}

    def add(self, stage: StageRun) -> bool:
        """Create the run of a stage, or complete the live one, unless it is there; True when something was done."""
        experiment = self.experiment(stage.experiment)
        older = self._runs(experiment, stage.stage, stage.run)
        tags = {run.info.run_id: run.data.tags for run in older}
        states = {identity: mine.get("sync") for identity, mine in tags.items()}
        known = any(mine.get("content") == stage.content for mine in tags.values())
        live = [
            identity
            for identity, state in states.items()
            if state == "live" and tags[identity].get("config_hash") == stage.config_hash
        ]
        kept = [] if known else live[:1]
        for identity, state in states.items():
            if state == "incomplete" or (identity in live and identity not in kept):
                self._client.delete_run(identity)
        if known:
            return False
        if kept:
            run_id, seen = kept[0], self.last_step(kept[0])
        else:
            first = {"stage": stage.stage, "run": stage.run, "sync": "incomplete"}
            run_id, seen = self._client.create_run(experiment, run_name=stage.name, tags=first).info.run_id, -1
        self._fill(run_id, stage, seen)
        for identity, state in states.items():
            if state == "complete":
                self._client.set_tag(identity, "latest", "false")
        self._log(run_id, tags=stage.tags | {"content": stage.content, "latest": "true"})
        # Last, so that a run counts as complete only when everything else is there.
        self._client.set_tag(run_id, "sync", "complete")
        self._client.set_terminated(run_id)
        return True

    def live(self, experiment: str, name: str, stage: str, run: str, config_hash: str) -> str:
        """Find or make the run that a training sends its curves to, and return its id."""
        identity = self.experiment(experiment)
        for found in self._runs(identity, stage, run):
            tags = found.data.tags
            if tags.get("sync") == "live" and tags.get("config_hash") == config_hash:
                self._client.update_run(found.info.run_id, status="RUNNING")
                return found.info.run_id
        tags = {"stage": stage, "run": run, "config_hash": config_hash, "sync": "live"}
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
        if name not in self._experiments:
            from mlflow.exceptions import MlflowException

            found = self._client.get_experiment_by_name(name)
            if found is None:
                place = (self._artifact_root / name).as_uri() if self._artifact_root else None
                try:
                    self._client.create_experiment(name, artifact_location=place)
                except MlflowException:  # somebody else has just made it
                    if self._client.get_experiment_by_name(name) is None:
                        raise
                found = self._client.get_experiment_by_name(name)
            assert found is not None
            self._experiments[name] = found.experiment_id
        return self._experiments[name]

    def _runs(self, experiment: str, stage: str, run: str) -> "list[Run]":
        same = f"tags.stage = '{_quoted(stage)}' and tags.run = '{_quoted(run)}'"
        return list(self._client.search_runs([experiment], same))

    def _fill(self, run_id: str, stage: StageRun, seen: int) -> None:
        from mlflow.entities import Metric

        self._log(run_id, params=stage.params)
        if stage.scores:
            self._client.log_batch(run_id, metrics=[Metric(key, v, 0, 0) for key, v in stage.scores.items()])
        if stage.curves is not None:
            self.send(run_id, stage.curves[stage.curves["step"] > seen])
        for path in stage.artifacts:
            self._client.log_artifact(run_id, str(path))

    def _log(self, run_id: str, params: dict[str, str] | None = None, tags: dict[str, str] | None = None) -> None:
        """Log parameters and tags, as many per call as MLflow takes."""
        from mlflow.entities import Param, RunTag

        many_params = [Param(key, value) for key, value in (params or {}).items()]
        many_tags = [RunTag(key, value) for key, value in (tags or {}).items()]
        for start in range(0, len(many_params), PARAMS_PER_CALL):
            self._client.log_batch(run_id, params=many_params[start : start + PARAMS_PER_CALL])
        for start in range(0, len(many_tags), PARAMS_PER_CALL):
            self._client.log_batch(run_id, tags=many_tags[start : start + PARAMS_PER_CALL])


def _points(row: dict) -> "list[Metric]":
    from mlflow.entities import Metric

    step, seconds = int(row["step"]), row.get("seconds", 0.0)
    # Milliseconds since the start of the run, so that MLflow's time axis is the training time.
    when = int(1000 * seconds) if math.isfinite(seconds) else 0
    return [Metric(str(k), v, when, step) for k, v in row.items() if k != "step" and math.isfinite(v)]


def _quoted(text: str) -> str:
    """Text inside a quoted string of an MLflow filter."""
    return text.replace("'", "\\'")
