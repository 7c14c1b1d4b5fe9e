"""How a study stands: its jobs, as the workflow wrote them down when it started, and what their files say now.

Nothing but files of the results folder is read, so it does not matter where the jobs run, or whether any still does.
"""

import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from styleinv.errors import UserError
from styleinv.files import read_object, write_json
from styleinv.paths import Paths
from styleinv.provenance import now
from styleinv.runs import Run, parse_run
from styleinv.schema import read_yaml
from styleinv.stages.plan import cost_of, measured_costs
from styleinv.stages.schedule import Task, finish
from styleinv.training.tick import Tick, read_tick

State = Literal["done", "runs", "waits", "failed", "stopped"]
# Clocks of machines may differ by this much.
SLACK = timedelta(seconds=5)
ATTEMPT = re.compile(r"^--- (\S+) \S+ job \S+ attempt \d+$")
EXIT = re.compile(r"^--- exit (\d+)$")
OURS = "styleinv: "
# The exit code of a training that a signal has stopped and that goes on later.
STOPPED = 75


@dataclass(frozen=True)
class Job:
    """One job of a study, as the workflow has planned it.

    Attributes:
        rule: its stage.
        what: data set, run or table that it is of; "" for none.
        log: the log of its present attempt, relative to the results.
        needs: numbers of the jobs before it in the list that it waits for.
        slots: how many of the study's slots it holds.
        wanted: whether it had to run when the study started; otherwise it was done already.
        run: whether it trains what `what` names.
    """

    rule: str
    what: str
    log: str
    needs: Sequence[int]
    slots: int
    wanted: bool
    run: bool


@dataclass(frozen=True)
class Study:
    """What the workflow wrote down of a study.

    Attributes:
        scale: its scale file.
        started: when, in ISO 8601.
        slots: that jobs may hold at once: cores, or jobs of a cluster.
        log: where Snakemake keeps its own log.
        jobs: each after those that it needs.
        ended: "done" or "failed"; None while it runs.
    """

    scale: str
    started: str
    slots: int
    log: str
    jobs: Sequence[Job] = field(default_factory=list)
    ended: str | None = None

    def write(self, paths: Paths) -> None:
        """Replace the record."""
        write_json(paths.study, asdict(self))

    @property
    def begun(self) -> datetime:
        """When it started."""
        return datetime.fromisoformat(self.started)


def read_study(paths: Paths) -> Study:
    """Read the record of the study that was started last.

    Raises:
        UserError: there is none, or it is broken.
    """
    if not paths.study.exists():
        raise UserError(
            "does not exist: no study has been started here",
            file=paths.study,
            cure="Start one, as by `make demo` or `snakemake`, or name its folder by --results.",
        )
    told = read_object(paths.study)
    try:
        return Study(**told | {"jobs": [Job(**job) for job in told["jobs"]]})
    except (TypeError, KeyError) as error:
        raise UserError(f"is no record of a study ({error})", file=paths.study, cure="Start the study again.") from None


def end_study(paths: Paths, how: str) -> None:
    """Write down that the study has ended."""
    replace(read_study(paths), ended=how).write(paths)


@dataclass(frozen=True)
class Standing:
    """How a job stands.

    Attributes:
        rule, what: of the job.
        state: of its last attempt.
        seconds: how long that took, or has been running; 0 where nothing has.
        left: how long it will still take; None where nobody has measured that.
        tick: how far a training is.
        silent: seconds since a running job has last said anything.
        error: why it failed, or was stopped, in one line.
        log: where more is said.
    """

    rule: str
    what: str
    state: State
    seconds: float = 0.0
    left: float | None = None
    tick: Tick | None = None
    silent: float = 0.0
    error: str | None = None
    log: Path = Path()

    @property
    def name(self) -> str:
        """Stage and what it is of."""
        return f"{self.rule} {self.what}".strip()


