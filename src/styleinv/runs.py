"""Names of runs: `<dataset>/<method>[-<variant>]`."""

import re

from styleinv.errors import UserError
from styleinv.schema import Strict

NAME = re.compile(r"[a-z0-9_]+\Z")


class Run(Strict):
    """The name of a run: `<dataset>/<method>` or `<dataset>/<method>-<variant>`."""

    dataset: str
    method: str
    variant: str = ""

    def __str__(self) -> str:
        return f"{self.dataset}/{self.folder}"

    @property
    def folder(self) -> str:
        """`<method>` or `<method>-<variant>`."""
        return f"{self.method}-{self.variant}" if self.variant else self.method


def parse_run(text: str) -> Run:
    """Read the name of a run, such as `taichi/styleinv-no_ffa_ape`.

    Raises:
        UserError: it is no such name.
    """
    dataset, slash, rest = text.partition("/")
    method, dash, variant = rest.partition("-")
    if not slash or not all(NAME.match(part) for part in (dataset, method, variant if dash else "x")):
        raise UserError(f"{text!r} is no run", cure="Write <dataset>/<method> or <dataset>/<method>-<variant>.")
    return Run(dataset=dataset, method=method, variant=variant)


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
