"""Bring MLflow up to date with a results folder."""

import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from styleinv.errors import UserError
from styleinv.tracking import LOCAL
from styleinv.tracking.records import provenance_files, published_stages, read_stage
from styleinv.tracking.store import Store, patience

log = logging.getLogger(__name__)

PUBLISHED = Path("config/published.csv")


@dataclass(frozen=True)
class SyncSummary:
    """Counts of what one `sync` did.

    Attributes:
        new: runs created or completed.
        known: runs that were there already.
        broken: provenance files that could not be imported; each was logged.
    """

    new: int
    known: int
    broken: int = 0


def sync(results: Path, uri: str = LOCAL, published: Path | None = PUBLISHED) -> SyncSummary:
    """Bring MLflow up to date with `results`; what is there with the same content is left alone.

    May be called after every job, also by many at once: they take turns.

    Args:
        results: folder with `<data set>/<method>[-<variant>]/` and `data/<data set>/`.
        uri: tracking store. Of an SQLite store the artifacts lie in `mlruns` beside the database.
        published: the printed numbers; those of every data set that has results appear as runs `<method> (paper)`.
            None leaves them out.

    Raises:
        UserError: `results` does not exist, or the store does not answer; nothing is lost, the next call catches up.
            A broken file inside `results` is logged and skipped instead.
    """
    if not results.is_dir():
        raise UserError("does not exist", file=results, cure="Run a stage first.")
    patience(seconds=30, retries=2)
    # Imported here: it takes a second, and nothing else in the package needs it.
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    logging.getLogger("alembic").setLevel(logging.WARNING)
    added, broken = [], 0
    experiments = set()
    try:
        with _turn(results):
            store = Store(MlflowClient(tracking_uri=uri), _artifact_root(uri))
            for path in provenance_files(results):
                try:
                    stage = read_stage(results, path)
                    added.append(store.add(stage))
                    experiments.add(stage.experiment)
                except (UserError, KeyError, TypeError, ValueError, OSError, yaml.YAMLError, MlflowException) as error:
                    # MLflow refuses what this file says. Its other errors (no server, a locked database) concern all.
                    if isinstance(error, MlflowException) and error.error_code != "INVALID_PARAMETER_VALUE":
                        raise
                    log.warning("%s was not imported: %s: %s", path, type(error).__name__, error)
                    broken += 1
            if published is not None:
                added += [store.add(stage) for stage in published_stages(published, experiments)]
    except MlflowException as error:
        reason = str(error).splitlines()[0][:200]
        cure = "Nothing is lost: `styleinv track` brings it up to date when it answers again."
        raise UserError(f"MLflow does not answer ({reason})", file=uri, cure=cure) from None
    return SyncSummary(new=sum(added), known=len(added) - sum(added), broken=broken)


@contextmanager
def _turn(results: Path) -> Iterator[None]:
    """One at a time: also because several that create one database spoil it."""
    with open(results / ".track.lock", "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _artifact_root(uri: str) -> Path | None:
    """Folder of the artifacts of a local database; a server decides for itself."""
    return Path(uri.removeprefix("sqlite:///")).resolve().parent / "mlruns" if uri.startswith("sqlite:///") else None
