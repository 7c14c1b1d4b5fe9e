"""How trainings stand, as an MLflow server knows it: what they have sent while they run."""

from dataclasses import dataclass

from styleinv.errors import UserError
from styleinv.tracking.store import ALWAYS, patience

# The tag that says how long a training is.
TOTAL = "total_kimg"
RUNNING = "RUNNING"


@dataclass(frozen=True)
class Training:
    """One training on a server.

    Attributes:
        run: its name.
        status: RUNNING, FINISHED, KILLED (stopped, to go on later) or FAILED.
        kimg: how far it is; 0 before its first row.
        total_kimg: how long it is; None where the server was not told.
        seconds: of training so far.
        begun: when it started, in seconds since 1970.
    """

    run: str
    status: str
    kimg: float
    total_kimg: float | None
    seconds: float
    begun: float


def trainings(uri: str) -> list[Training]:
    """List the latest training of every run, the oldest first.

    Raises:
        UserError: the server does not answer.
    """
    patience(seconds=10, retries=1)
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    try:
        client = MlflowClient(tracking_uri=uri)
        places = [found.experiment_id for found in client.search_experiments()]
        found = client.search_runs(places, "tags.stage = 'train' and tags.latest = 'true'", max_results=1000)
        seen = []
        for run in found:
            tags, points = run.data.tags, client.get_metric_history(run.info.run_id, ALWAYS)
            # Their times are those of the training, see `store`.
            last = max(points, key=lambda point: point.step, default=None)
            total = tags.get(TOTAL)
            seen.append(
                Training(
                    run=tags["run"],
                    status=str(run.info.status),
                    kimg=last.value if last else 0.0,
                    total_kimg=float(total) if total else None,
                    seconds=last.timestamp / 1000 if last else 0.0,
                    begun=(run.info.start_time or 0) / 1000,
                )
            )
    except (MlflowException, OSError) as error:
        reason = str(error).splitlines()[0][:200]
        raise UserError(
            f"MLflow does not answer ({reason})", file=uri, cure="Name the address that MLFLOW_TRACKING_URI has."
        ) from None
    return sorted(seen, key=lambda training: training.begun)
