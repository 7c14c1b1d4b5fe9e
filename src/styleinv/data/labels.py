"""Who is seen in each stored frame and in which pose, where the source of the videos knows it."""

import numpy as np

from styleinv.data import sources
from styleinv.data.census import Census
from styleinv.data.manifest import Manifest

# Name of a label -> its value in each frame of a video.
Labels = dict[str, np.ndarray]


def stored_labels(manifest: Manifest, census: Census) -> dict[str, Labels] | None:
    """Give the exact labels of the frames of every video of a store, by its name; None where the source has none."""
    kind = sources.get(manifest.source["kind"])
    if not hasattr(kind, "labels"):
        return None
    raw, stored = kind.labels(manifest), {}
    for kept in census.kept:
        frames = np.concatenate([np.arange(first, first + length) for first, length in kept.runs])
        stored[kept.name] = {name: values[frames] for name, values in raw[kept.video or kept.name].items()}
    return stored
