"""Bring MLflow up to date with a results folder."""

import fcntl
import logging
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from styleinv.errors import UserError
from styleinv.tracking import LOCAL
from styleinv.tracking.records import StageRun, provenance_files, published_stages, read_stage, study, summaries
from styleinv.tracking.store import Registry, Store, patience

log = logging.getLogger(__name__)

PUBLISHED = Path("config/published.csv")

# Where `mlflow ui` answers unless told otherwise.
LOCAL_SERVER = "http://127.0.0.1:5000"

# Without these words MLflow opens an overview of traces of language models.
PAGE = "runs?workflowType=machine_learning&viewStateShareKey=scores"


@dataclass(frozen=True)
class SyncSummary:
    """Counts of what one `sync` did.

    Attributes:
        new: runs created or completed.
        known: runs that were there already.
        broken: provenance files that could not be imported; each was logged.
        pages: where the runs of each data set are shown.
    """

    new: int
    known: int
    broken: int = 0
    pages: dict[str, str] = field(default_factory=dict)


def sync(
    results: Path, uri: str = LOCAL, published: Path | None = PUBLISHED, registry: Registry | None = None
) -> SyncSummary:
    """Bring MLflow up to date with `results`; what is there with the same content is left alone.

    May be called after every job, also by many at once: they take turns.

    Args:
        results: folder with `<data set>/<method>[-<variant>]/` and `data/<data set>/`.
        uri: tracking store. Of an SQLite store the artifacts lie in `mlartifacts` beside the database, where
            `mlflow ui` looks for them.
        published: the printed numbers; those of every data set that has results appear as runs `<method> (paper)`.
            None leaves them out.
        registry: where registered models get their cards and signatures from.

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
    added: list[bool] = []
    broken: list[Path] = []
    stages: list[tuple[Path, StageRun]] = []
    studies: dict[tuple[str, str], dict[str, StageRun]] = defaultdict(dict)
    try:
        with _turn(results):
            store = Store(MlflowClient(tracking_uri=uri), _artifact_root(uri), registry)
            for path in provenance_files(results):
                with _or_skip(path, broken):
                    stages.append((path, read_stage(results, path)))
            # Models first, in the order of the jobs, so that what a stage has read is there.
            for path, stage in sorted(stages, key=lambda pair: (pair[1].model is None, pair[1].start)):
                with _or_skip(path, broken):
                    run_id, new = store.add(stage)
                    added.append(new)
                    studies[stage.experiment, stage.folder][run_id] = stage
            for children in studies.values():
                store.add(study(list(children.values())), list(children))
            if published is not None:
                added += [store.add(stage)[1] for stage in published_stages(published, {name for name, _ in studies})]
            added += [store.add(stage)[1] for stage in summaries(results)]
            store.add_views()
    except MlflowException as error:
        reason = str(error).splitlines()[0][:200]
        cure = "Nothing is lost: `styleinv track` brings it up to date when it answers again."
        raise UserError(f"MLflow does not answer ({reason})", file=uri, cure=cure) from None
    server = uri.rstrip("/") if uri.startswith(("http://", "https://")) else LOCAL_SERVER
    pages = {name: f"{server}/#/experiments/{number}/{PAGE}" for name, number in sorted(store.experiments.items())}
    return SyncSummary(sum(added), len(added) - sum(added), len(broken), pages)


@contextmanager
def _or_skip(path: Path, broken: list[Path]) -> Iterator[None]:
    """Log a file of results that cannot be imported, and go on."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except (UserError, KeyError, TypeError, ValueError, OSError, MlflowException) as error:
        # MLflow refuses what this file says. Its other errors (no server, a locked database) concern all.
        if isinstance(error, MlflowException) and error.error_code != "INVALID_PARAMETER_VALUE":
            raise
        log.warning("%s was not imported: %s: %s", path, type(error).__name__, error)
        broken.append(path)


@contextmanager
def _turn(results: Path) -> Iterator[None]:
    """One at a time: also because several that create one database spoil it."""
    with open(results / ".track.lock", "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _artifact_root(uri: str) -> Path | None:
    """Folder of the artifacts of a local database; a server decides for itself."""
    if not uri.startswith("sqlite:///"):
        return None
    return Path(uri.removeprefix("sqlite:///")).resolve().parent / "mlartifacts"
