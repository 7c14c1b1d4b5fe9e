"""Names of runs: `<dataset>/<method>[-<variant>][-seed<N>]`."""

import re
from pathlib import Path

from styleinv.errors import UserError
from styleinv.schema import Strict

# In the folder of a packed run: which it is, and the hashes of its files.
CARD = "card.json"
NAME = re.compile(r"[a-z0-9_]+\Z")
SEED = re.compile(r"seed(0|[1-9][0-9]*)\Z")


class Run(Strict):
    """The name of a run: `<dataset>/<method>[-<variant>][-seed<N>]`.

    Attributes:
        seed: of its training; None is the seed of the scale.
    """

    dataset: str
    method: str
    variant: str = ""
    seed: int | None = None

    def __str__(self) -> str:
        return f"{self.dataset}/{self.folder}"

    @property
    def settings(self) -> str:
        """What its settings are called in a scale or a data set: `<method>` or `<method>-<variant>`."""
        return f"{self.method}-{self.variant}" if self.variant else self.method

    @property
    def folder(self) -> str:
        """The name without the data set."""
        return self.settings if self.seed is None else f"{self.settings}-seed{self.seed}"

    def seeded(self, seed: int | None) -> "Run":
        """Return the same run with another seed."""
        return self.model_copy(update={"seed": seed})


def parse_run(text: str) -> Run:
    """Read the name of a run, such as `taichi/styleinv-no_ffa_ape` or `taichi/styleinv-seed1`.

    Raises:
        UserError: it is no such name.
    """
    dataset, slash, rest = text.partition("/")
    method, *more = rest.split("-")
    seed = int(found[1]) if more and (found := SEED.match(more[-1])) else None
    variant = more[:-1] if seed is not None else more
    if not slash or len(variant) > 1 or not all(NAME.match(part) for part in (dataset, method, *variant)):
        raise UserError(f"{text!r} is no run", cure="Write <dataset>/<method>[-<variant>][-seed<N>].")
    return Run(dataset=dataset, method=method, variant="".join(variant), seed=seed)


def parse_model(text: str) -> Run | Path:
    """Read the name of a run, or of a folder with a packed one.

    Raises:
        UserError: it is neither.
    """
    return Path(text) if (Path(text) / CARD).is_file() else parse_run(text)


def parse_seeds(text: str) -> list[int]:
    """Read seeds, written as `0-7` or `3,5`.

    Raises:
        UserError: it is no such list.
    """
    try:
        parts = [part.split("-") for part in text.split(",")]
        return [seed for part in parts for seed in range(int(part[0]), int(part[-1]) + 1)]
    except ValueError:
        raise UserError(f"{text!r} is no list of seeds", field="--seeds", cure="Write 0-7 or 3,5.") from None
