"""weights, track, selftest: small commands around the stages."""

from collections.abc import Iterator, Sequence

from styleinv.data.weights import WEIGHTS, fetch_weights, verify, where
from styleinv.errors import UserError
from styleinv.evaluation import selftest as known_answers
from styleinv.stages.registered import Registry
from styleinv.stages.setting import Setting
from styleinv.tracking import tracking_uri
from styleinv.tracking.sync import sync


def weights(action: str, names: Sequence[str], setting: Setting) -> Iterator[str]:
    """Fetch published weights if asked to, and say where each lies and what its hash is."""
    chosen = names or sorted(WEIGHTS)
    if action == "fetch":
        fetch_weights(chosen, setting.paths.weights)
    for name in chosen:
        yield f"{name} {where(name, setting.paths.weights)} {verify(name, setting.paths.weights)}"


def track(uri: str | None, setting: Setting) -> Iterator[str]:
    """Bring all results into MLflow, and say where they are shown."""
    published = setting.config.parent / "published.csv"
    done = sync(setting.paths.root, uri or tracking_uri(), published, Registry(setting))
    broken = f", {done.broken} could not be imported" if done.broken else ""
    yield f"MLflow: {done.new} new, {done.known} known{broken}. `mlflow ui` shows them here:"
    yield from (f"  {name}: {page}" for name, page in done.pages.items())


def selftest() -> Iterator[str]:
    """Check the metric code against known answers.

    Raises:
        UserError: after the last line, if a check fails.
    """
    wrong = False
    for check in known_answers.selftest():
        if isinstance(check, str):
            yield check
            continue
        wrong |= not check.passed
        verdict = "ok" if check.passed else "WRONG"
        yield f"{check.name:40} {check.value:.10g}  expected {check.expected:.10g}  {verdict}"
    if wrong:
        raise UserError("the metric code gives wrong numbers here", cure="Do not trust scores from this installation.")
