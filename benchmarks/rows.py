"""Rows of the benchmark suite: what each measures, and what it must reach.

A row is a function registered by `row` with its figures, which own the numbers that must hold; it returns one value a
figure.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One figure of a row.

    Attributes:
        what: is measured or counted.
        unit: of the values; `x` is how many times as fast or small as the peer.
        must, target: what the figure has to reach and what it is to reach; None where there is none.
        most: whether these are upper limits, not lower ones.
    """

    what: str
    unit: str
    must: float | None
    target: float | None
    most: bool

    def holds(self, value: float) -> bool | None:
        """Whether a value is what it must be; None where nothing must."""
        if self.must is None:
            return None
        return value <= self.must if self.most else value >= self.must


def at_least(what: str, must: float | None = None, target: float | None = None, unit: str = "x") -> Figure:
    """Describe a figure that is better when it is larger."""
    return Figure(what, unit, must, target, most=False)


def at_most(what: str, must: float | None = None, target: float | None = None, unit: str = "") -> Figure:
    """Describe a figure that is better when it is smaller."""
    return Figure(what, unit, must, target, most=True)


@dataclass(frozen=True)
class Row:
    """A row of the suite.

    Attributes:
        name: C1 to C16.
        title: what it is about, and the peer.
        counted: whether it counts, so that it gives the same on every machine.
        figures: what `run` returns the values of.
        run: measures.
        reason: why a figure cannot be what it must; empty where all can.
    """

    name: str
    title: str
    counted: bool
    figures: tuple[Figure, ...]
    run: Callable[[], Sequence[float]]
    reason: str = ""


ROWS: dict[str, Row] = {}


def row(
    name: str, title: str, *figures: Figure, counted: bool = False, reason: str = ""
) -> Callable[[Callable[[], Sequence[float]]], Callable[[], Sequence[float]]]:
    """Register a function as a row of the suite."""

    def register(run: Callable[[], Sequence[float]]) -> Callable[[], Sequence[float]]:
        assert name not in ROWS, f"two rows are called {name}"
        ROWS[name] = Row(name, title, counted, figures, run, reason)
        return run

    return register
