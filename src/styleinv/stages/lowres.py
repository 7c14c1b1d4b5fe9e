"""lowres: the data set's frames at a quarter of their size, for methods that learn long clips there first."""

from collections.abc import Iterator

import numpy as np

from styleinv.crop.centre import centre_crop
from styleinv.data.store import FrameStore, write_store
from styleinv.errors import UserError
from styleinv.provenance import Recorder
from styleinv.schema import fingerprint
from styleinv.stages.setting import Setting

# Between the two halves of Long-Video-GAN (256 and 64 in the paper's experiments).
SCALE = 4
# Frames that are decoded at once.
CHUNK = 64


def lowres(dataset: str, setting: Setting) -> None:
    """Write `lowres.zip` beside `frames.zip`.

    Raises:
        UserError: for a missing frame store, or one whose frames cannot be divided.
    """
    source, out = setting.paths.frames(dataset), setting.paths.data(dataset) / "lowres.zip"
    store = FrameStore(source)
    if store.resolution % SCALE or store.resolution < 4 * SCALE:
        raise UserError(
            f"frames of {store.resolution}x{store.resolution} cannot be made {SCALE} times smaller",
            file=source,
            cure=f"Use a resolution that is a multiple of {SCALE} and at least {4 * SCALE}.",
        )
    recorder = Recorder("lowres", dataset, fingerprint({"scale": SCALE}), [source])
    videos = ((name, _shrunk(store, i)) for i, name in enumerate(store.names))
    write_store(out, videos, store.meta | {"fps": store.fps}, "png" if store.codec == "png" else "jpeg95")
    recorder.write(setting.paths.data(dataset) / "lowres.provenance.json", [out])


def _shrunk(store: FrameStore, video: int) -> Iterator[np.ndarray]:
    length = int(store.lengths[video])
    for start in range(0, length, CHUNK):
        for frame in store.frames(video, range(start, min(start + CHUNK, length))):
            yield centre_crop(frame, store.resolution // SCALE)