@dataclass(frozen=True)
class View:
    """A study at one moment.

    Attributes:
        jobs: how each stands.
        at: the moment.
        seconds: since it started.
        left: until its last job ends; None where that is unknown.
        unmeasured: stages whose time is not in `left`, as nobody has measured it.
        picture: the newest picture of what a run makes.
        log: where the workflow keeps its whole log.
        ended: "done" or "failed"; None while it runs.
    """

    jobs: Sequence[Standing]
    at: datetime
    seconds: float
    left: float | None
    unmeasured: Sequence[str] = ()
    picture: Path | None = None
    log: str | None = None
    ended: str | None = None

    def count(self, *states: State) -> int:
        """Count the jobs in some states."""
        return sum(job.state in states for job in self.jobs)

    @property
    def errors(self) -> list[Standing]:
        """List what has failed or was stopped."""
        return [job for job in self.jobs if job.state in ("failed", "stopped")]


@dataclass(frozen=True)
class Attempt:
    """The last attempt of a job that its history knows."""

    started: datetime
    said: datetime
    code: int | None
    error: str | None


class Watcher:
    """Reads how a study stands, again and again; files that have not changed are not read anew."""

    def __init__(self, paths: Paths):
        """Watch the study of a results folder."""
        self.paths = paths
        self._attempts: dict[Path, tuple[tuple[int, int], Attempt | None]] = {}

    def view(self) -> View:
        """Read how the study stands now.

        Raises:
            UserError: no study has been started.
        """
        study, when = read_study(self.paths), datetime.now(UTC)
        attempts = [self._attempt(self.paths.root / job.log) for job in study.jobs]
        jobs = [self._stands(job, one, study, when) for job, one in zip(study.jobs, attempts, strict=True)]
        usual = _usual(study.jobs, attempts)
        jobs = self._with_left(study, jobs, usual)
        unmeasured = dict.fromkeys(job.rule for job in jobs if job.state != "done" and job.left is None)
        tasks = {
            number: Task(one.left or 0.0, job.needs, job.slots, one.state == "runs")
            for number, (job, one) in enumerate(zip(study.jobs, jobs, strict=True))
            if one.state != "done"
        }
        last = max((one.said for one in attempts if one), default=when) if study.ended else when
        return View(
            jobs=jobs,
            at=when,
            seconds=max(0.0, (last - study.begun).total_seconds()),
            left=None if study.ended else finish(tasks, study.slots),
            unmeasured=list(unmeasured),
            picture=self._picture(study),
            log=study.log or None,
            ended=study.ended,
        )

    def _stands(self, job: Job, attempt: Attempt | None, study: Study, when: datetime) -> Standing:
        standing = Standing(job.rule, job.what, "waits", log=self.paths.root / job.log)
        if not job.wanted:
            return replace(standing, state="done")
        if attempt is None or attempt.started < study.begun - SLACK:
            return standing
        seconds = ((attempt.said if attempt.code is not None else when) - attempt.started).total_seconds()
        standing = replace(standing, seconds=max(0.0, seconds))
        if attempt.code == 0:
            return replace(standing, state="done")
        if attempt.code is None and study.ended is None:
            silent = max(0.0, (when - attempt.said).total_seconds())
            return replace(standing, state="runs", silent=silent, tick=self._tick(job, attempt))
        error = attempt.error or "it ended without a word; its log and Slurm, where it ran, know more"
        return replace(standing, state="stopped" if attempt.code == STOPPED else "failed", error=error)

    def _tick(self, job: Job, attempt: Attempt) -> Tick | None:
        if not job.run:
            return None
        file = self.paths.tick(parse_run(job.what))
        # That of an earlier attempt knows another rate, perhaps of another machine.
        fresh = file.exists() and datetime.fromtimestamp(file.stat().st_mtime, UTC) > attempt.started
        return read_tick(file) if fresh else None

    def _attempt(self, log: Path) -> Attempt | None:
        history = log.with_suffix(".history.log")
        try:
            status = history.stat()
        except OSError:
            return None
        mark = (status.st_mtime_ns, status.st_size)
        if self._attempts.get(history, (None,))[0] != mark:
            said = datetime.fromtimestamp(status.st_mtime, UTC)
            self._attempts[history] = (mark, last_attempt(history.read_text(errors="replace").splitlines(), said))
        return self._attempts[history][1]

    def _with_left(self, study: Study, jobs: list[Standing], usual: Mapping[str, float]) -> list[Standing]:
        """Say of each job that is not done how long it still takes, by what is known best."""
        scale = Path(study.scale)
        tables = [self.paths.estimates(scale.stem).table("cost"), self.paths.table("cost")]
        measured = [measured_costs(table, scale.stem) for table in tables]
        runs = [parse_run(job.what) if job.run else None for job in study.jobs]
        costs = [None if run is None else _cost(run, self._kimg(run), measured) for run in runs]
        # Whatever shares the machine slows all trainings down alike.
        ratios = [
            one.tick.seconds_per_kimg * one.tick.total_kimg / cost
            for one, cost in zip(jobs, costs, strict=True)
            if one.tick and cost
        ]
        factor = statistics.median(ratios) if ratios else 1.0
        done = []
        for one, cost in zip(jobs, costs, strict=True):
            whole = cost * factor if cost else usual.get(one.rule)
            left = None if whole is None else max(0.0, whole - (one.seconds if one.state == "runs" else 0.0))
            done.append(replace(one, left=one.tick.seconds_left if one.tick else left))
        return done

    def _kimg(self, run: Run) -> float | None:
        """The length of a training, from what the workflow tells it."""
        file = self.paths.settings("train", str(run))
        if not file.exists():
            return None
        kimg = read_yaml(file).get("settings", {}).get("training", {}).get("total_kimg")
        return float(kimg) if isinstance(kimg, int | float) else None

    def _picture(self, study: Study) -> Path | None:
        folders = [self.paths.run(parse_run(job.what)) for job in study.jobs if job.run]
        found = [file for folder in folders for file in (*folder.glob("samples.png"), *folder.glob("snapshots/*.png"))]
        recent = [(file.stat().st_mtime, file) for file in found]
        return max((pair for pair in recent if pair[0] >= study.begun.timestamp()), default=(0, None))[1]


