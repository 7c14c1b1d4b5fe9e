"""Measures of how much a crop shakes, most of them without knowing where the face really is.

Everything is in pixels of the output (roll in degrees): a face that is twice as large in the source does not shake
twice as much. Centre, size and roll are kept apart, since a size that breathes disturbs most.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from styleinv.crop.ffhq import sides, square, to_crop

CUT = 5.0  # Hz; heads hardly move faster
PARTS = ("centre_px", "size_px", "roll_deg")


def path(squares: np.ndarray, output: int) -> np.ndarray:
    """Convert squares [T, 4] to pixels of the output: float64 [T, 4], centre x and y, size, and roll in degrees.

    Centres are in output pixels of the median size; a change of the size by a share s moves an edge to edge distance
    by s times the output.
    """
    length = sides(squares)
    centre = squares[:, :2] * output / np.median(length)
    roll = np.degrees(np.unwrap(np.arctan2(squares[:, 3], squares[:, 2])))
    return np.concatenate([centre, output * np.log(length)[:, None], roll[:, None]], 1)


def jerkiness(squares: np.ndarray, output: int) -> dict[str, float | None]:
    """Measure the root mean square of second differences in time of centre, size and roll; None below three frames."""
    return _by_part(np.diff(path(squares, output), n=2, axis=0))


def jitter(squares: np.ndarray, exact: np.ndarray, output: int) -> dict[str, float | None]:
    """Measure how the distance to exact squares [T, 4] changes per frame: root mean square; None below two frames."""
    return _by_part(np.diff(path(squares, output) - path(exact, output), axis=0))


def hf_ratio(squares: np.ndarray, output: int, fps: float) -> dict[str, float | None]:
    """Measure the share of the power above 5 Hz in the path without its linear trend.

    None below 16 frames or 10 frames per second, and where nothing moves.
    """
    steps = path(squares, output)
    if len(steps) < 16 or fps <= 2 * CUT:
        return dict.fromkeys(PARTS)
    time = np.arange(len(steps)) - (len(steps) - 1) / 2
    level = steps - steps.mean(0)
    level -= time[:, None] * (time @ level / (time @ time))
    power = np.abs(np.fft.rfft(level * np.hanning(len(level))[:, None], axis=0)) ** 2
    fast = power[np.fft.rfftfreq(len(level), 1 / fps) > CUT].sum(0)
    parts = [(fast[:2].sum(), power[:, :2].sum()), *zip(fast[2:], power[:, 2:].sum(0), strict=True)]
    ratios = [float(above / all_) if all_ > 1e-12 else None for above, all_ in parts]
    return dict(zip(PARTS, ratios, strict=True))


def residual(points: np.ndarray, squares: np.ndarray, output: int) -> dict[str, dict[str, float | None]]:
    """Measure the rigid motion that is left inside a crop.

    Args:
        points: [T, 4, 2], anchors in the image, as exact as they are known.
        squares: [T, 4] that were cut out.
        output: side of the crop in pixels.

    Returns:
        {"alignment", "shake"}: the distance of the crop's own FFHQ square from the crop (root mean square), and how it
        jerks. Smoothing lowers the second and raises the first.
    """
    inside = square(to_crop(points, squares, output))
    middle = np.array([(output - 1) / 2, (output - 1) / 2, output / 2, 0.0])
    off = inside - middle
    size = output * np.log(sides(inside) / output)
    roll = np.degrees(np.arctan2(inside[:, 3], inside[:, 2]))
    return {
        "alignment": _by_part(np.concatenate([off[:, :2], size[:, None], roll[:, None]], 1)),
        "shake": jerkiness(inside, output),
    }


class FrameFidelity:
    """ITF: mean PSNR of consecutive frames in decibels, fed frame by frame; steadier videos have more."""

    def __init__(self) -> None:
        self._last: np.ndarray | None = None
        self._sum, self._count = 0.0, 0

    def add(self, frame: np.ndarray) -> None:
        """Take the next frame, uint8 [H, W, 3]."""
        if self._last is not None:
            error = np.square(frame.astype(np.float32) - self._last).mean(dtype=np.float64)
            self._sum += 10 * np.log10(255**2 / max(error, 255**2 * 1e-10))  # equal frames count as 100 dB
            self._count += 1
        self._last = frame.astype(np.float32)

    @property
    def value(self) -> float | None:
        """The ITF in decibels; None below two frames."""
        return self._sum / self._count if self._count else None


def measure(squares: np.ndarray, output: int, fps: float) -> dict[str, Any]:
    """Measure jerkiness and share of fast motion of one clip."""
    return {"jerkiness": jerkiness(squares, output), "hf_ratio": hf_ratio(squares, output, fps)}


def summary(clips: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Summarise clips by median and 95 % quantile of every number that they have, in the same nesting."""
    out: dict[str, Any] = {}
    for key in dict.fromkeys(key for clip in clips for key in clip):
        values = [clip[key] for clip in clips if clip.get(key) is not None]
        if values and isinstance(values[0], dict):
            out[key] = summary(values)
        elif values:
            out[key] = {"median": _rounded(np.median(values)), "p95": _rounded(np.quantile(values, 0.95))}
    return out


def rounded(value: Any) -> Any:
    """Round every number to six significant digits, which is more than is measured and equal on most machines."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return _rounded(value) if isinstance(value, float) else value


def _rounded(value: Any) -> float:
    return float(f"{float(value):.6g}")


def _by_part(steps: np.ndarray) -> dict[str, float | None]:
    """Root mean squares of [n, 4] as centre (both coordinates together), size and roll."""
    if not len(steps):
        return dict.fromkeys(PARTS)
    power = np.square(steps).mean(0)
    return dict(zip(PARTS, np.sqrt([power[:2].sum(), power[2], power[3]]).tolist(), strict=True))
