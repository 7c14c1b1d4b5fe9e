"""The answer to a question beyond the paper: its table, and sentences that are written from the numbers."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

# A row of the table: the mean over `n` videos, images or latents of what was measured, and its standard deviation. `on`
# is another run or data set, or nothing; `frames` is 0 where it is not of videos.
Row = dict[str, Any]
COLUMNS = ("dataset", "run", "on", "frames", "measure", "mean", "std", "n")
# Stands in `run` for real videos.
REAL = "real"
# Two means count as apart where they differ by more than this many standard errors.
APART = 2.0


@dataclass(frozen=True)
class Measure:
    """What a number is.

    Attributes:
        title: at the head of its column and of its sentence.
        percent: it is a share.
    """

    title: str
    percent: bool = False


MEASURES = {
    "same_person": Measure("frames that show the person of the first one", percent=True),
    "persons": Measure("persons seen in a video"),
    "yaw_spread": Measure("spread of yaw within 128 frames, real = 1"),
    "yaw_first": Measure("spread of yaw in the first 128 frames, real = 1"),
    "yaw_last": Measure("spread of yaw in the last 128 frames, real = 1"),
    "pitch_spread": Measure("spread of pitch within 128 frames, real = 1"),
    "roll_spread": Measure("spread of roll within 128 frames, real = 1"),
    "mouth_open_spread": Measure("spread of the mouth's opening within 128 frames, real = 1"),
    "motion_energy": Measure("motion energy"),
    "motion_kept": Measure("motion kept"),
    "identity_drift": Measure("identity drift"),
    "loopiness": Measure("loopiness"),
    "w_drift": Measure("drift of w from w_0"),
    "first_frame_error": Measure("RMS error of the first frame"),
    "inversion_error": Measure("error of inverted first frames, of 255"),
    "w_shift": Measure("shift of w by the tuning, spread of W = 1"),
    "w_moments": Measure("Fréchet distance of W before and after, spread of W = 1"),
    "motion_followed": Measure("correlation of the motion with the parent's"),
    "layout_followed": Measure("correlation of light and dark with the parent's"),
}


@dataclass(frozen=True)
class Answer:
    """What was measured for a question.

    Attributes:
        title, asks: of the question.
        measures: that are told.
        rows: with `COLUMNS`.
        names: run or data set -> its name for people.
        readers: data set -> the held-out `accuracy` and `r2` of its reader, what it uses (`usable`), and the `videos`,
            `frames` and `persons` that it was fitted on; None where the data set has no exact labels.
        trainings: seeds of the trainings.
        scale: its name.
    """

    title: str
    asks: str
    measures: Sequence[str]
    rows: Sequence[Row]
    names: Mapping[str, str]
    readers: Mapping[str, Mapping[str, Any] | None]
    trainings: int
    scale: str

    def markdown(self) -> str:
        """Write title, question, table, what the table says, and what stands behind it."""
        asks = " ".join(self.asks.split())
        return f"# {self.title}\n\n{asks}\n\n{self._table()}\n\n{self.findings()}\n\n{self.grounds()}\n"

    def findings(self) -> str:
        """Say for each number, in a line of a list, what lies apart."""
        return "\n".join(f"- {line}" for line in self._measured())

    def grounds(self) -> str:
        """Say in plain sentences how it was measured, and what that cannot say."""
        return " ".join([*self._read(), *self._limits()])

    @property
    def _told(self) -> list[str]:
        there = {row["measure"] for row in self.rows}
        return [name for name in self.measures if name in there]

    def _table(self) -> str:
        heads = ["data", "of", "frames", *(MEASURES[name].title for name in self._told)]
        lines = [_line(heads), _line(["---", "---", *["---:"] * (len(heads) - 2)])]
        groups: dict[tuple[Any, ...], dict[str, str]] = {}
        for row in self.rows:
            who = row["dataset"], row["run"], row["on"]
            # What is not of videos stands beside what is of the shortest ones.
            lengths = [other["frames"] for other in self.rows if (other["dataset"], other["run"], other["on"]) == who]
            cells = groups.setdefault((*who, row["frames"] or min(filter(None, lengths), default=0)), {})
            cells[row["measure"]] = _value(row) if row["measure"] in self._told else ""
        for (dataset, run, on, frames), cells in groups.items():
            numbers = [cells.get(name, "") for name in self._told]
            if any(numbers):
                lines.append(
                    _line([self.names[dataset], self._who(run, on), f"{frames:,}" if frames else "", *numbers])
                )
        return "\n".join(lines)

    def _who(self, run: str, on: str) -> str:
        several = len({row["on"] for row in self.rows if row["run"] == run and row["on"]}) > 1
        return self.names[run] + (f", {self.names[on]}" if on and several else "")

    def _measured(self) -> Iterator[str]:
        for name in self._told:
            rows = [row for row in self.rows if row["measure"] == name]
            said = list(self._kept(rows))
            furthest = list(_furthest([row for row in rows if row["run"] != REAL and row["n"] > 1]))
            apart = [(a, b) for a, b in furthest if abs(a["mean"] - b["mean"]) > APART * _error(a, b)]
            if apart:
                between = dict.fromkeys(self._pair(a, b, rows) for a, b in apart)
                said.append(f"More than {APART:g} standard errors lie between {'; '.join(between)}.")
            elif furthest:
                said.append(f"Those furthest apart are within {APART:g} standard errors of each other.")
            if said:
                yield f"*{_capital(MEASURES[name].title)}.* {' '.join(said)}"

    def _kept(self, rows: Sequence[Row]) -> Iterator[str]:
        """Compare a spread of the last frames with that of the first."""
        parts = []
        for row in rows:
            same = {name: row[name] for name in ("dataset", "run", "on", "frames")}
            same["measure"] = row["measure"].replace("_last", "_first")
            before = [other for other in self.rows if other is not row and same.items() <= other.items()]
            parts += [f"{self._label(row, rows)} {_number(row['mean'] / one['mean'])}" for one in before if one["mean"]]
        if parts:
            yield f"As a share of what it is in the first 128 frames that is: {', '.join(parts)}."

    def _label(self, row: Row, rows: Sequence[Row]) -> str:
        many = len({other["frames"] for other in rows}) > 1
        return self._who(row["run"], row["on"]) + (f" at {row['frames']:,} frames" if many else "")

    def _pair(self, a: Row, b: Row, rows: Sequence[Row]) -> str:
        """Name two rows by what they differ in, with their means, and their data set where the answer has several."""
        data = [f" on {self.names[row['dataset']]}" if a["dataset"] != b["dataset"] else "" for row in (a, b)]
        several = len({row["dataset"] for row in rows}) > 1
        both = f" on {self.names[a['dataset']]}" if several and a["dataset"] == b["dataset"] else ""
        means = [_mean(row) for row in (a, b)]
        who = [self._who(row["run"], row["on"]) for row in (a, b)]
        if who[0] == who[1] and a["dataset"] == b["dataset"]:
            return f"{who[0]} at {a['frames']:,} ({means[0]}) and at {b['frames']:,} frames ({means[1]}){both}"
        said = [f"{self._label(row, rows)}{on} ({mean})" for row, on, mean in zip((a, b), data, means, strict=True)]
        return " and ".join(said) + both

    def _read(self) -> Iterator[str]:
        for dataset, reader in self.readers.items():
            name = self.names[dataset]
            if reader is None:
                yield f"{name} has no exact labels, so that only diagnostics of pixels are given."
                continue
            yield (
                f"The reader of {name} was fitted on {reader['frames']:,} frames of {reader['videos']} real videos of"
                f" {reader['persons']} persons, and their mirror images."
            )
            accuracy, used = reader["accuracy"], [name for name in reader["r2"] if name in reader["usable"]]
            if accuracy is None:
                yield "No video could be held out: nobody knows how well it reads, and its poses are not used."
                continue
            shares = ", ".join(f"{reader['r2'][name]:.2f} for {name}" for name in used)
            told = f"; R² is {shares}" if used else ""
            yield f"In videos that were held out it names the right person in {100 * accuracy:.1f} % of frames{told}."
            if bad := [f"{name} (R² {share:.2f})" for name, share in reader["r2"].items() if name not in used]:
                yield f"Not used, as it is not read well enough: {', '.join(bad)}."

    def _limits(self) -> Iterator[str]:
        counts = sorted({row["n"] for row in self.rows if row["measure"] in self._told and row["n"] > 1})
        many = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
        yield f"Each ± is a standard deviation over {many} videos, images or latents."
        if self.trainings == 1:
            yield "Each run was trained once: what lies between two runs may be the luck of their trainings."
        else:
            yield f"Each run was trained with {self.trainings} seeds, which are rows of their own."
        if any(reader for reader in self.readers.values()):
            yield f"These are drawn faces at the scale {self.scale}: what real faces would do, this cannot say."


def check_measures(measures: Sequence[str]) -> list[str]:
    """List those that nobody measures."""
    return [name for name in measures if name not in MEASURES]


def _furthest(made: Sequence[Row]) -> Iterator[tuple[Row, Row]]:
    """Of all lengths of a run, all runs on a data set, one method on all, the two furthest apart.

    Where no two rows differ in one of these alone, the two furthest apart of all of a length.
    """
    found: list[list[Row]] = []
    for free in ("frames", "run", "dataset"):
        groups: dict[tuple[Any, ...], list[Row]] = {}
        for row in made:
            # The same method on another data set is another run.
            key = {"frames": row["frames"], "run": row["run"].partition("/")[2], "dataset": row["dataset"]}
            kept = tuple(value for name, value in key.items() if name != free)
            groups.setdefault((*kept, row["on"] if free != "run" else ""), []).append(row)
        found += groups.values()
    if all(len(those) < 2 for those in found):
        found = [[row for row in made if row["frames"] == frames] for frames in {row["frames"] for row in made}]
    for those in found:
        yield from sorted(combinations(those, 2), key=lambda pair: -abs(pair[0]["mean"] - pair[1]["mean"]))[:1]


def _error(a: Row, b: Row) -> float:
    """Standard error of the difference of two means; infinite where one has no deviation."""
    parts = [row["std"] ** 2 / row["n"] for row in (a, b)]
    return math.inf if any(map(math.isnan, parts)) else math.sqrt(sum(parts))


def _mean(row: Row) -> str:
    return f"{_number(row['mean'] * 100)} %" if MEASURES[row["measure"]].percent else _number(row["mean"])


def _value(row: Row) -> str:
    percent = MEASURES[row["measure"]].percent
    scale = 100 if percent else 1
    mean, std = row["mean"] * scale, row["std"] * scale
    said = _number(mean) if math.isnan(std) else f"{_number(mean)} ± {_number(std)}"
    return f"{said} %" if percent else said


def _number(value: float) -> str:
    """Three digits, without an exponent for what is not tiny."""
    return "0" if value == 0 else f"{value:.3g}"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
