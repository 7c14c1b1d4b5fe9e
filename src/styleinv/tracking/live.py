"""The curves of a training on an MLflow server while it runs."""

import logging
import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from styleinv.errors import Stopped
from styleinv.runs import Run
from styleinv.tracking import tracking_uri
from styleinv.tracking.records import read_curves
from styleinv.tracking.store import Store, patience
from styleinv.tracking.watching import TOTAL

log = logging.getLogger(__name__)

# How long the end of a training waits for the last rows; what does not arrive then `sync` brings.
FAREWELL_SECONDS = 20.0


class Live:
    """Sends new rows of `curves.csv` in a thread of its own; the training never waits for it and never fails by it.

    Does nothing unless MLFLOW_TRACKING_URI names a server: compute nodes must not write SQLite files on shared disks.
    A server that is away is tried again at every tick, and then gets every row that it missed; a continued training
    continues its MLflow run.

    Args:
        run: experiment and name.
        stage: the stage whose curves these are.
        config_hash: of the training; another one begins another MLflow run.
        curves: the growing file.
        total_kimg: how long the training is; None where that is not known.
    """

    def __init__(self, run: Run, stage: str, config_hash: str, curves: Path, total_kimg: float | None = None):
        self._identity = (run.dataset, f"{run.folder}/{stage}", stage, str(run), config_hash)
        self._curves = curves
        self._tags = {} if total_kimg is None else {TOTAL: f"{total_kimg:g}"}
        self._wake = threading.Event()
        self._status: str | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        uri = tracking_uri()
        if uri.startswith(("http://", "https://")):
            self._thread = threading.Thread(target=self._work, args=(uri,), daemon=True, name="mlflow")
            self._thread.start()
        return self

    def tick(self) -> None:
        """Say that there is a new row."""
        self._wake.set()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread is None:
            return
        self._status = "FINISHED" if kind is None else "KILLED" if issubclass(kind, Stopped) else "FAILED"
        self._wake.set()
        self._thread.join(FAREWELL_SECONDS)

    def _work(self, uri: str) -> None:
        patience(seconds=10, retries=1)
        # The server is the user's, the training is not to be measured by it.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        from mlflow import MlflowClient

        store = Store(MlflowClient(tracking_uri=uri), None)
        run_id, sent, silent = None, -1, False
        while True:
            self._wake.wait()
            self._wake.clear()
            status = self._status
            try:
                if run_id is None:
                    run_id = store.live(*self._identity, self._tags)
                    sent = store.last_step(run_id)
                if self._curves.exists():
                    rows = read_curves(self._curves)
                    store.send(run_id, rows[rows["step"] > sent])
                    sent = max([sent, *rows["step"]])
                if status is not None:
                    store.end(run_id, status)
                if silent:
                    log.info("MLflow answers again and has every row")
                    silent = False
            except Exception as error:  # whatever it is, the training must go on
                if not silent:
                    reason = str(error).splitlines()[0][:200]
                    log.warning("%s: MLflow does not answer (%s). The training goes on; nothing is lost.", uri, reason)
                silent, run_id = True, None
            if status is not None:
                return
