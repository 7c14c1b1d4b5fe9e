"""Reproduce, compare and extend StyleInV (ICCV 2023); `load` gives a trained run to make videos with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from styleinv.stages.model import Model


def load(run: str, results: str | Path = "results", device: str = "auto", psi: float = 1.0) -> Model:
    """Load a trained run to make videos with: docs/apply.md.

    Args:
        run: its name, such as `talking_faces/styleinv`, or the folder of a packed one.
        results: the results folder that it lies in.
        device: `cpu`, `cuda`, or `auto` for a GPU where there is one.
        psi: truncation: 1 is what the method has learnt, towards 0 all videos become like the mean one.

    Raises:
        UserError: the name is none, the method makes no videos or knows no truncation, or there is no such model.
    """
    # Here, as torch takes seconds to import.
    from styleinv.stages.pack import load_named

    return load_named(run, results, device, psi)
