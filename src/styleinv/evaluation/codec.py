"""The JPEG round trip of generated frames, in memory.

Both official pipelines store generated frames through Pillow with a quality option it ignores, that is quality 75
with 4:2:0 chroma, and score the stored files. Pillow encodes here too: simplejpeg's encoder uses a faster, less exact
transform, and its files differ visibly from Pillow's. Decoders agree to the bit.
"""

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import simplejpeg
import torch
from PIL import Image

from styleinv.evaluation.protocol import Protocol
from styleinv.files import atomic


def encode(frame: np.ndarray, protocol: Protocol) -> bytes:
    """Encode one frame, uint8 [H, W, 3], as the protocol stores it: JPEG, or PNG where the protocol has no codec."""
    file = io.BytesIO()
    image = Image.fromarray(frame)
    if protocol.jpeg_quality is None:
        image.save(file, "PNG")
    else:
        image.save(file, "JPEG", quality=protocol.jpeg_quality, subsampling=protocol.jpeg_subsampling)
    return file.getvalue()


def stored(clips: torch.Tensor, protocol: Protocol, names: list[str], keep: Path | None = None) -> torch.Tensor:
    """Store clips, read them again and return what is left of them.

    Args:
        clips: uint8 [N, T, 3, H, W].
        protocol: says which codec.
        names: N folder names, used with `keep`.
        keep: folder that also receives the frames as `<name>/<frame>.jpg` or `.png`; None writes nothing.

    Returns:
        uint8 [N, T, 3, H, W]; the input itself when the protocol has no codec.
    """
    if protocol.jpeg_quality is None and keep is None:
        return clips
    frames = clips.permute(0, 1, 3, 4, 2).contiguous().numpy()
    suffix = ".png" if protocol.jpeg_quality is None else ".jpg"

    def store(index: tuple[int, int]) -> np.ndarray:
        video, number = index
        data = encode(frames[index], protocol)
        if keep is not None:
            with atomic(keep / names[video] / f"{number:06d}{suffix}") as temporary:
                temporary.write_bytes(data)
        if protocol.jpeg_quality is None:
            return frames[index]
        return simplejpeg.decode_jpeg(data, "RGB")

    with ThreadPoolExecutor() as threads:
        decoded = list(threads.map(store, np.ndindex(*frames.shape[:2])))
    return torch.from_numpy(np.stack(decoded).reshape(frames.shape)).permute(0, 1, 4, 2, 3)
