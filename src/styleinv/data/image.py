"""Decoding of still images of unknown origin, within limits."""

import functools
import io

import cv2
import numpy as np
from PIL import Image, JpegImagePlugin

MAX_PIXELS = 1 << 26  # 8192 x 8192; a small file can announce far more than fits into memory


def image_size(data: bytes) -> tuple[int, int]:
    """Read width and height of an encoded image from its header.

    Raises:
        ValueError: no image, or larger than `MAX_PIXELS`.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
    except Image.DecompressionBombError:
        raise ValueError(f"announces more than {MAX_PIXELS} pixels") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError("is empty (zero bytes)" if not data else "cannot be decoded") from error
    if width * height > MAX_PIXELS:
        raise ValueError(f"announces {width} x {height} pixels")
    return width, height


def storage_of(data: bytes) -> str:
    """Describe how an image is stored, in the words of a protocol's codec: `jpeg quality 75 4:2:0`, `none` if lossless.

    The quality is that of the libjpeg tables which the file holds.
    """
    with Image.open(io.BytesIO(data)) as image:
        if image.format != "JPEG":
            return "none"
        tables = list(image.quantization.values())  # type: ignore[attr-defined]
        sampling = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}.get(JpegImagePlugin.get_sampling(image), "other sampling")
    quality = next((quality for quality in range(1, 101) if _tables(quality)[: len(tables)] == tables), None)
    return f"jpeg {'other tables' if quality is None else f'quality {quality}'} {sampling}"


@functools.cache
def _tables(quality: int) -> list[list[int]]:
    """The quantization tables of luma and chroma that libjpeg writes for a quality."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG", quality=quality)
    with Image.open(file) as image:
        return list(image.quantization.values())  # type: ignore[attr-defined]


def decode_image(data: bytes) -> np.ndarray:
    """Decode an image as viewers show it: turned by its orientation tag, without alpha, 8 bits a channel.

    Returns:
        uint8 RGB [H, W, 3].

    Raises:
        ValueError: no whole image, or larger than `MAX_PIXELS`.
    """
    image_size(data)
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError("cannot be decoded")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
