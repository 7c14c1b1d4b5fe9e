"""The FFHQ crop (Karras et al. 2019): a square set by the eyes and the corners of the mouth, cut out by a rotation.

A square is four numbers (centre x, centre y, axis x, axis y): the axis leads from the centre to the middle of the right
side. Coordinates name pixel centres by integers, as the recipe presumes.
"""

import cv2
import numpy as np
from PIL import Image

SUPERSAMPLING = 4  # the square is sampled at so many times the output's size, then averaged down
_LEFT_EYE, _RIGHT_EYE, _MOUTH = slice(36, 42), slice(42, 48), (48, 54)


def anchors(landmarks: np.ndarray) -> np.ndarray:
    """Compute the points that the square depends on: left eye, right eye, left and right corner of the mouth.

    Args:
        landmarks: [..., 68, 2], iBUG order; left is the image's left.

    Returns:
        float64 [..., 4, 2].
    """
    eyes = [landmarks[..., eye, :].mean(-2) for eye in (_LEFT_EYE, _RIGHT_EYE)]
    return np.stack([*eyes, *(landmarks[..., corner, :] for corner in _MOUTH)], -2).astype(np.float64)


def square(points: np.ndarray) -> np.ndarray:
    """Compute the square of FFHQ: anchors [..., 4, 2] -> float64 [..., 4]."""
    left, right, mouth = points[..., 0, :], points[..., 1, :], points[..., 2:, :].mean(-2)
    eyes, across = (left + right) / 2, right - left
    down = mouth - eyes
    axis = across - _quarter_turn(down)
    length = np.maximum(2.0 * np.linalg.norm(across, axis=-1), 1.8 * np.linalg.norm(down, axis=-1))
    axis = axis / np.linalg.norm(axis, axis=-1)[..., None] * length[..., None]
    return np.concatenate([eyes + 0.1 * down, axis], -1)


def corners(squares: np.ndarray) -> np.ndarray:
    """Compute top left, bottom left, bottom right and top right, in Pillow's order of QUAD: [..., 4] -> [..., 4, 2]."""
    centre, right = squares[..., :2], squares[..., 2:]
    down = _quarter_turn(right)
    return np.stack([centre - right - down, centre - right + down, centre + right + down, centre + right - down], -2)


def sides(squares: np.ndarray) -> np.ndarray:
    """Compute side lengths in pixels: [..., 4] -> [...]."""
    return 2 * np.linalg.norm(squares[..., 2:], axis=-1)


def to_crop(points: np.ndarray, squares: np.ndarray, output: int) -> np.ndarray:
    """Compute where points of the image lie in the crop.

    Args:
        points: [T, P, 2] in the image.
        squares: [T, 4].
        output: side of the crop in pixels.

    Returns:
        float64 [T, P, 2]; pixel centres of the crop are integers.
    """
    away = points - squares[:, None, :2]
    right = squares[:, None, 2:]
    axes = np.stack([right, _quarter_turn(right)], -2)  # [T, 1, 2, 2]
    shares = (axes * away[..., None, :]).sum(-1) / (right**2).sum(-1)[..., None]
    return (shares + 1) / 2 * output - 0.5


class Cropper:
    """Cuts squares out of the frames of one video.

    What FFHQ decides per image flickers in a video: the whole factor by which a large image is shrunk first jumps with
    the size of the face, and the blurred mirror image beyond the border, with its fade to the median colour, comes and
    goes. `once` decides both for all frames together: the shrink factor of the median size, and if any square leaves
    the image, one border as wide as the farthest one needs, blurred and faded by the same numbers and to the colour of
    the first frame.

    Args:
        squares: [T, 4], of all frames that will be cut.
        size: height and width of the frames in pixels.
        output: side of the crops in pixels.
        once: False repeats FFHQ's recipe frame by frame.
    """

    def __init__(self, squares: np.ndarray, size: tuple[int, int], output: int, once: bool = True):
        self.output, self.once = output, once
        self._size = size
        side = float(np.median(sides(squares)))
        self._shrink = _shrink(side, output)
        self._border = _border(side / self._shrink)
        self._sigma = 0.02 * side / self._shrink
        self._pads = self._common_pads(squares, side / self._shrink)
        self._colour: np.ndarray | None = None

    @property
    def padded(self) -> bool:
        """Whether the crops of this video continue the image beyond its border."""
        return self._pads is not None

    def crop(self, frame: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """Cut one crop.

        Args:
            frame: uint8 RGB [H, W, 3].
            chosen: its square, [4].

        Returns:
            uint8 RGB [output, output, 3].
        """
        if not self.once:
            return ffhq_crop(frame, chosen, self.output)
        image, quad = _shrunk(frame, corners(chosen), self._shrink)
        left, top, right, bottom = _around(quad, self._border)
        height, width = image.shape[:2]
        if self._pads is None:
            left, top, right, bottom = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
            return _sample(image[top:bottom, left:right], quad - [left, top], self.output)
        rows, columns = np.arange(top, bottom), np.arange(left, right)
        region = image[_mirrored(rows, height)[:, None], _mirrored(columns, width)]
        before_x, before_y, after_x, after_y = self._pads
        # 1 at the end of the border, 0 at the image's edge, negative inside.
        mask = np.maximum(
            1 - np.minimum((columns + before_x) / before_x, (width + after_x - 1 - columns) / after_x)[None],
            1 - np.minimum((rows + before_y) / before_y, (height + after_y - 1 - rows) / after_y)[:, None],
        )
        if self._colour is None:  # the median of what FFHQ would have padded
            wide = _mirrored(np.arange(max(left, 0) - before_x, min(right, width) + after_x), width)
            high = _mirrored(np.arange(max(top, 0) - before_y, min(bottom, height) + after_y), height)
            self._colour = np.median(image[high[:, None], wide], axis=(0, 1)).astype(np.float32)
        return _sample(_faded(region, mask, self._sigma, self._colour), quad - [left, top], self.output)

    def _common_pads(self, squares: np.ndarray, side: float) -> tuple[int, ...] | None:
        """Widths of the border on the left, top, right and bottom that are enough for every frame."""
        height, width = _shrunk_size(self._size, self._shrink)
        quads = corners(squares) / self._shrink
        overhang = _overhang(quads.reshape(-1, 2), width, height, self._border)
        return _pads(overhang, self._border, side)


def ffhq_crop(frame: np.ndarray, chosen: np.ndarray, output: int) -> np.ndarray:
    """Crop one image by FFHQ's own recipe, each decision from this image alone; arguments as for `Cropper.crop`."""
    side = float(sides(chosen))
    shrink = _shrink(side, output)
    image, quad = _shrunk(frame, corners(chosen), shrink)
    side /= shrink
    border = _border(side)
    left, top, right, bottom = _around(quad, border)
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, image.shape[1]), min(bottom, image.shape[0])
    image, quad = image[top:bottom, left:right], quad - [left, top]
    height, width = image.shape[:2]
    pads = _pads(_overhang(quad, width, height, border), border, side)
    if pads is None or not image.size:
        return _sample(image, quad, output)
    before_x, before_y, after_x, after_y = pads
    image = np.pad(image, ((before_y, after_y), (before_x, after_x), (0, 0)), mode="reflect")
    height, width = image.shape[:2]
    x, y = np.arange(width)[None], np.arange(height)[:, None]
    mask = np.maximum(
        1 - np.minimum(x / before_x, (width - 1 - x) / after_x),
        1 - np.minimum(y / before_y, (height - 1 - y) / after_y),
    )
    faded = _faded(image, mask, 0.02 * side, None)
    return _sample(faded, quad + [before_x, before_y], output)


