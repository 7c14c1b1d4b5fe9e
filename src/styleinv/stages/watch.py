"""watch: one view of a running study, from its files or from an MLflow server."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from styleinv.errors import Failed
from styleinv.report.html import duration
from styleinv.stages.setting import Setting
from styleinv.stages.study import Standing, View, Watcher
from styleinv.tracking.watching import RUNNING, Training, trainings
from styleinv.training.tick import Tick

# Seconds between two looks: at files, at a server; between two lines where there is no terminal.
LOOK, ASK, LINE = 2.0, 10.0, 30.0
# Jobs beyond this many are counted by their stage, but for those that say something.
ROWS = 30
# A running job that has said nothing for so long is worth a word.
QUIET = 300.0
COLOURS = {"done": "green", "runs": "bold cyan", "waits": "dim", "failed": "bold red", "stopped": "yellow"}
# How trainings on a server stand.
STATES = {"RUNNING": "runs", "FINISHED": "done", "KILLED": "stopped", "FAILED": "failed"}


def watch(setting: Setting, mlflow: str | None = None, once: bool = False) -> Iterator[str]:
    """Show how the study stands until it ends: a live picture on a terminal, a line every half minute elsewhere.

    Args:
        setting: where the results are.
        mlflow: address of a server that knows the trainings, instead of results on this machine.
        once: show it once and end.

    Raises:
        Failed: the study has ended and something in it has failed.
        UserError: there is no study, or the server does not answer.
    """
    watcher = Watcher(setting.paths)
    look = watcher.view if mlflow is None else lambda: view_of(trainings(mlflow))
    if once:
        yield from lines(look())
        return
    view = follow(look, lambda: False, LOOK if mlflow is None else ASK)
    if view.ended == "failed":
        names = ", ".join(job.name for job in view.errors)
        raise Failed(f"the study has failed: {names or 'see its log'}", cure="The same command goes on where it is.")


def follow(look: Callable[[], View], over: Callable[[], bool], pause: float = LOOK) -> View:
    """Show a study until it has ended, or `over` says so; returns the last view of it.

    Args:
        look: how it stands.
        over: whether to stop looking.
        pause: seconds between two looks.
    """
    console = Console(file=sys.stdout)
    view = look()
    if not console.is_terminal:
        said = -LINE
        while view.ended is None and not over():
            if time.monotonic() - said >= LINE or said < 0:
                print(line(view), flush=True)
                said = time.monotonic()
            time.sleep(pause)
            view = look()
        print(line(view), flush=True)
        return view
    with Live(picture(view), console=console, auto_refresh=False) as live:
        while view.ended is None and not over():
            time.sleep(pause)
            view = look()
            live.update(picture(view), refresh=True)
    return view


def view_of(found: Sequence[Training]) -> View:
    """Make a view of what a server knows; it knows nothing of other stages, and of what has not begun."""
    jobs, lefts = [], []
    for one in found:
        rate = one.seconds / one.kimg if one.kimg else 0.0
        tick = Tick(0, 0, one.kimg, one.total_kimg, rate, 0.0) if one.total_kimg and one.kimg else None
        runs = one.status == RUNNING
        left = tick.seconds_left if tick and runs else None
        state = STATES.get(one.status, "waits")
        jobs.append(Standing("train", one.run, state, one.seconds, left, tick if runs else None))  # type: ignore[arg-type]
        lefts += [left] if left is not None else []
    begun = min((one.begun for one in found), default=time.time())
    unmeasured = ["what has not begun"] if any(job.state == "runs" for job in jobs) else []
    now = datetime.now(UTC)
    return View(jobs, now, max(0.0, now.timestamp() - begun), max(lefts, default=None), unmeasured)


def outlook(view: View) -> str:
    """Say how long the study has taken, and still takes."""
    so_far = f"{duration(view.seconds)} so far"
    if view.ended:
        return f"{view.ended} after {duration(view.seconds)}"
    if not view.left:
        return f"{so_far}; no estimate yet" if view.unmeasured else so_far
    unknown = f"; not measured yet: {', '.join(view.unmeasured)}" if view.unmeasured else ""
    at = view.at.astimezone() + timedelta(seconds=view.left)
    return f"{so_far}, about {duration(view.left)} to go (until {at:%H:%M}{unknown})"


def progress(job: Standing) -> str:
    """Say how far a job is."""
    if job.state == "done":
        return duration(job.seconds) if job.seconds else ""
    if job.error:
        return job.error
    if job.state == "waits":
        return f"takes about {duration(job.left)}" if job.left else ""
    if job.tick:
        tick = job.tick
        text = f"{tick.kimg:.1f} of {tick.total_kimg:.1f} kimg, {tick.seconds_per_kimg:.3g} s/kimg"
        return f"{text}, {duration(tick.seconds_left)} to go{_quiet(job)}"
    return f"for {duration(job.seconds)}" + (f", {duration(job.left)} to go" if job.left else "") + _quiet(job)


def _quiet(job: Standing) -> str:
    return f"; has said nothing for {duration(job.silent)}" if job.silent > QUIET else ""


def counts(view: View) -> str:
    """Count the jobs by how they stand."""
    parts = [f"{view.count('done')} of {len(view.jobs)} jobs done"]
    for state, word in (("runs", "run"), ("waits", "wait"), ("stopped", "stopped"), ("failed", "failed")):
        number = view.count(state)  # type: ignore[arg-type]
        parts += [f"{number} {word}"] if number else []
    return ", ".join(parts)


def line(view: View) -> str:
    """Write the whole study as one line."""
    parts = [f"{view.at.astimezone():%H:%M:%S} {counts(view)}; {outlook(view)}"]
    parts += [f"{job.name}: {progress(job)}" for job in view.jobs if job.state == "runs"]
    parts += [f"{job.name} {job.state}: {job.error} ({job.log})" for job in view.errors[-1:]]
    parts += [f"picture: {view.picture}"] if view.picture else []
    return "; ".join(parts)


def lines(view: View) -> list[str]:
    """Write a study as lines: what each stage does, then what there is to look at."""
    rows = [f"{state:8} {name:44} {told}".rstrip() for name, state, told in _rows(view)]
    return [f"{counts(view)}; {outlook(view)}", *rows, *(f"{what}: {text}" for what, text in _below(view))]


def picture(view: View) -> Group:
    """Draw a study for a terminal."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, state, told in _rows(view):
        table.add_row(Text(state, style=COLOURS.get(state, "")), Text(name), Text(told))
    below = [Text(f"{what}: {text}", style="red" if what == "last error" else "dim") for what, text in _below(view)]
    return Group(Text(f"{counts(view)}; {outlook(view)}", style="bold"), table, *below)


def _rows(view: View) -> Iterator[tuple[str, str, str]]:
    """Name, state and progress of each job; of many, those that say something, and how many others there are."""
    many = len(view.jobs) > ROWS
    for rule in dict.fromkeys(job.rule for job in view.jobs):
        jobs = [job for job in view.jobs if job.rule == rule]
        for state in ("done", "waits"):
            silent = [job for job in jobs if job.state == state]
            if many and len(silent) > 1:
                yield rule, state, f"{len(silent)} of {len(jobs)}"
                jobs = [job for job in jobs if job.state != state]
        for job in jobs:
            yield job.name, job.state, progress(job) if not job.error else f"see {job.log}"


def _below(view: View) -> Iterator[tuple[str, str]]:
    if view.picture:
        yield "newest picture", str(view.picture)
    for job in view.errors[-1:]:
        yield "last error", f"{job.name}: {job.error}"
    if view.log:
        yield "whole log", view.log
