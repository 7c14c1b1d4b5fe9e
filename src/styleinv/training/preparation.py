"""What a method needs before it can train, besides the models it builds on: a stage of its own, declared by the method.

A method's folder may hold a module `preparation` with a `PREPARATION`; the YAML of every method that needs it names it
under `needs`. Command, rule and paths follow from the declaration, so these modules import nothing heavy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from styleinv.paths import Paths
from styleinv.runs import Run

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Material:
    """What one preparation works with.

    Attributes:
        source: the file it reads: the frame store, or the model that the run builds on.
        out: the file it writes.
        config: the resolved settings of the run; None for what is made once for a data set.
        seed: of the run, or of the scale for what is made once for a data set.
        device: where networks run.
        trial: True where only the shapes of the result count, as when costs are measured.
    """

    source: Path
    out: Path
    config: Any
    seed: int
    device: torch.device
    trial: bool = False


@dataclass(frozen=True)
class Preparation:
    """One such stage.

    Attributes:
        name: of the stage, the command and the rule.
        help: what it does, for the command line.
        per: made for every `run`, or once for a `dataset`.
        reads: the frame store of the data set, or the model that the run builds on.
        file: name of its output, in the folder of the run or of the data set.
        make: writes the output; returns further entries of its provenance.
        settings: the key of the method's settings that it depends on; None for none.
    """

    name: str
    help: str
    per: Literal["run", "dataset"]
    reads: Literal["frames", "model"]
    file: str
    make: Callable[[Material], dict[str, Any]]
    settings: str | None = None

    def folder(self, paths: Paths, run: Run) -> Path:
        """The folder of its output and its provenance."""
        return paths.run(run) if self.per == "run" else paths.data(run.dataset)

    def output(self, paths: Paths, run: Run) -> Path:
        """The file that a run needs."""
        return self.folder(paths, run) / self.file
