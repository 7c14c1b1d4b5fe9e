"""lowres: the frames of a data set at a quarter of their size, where Long-Video-GAN learns long clips first."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from styleinv.training.preparation import Material, Preparation

if TYPE_CHECKING:
    import numpy as np

    from styleinv.data.store import FrameStore

# Between the two halves of Long-Video-GAN (256 and 64 in the paper's experiments).
SCALE = 4
# Frames that are decoded at once.
CHUNK = 64


def make(material: Material) -> dict[str, Any]:
    """Write the smaller frame store.

    Raises:
        UserError: for frames that cannot be divided.
    """
    from styleinv.data.store import FrameStore, write_store
    from styleinv.errors import UserError

    store = FrameStore(material.source)
    if store.resolution % SCALE or store.resolution < 4 * SCALE:
        raise UserError(
            f"frames of {store.resolution}x{store.resolution} cannot be made {SCALE} times smaller",
            file=material.source,
            cure=f"Use a resolution that is a multiple of {SCALE} and at least {4 * SCALE}.",
        )
    videos = ((name, _shrunk(store, i)) for i, name in enumerate(store.names))
    write_store(material.out, videos, store.meta | {"fps": store.fps}, "png" if store.codec == "png" else "jpeg95")
    return {"scale": SCALE}


def _shrunk(store: "FrameStore", video: int) -> "Iterator[np.ndarray]":
    import numpy as np
    from PIL import Image

    size = (store.resolution // SCALE, store.resolution // SCALE)
    length = int(store.lengths[video])
    for start in range(0, length, CHUNK):
        for frame in store.frames(video, range(start, min(start + CHUNK, length))):
            yield np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS)).copy()


PREPARATION = Preparation(
    name="lowres",
    help="the frame store of a data set, four times smaller",
    per="dataset",
    reads="frames",
    file="lowres.zip",
    make=make,
)
