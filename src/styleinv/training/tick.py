"""tick.json: how far a training is and how fast, in a small file that anybody may read at any time."""

from dataclasses import asdict, dataclass
from pathlib import Path

from styleinv.errors import UserError
from styleinv.files import read_json, write_json


@dataclass(frozen=True)
class Tick:
    """How far a training is.

    Attributes:
        step, last_step: of the training.
        kimg, total_kimg: thousands of images that it has shown, and will have shown at its end.
        seconds_per_kimg: of the present process.
        memory_gb: the most that the first process has taken of its host.
    """

    step: int
    last_step: int
    kimg: float
    total_kimg: float
    seconds_per_kimg: float
    memory_gb: float

    @property
    def seconds_left(self) -> float:
        """Time to its end at this rate."""
        return max(0.0, self.total_kimg - self.kimg) * self.seconds_per_kimg

    def write(self, path: Path) -> None:
        """Replace the file."""
        write_json(path, asdict(self))


def read_tick(path: Path) -> Tick | None:
    """Read the file of a training; None where there is none that can be read."""
    try:
        return Tick(**read_json(path))
    except (UserError, TypeError):
        return None