def last_attempt(lines: Iterable[str], said: datetime) -> Attempt | None:
    """Find the last attempt in the history of a job; None where it has none.

    Args:
        lines: of the history.
        said: when its last line was written.
    """
    started, code, error, last = None, None, None, None
    for line in lines:
        if found := ATTEMPT.match(line):
            started, code, error, last = datetime.fromisoformat(found[1]), None, None, None
        elif found := EXIT.match(line):
            code = int(found[1])
        elif line.startswith(OURS):
            error = line.removeprefix(OURS)
        elif line.strip():
            last = line.strip()
    return None if started is None else Attempt(started, said, code, error or last)


def _usual(jobs: Sequence[Job], attempts: Sequence[Attempt | None]) -> dict[str, float]:
    """How long a job of each stage has taken here so far."""
    times: dict[str, list[float]] = {}
    for job, attempt in zip(jobs, attempts, strict=True):
        if attempt and attempt.code == 0:
            times.setdefault(job.rule, []).append((attempt.said - attempt.started).total_seconds())
    return {rule: statistics.mean(all_) for rule, all_ in times.items()}


def _cost(run: Run, kimg: float | None, tables: Sequence[Mapping[str, dict[str, str]]]) -> float | None:
    """Seconds of a training, from the first table of `styleinv cost` that knows its rate."""
    rows = [row for table in tables if (row := cost_of(run, table)) is not None]
    return float(rows[0]["seconds_per_kimg"]) * kimg if rows and kimg is not None else None


def without_cost(study: Study, paths: Paths) -> list[str]:
    """List the trainings of a study that are to be done and whose cost at its scale nobody has measured."""
    watcher = Watcher(paths)
    view = watcher.view()
    return [
        one.what
        for job, one in zip(study.jobs, view.jobs, strict=True)
        if job.run and one.state != "done" and one.left is None
    ]


def begin_study(paths: Paths, scale: str, slots: int, log: str, jobs: Sequence[Mapping[str, Any]]) -> None:
    """Write down what the workflow is about to do; called by the workflow alone.

    Args:
        paths: where the results are.
        scale: the scale file.
        slots: that jobs may hold at once.
        log: of Snakemake.
        jobs: the fields of a `Job` each.
    """
    Study(scale, now(), slots, log, [Job(**job) for job in jobs]).write(paths)
