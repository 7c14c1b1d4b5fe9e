"""Walks through the folders that people bring."""

import os
from collections.abc import Iterator
from pathlib import Path

from styleinv.errors import cannot_read


def walk(root: Path, denied: list[OSError] | None) -> Iterator[tuple[Path, list[str]]]:
    """Yield every folder below a root with the names of its files; links are followed, hidden folders left out.

    Args:
        root: a folder, which comes first.
        denied: gets the error of each folder that cannot be listed; None ends the walk at the first.

    Raises:
        UserError: a folder cannot be listed, and there is no list to note it in.
    """

    def note(error: OSError) -> None:
        if denied is None:
            raise cannot_read(error.filename, error) from None
        denied.append(error)

    seen: set[str] = set()
    for place, subfolders, names in os.walk(root, followlinks=True, onerror=note):
        if (real := os.path.realpath(place)) in seen:  # a link back up would walk for ever
            subfolders.clear()
            continue
        seen.add(real)
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        yield Path(place), names
