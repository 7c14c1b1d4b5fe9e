"""MLflow's own server, started as a user starts it, and its pages as Chromium shows them."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlencode

from mlflow import MlflowClient
from mlflow.entities import Run as MlflowRun

from tests.chromium import CHROMIUM


class Server:
    """`mlflow ui` in a folder; it can be ended and started again on its port and database."""

    def __init__(self, folder: Path):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder, self.uri = folder, f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [sys.executable, "-m", "mlflow", "ui", "--workers", "1", "--port", str(self.port)]
        own = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        own.pop("MLFLOW_TRACKING_URI", None)
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, cwd=self.folder, env=own, start_new_session=True, **quiet)
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{self.uri}/health")
                return
            except OSError:
                time.sleep(0.1)
        raise TimeoutError("no server")

    def stop(self) -> None:
        """End it at once."""
        os.killpg(self.process.pid, 9)
        self.process.wait()

    def runs(self, experiment: str) -> list[MlflowRun]:
        """All runs of an experiment."""
        client = MlflowClient(tracking_uri=self.uri)
        found = client.get_experiment_by_name(experiment)
        return list(client.search_runs([found.experiment_id])) if found else []

    def steps(self, run: MlflowRun) -> list[int]:
        """Steps of a run's curve `loss`."""
        history = MlflowClient(tracking_uri=self.uri).get_metric_history(run.info.run_id, "loss")
        return [point.step for point in history]

    def artifact(self, run_id: str, name: str) -> bytes:
        """An artifact as its page fetches it."""
        with urllib.request.urlopen(f"{self.uri}/get-artifact?run_id={run_id}&path={name}") as answer:
            return answer.read()

    def compared(self, experiment: str, runs: list[str]) -> str:
        """The page where some runs are compared."""
        found = MlflowClient(tracking_uri=self.uri).get_experiment_by_name(experiment)
        assert found is not None
        chosen = urlencode({"runs": json.dumps(runs), "experiments": json.dumps([found.experiment_id])})
        return f"{self.uri}/#/compare-runs?{chosen}"


def browse(page: str, picture: Path | None = None, size: str = "1900,900") -> str:
    """Open a page in headless Chromium, with no past; returns its HTML, or writes a picture of it."""
    assert CHROMIUM is not None
    wanted = "--dump-dom" if picture is None else f"--screenshot={picture}"
    with tempfile.TemporaryDirectory() as profile:
        # Virtual time runs on while nothing is loading: so much of it ends when the page has what it asked for.
        command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        command += ["--disable-dev-shm-usage"]  # containers have little of it
        command += [f"--user-data-dir={profile}", f"--window-size={size}", "--virtual-time-budget=15000", wanted, page]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
