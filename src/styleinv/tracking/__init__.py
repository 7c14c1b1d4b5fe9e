"""MLflow as a view of `results/`.

Jobs write plain files only; nothing is lost when the database is. `sync` reads every stage's provenance with the files
beside it and keeps one MLflow run per stage, named `<run>/<stage>`, below a parent named `<run>` that sums them up; an
experiment is a data set. Where MLFLOW_TRACKING_URI names a server, `Live` shows the curves of a training while
it runs, in the run that `sync` completes in the end.
"""

import os

LOCAL = "sqlite:///mlflow.db"


def tracking_uri() -> str:
    """Return MLFLOW_TRACKING_URI, or the database in the working directory."""
    return os.environ.get("MLFLOW_TRACKING_URI") or LOCAL