def _quarter_turn(vector: np.ndarray) -> np.ndarray:
    """Turn right to down: (x, y) -> (-y, x)."""
    return np.stack([-vector[..., 1], vector[..., 0]], -1)


def _shrink(side: float, output: int) -> int:
    return max(int(np.floor(0.5 * side / output)), 1)


def _border(side: float) -> int:
    return max(int(np.rint(0.1 * side)), 3)


def _shrunk_size(size: tuple[int, int], factor: int) -> tuple[int, int]:
    return max(int(np.rint(size[0] / factor)), 1), max(int(np.rint(size[1] / factor)), 1)


def _shrunk(frame: np.ndarray, quad: np.ndarray, factor: int) -> tuple[np.ndarray, np.ndarray]:
    if factor == 1:
        return frame, quad
    height, width = _shrunk_size((frame.shape[0], frame.shape[1]), factor)
    return np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.LANCZOS)), quad / factor


def _around(quad: np.ndarray, border: int) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of whole pixels around a quadrilateral, `border` away."""
    low, high = np.floor(quad.min(0)).astype(int) - border, np.ceil(quad.max(0)).astype(int) + border
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _overhang(points: np.ndarray, width: int, height: int, border: int) -> np.ndarray:
    """How much is missing on the left, top, right and bottom: int [4], at least 0."""
    low, high = np.floor(points.min(0)), np.ceil(points.max(0))
    missing = np.concatenate([-low, high - [width, height]]) + border
    return np.maximum(missing.astype(int), 0)


def _pads(overhang: np.ndarray, border: int, side: float) -> tuple[int, ...] | None:
    if overhang.max() <= border - 4:
        return None
    return tuple(int(pad) for pad in np.maximum(overhang, int(np.rint(0.3 * side))))


def _mirrored(index: np.ndarray, length: int) -> np.ndarray:
    """Indices beyond an axis as those of its mirror image, its edge not repeated."""
    if length == 1:
        return np.zeros_like(index)
    folded = np.mod(index, 2 * (length - 1))
    return np.minimum(folded, 2 * (length - 1) - folded)


def _faded(image: np.ndarray, mask: np.ndarray, sigma: float, colour: np.ndarray | None) -> np.ndarray:
    """Blur towards and beyond the image's edge, then fade to a colour (the median's, if none is given)."""
    reach = int(np.ceil(4 * sigma))
    out = image.astype(np.float32)
    if (mask > -1 / 3).any():
        mask = mask.astype(np.float32)[..., None]
        size = (2 * reach + 1, 2 * reach + 1)
        blurred = cv2.GaussianBlur(out, size, sigma, borderType=cv2.BORDER_REFLECT)
        out += (blurred - out) * np.clip(3 * mask + 1, 0, 1)
        target = np.median(out, axis=(0, 1)) if colour is None else colour
        out += (target - out) * np.clip(mask, 0, 1)
    return np.clip(np.rint(out), 0, 255).astype(np.uint8)


def _sample(image: np.ndarray, quad: np.ndarray, output: int) -> np.ndarray:
    """Sample a quadrilateral as a square, bilinearly at four times its size, then Lanczos."""
    if not image.size:  # a square that lies outside of the image altogether
        return np.zeros((output, output, 3), np.uint8)
    large = (output * SUPERSAMPLING, output * SUPERSAMPLING)
    data = tuple(float(value) for value in (quad + 0.5).flatten())
    out = Image.fromarray(image).transform(large, Image.Transform.QUAD, data, Image.Resampling.BILINEAR)
    return np.asarray(out.resize((output, output), Image.Resampling.LANCZOS)).copy()
