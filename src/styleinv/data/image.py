"""Decoding of still images of unknown origin, within limits."""

import io

import cv2
import numpy as np
from PIL import Image

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
