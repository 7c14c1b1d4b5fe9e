"""The mask crop beyond the golden case: each rule of the box, and what `fixed` does better."""

import numpy as np
import pytest

from styleinv.crop.centre import centre_crop
from styleinv.crop.mask import NoFace, faithful_crop, fixed_crop, smooth_boxes, square, tight_box


def marked(left: int, right: int, top: int, bottom: int, height: int = 64, width: int = 80) -> np.ndarray:
    """A white mask, black in columns left..right and rows top..bottom, both included."""
    mask = np.full((height, width, 3), 255, np.uint8)
    mask[top : bottom + 1, left : right + 1] = 0
    return mask


def picture(height: int = 64, width: int = 80) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 3, y * 3, x + y], axis=-1).astype(np.uint8)


def test_box_uses_last_indices_and_ignores_noise() -> None:
    mask = marked(20, 50, 10, 45)
    assert tight_box(mask) == (20, 50, 10, 45)
    mask[:, 70] -= 1  # 3 summed over the channels: below the threshold of 5
    assert tight_box(mask) == (20, 50, 10, 45)
    mask[:, 70] -= 1
    assert tight_box(mask)[1] == 70
    with pytest.raises(NoFace):
        tight_box(np.full((8, 8, 3), 255, np.uint8))


def test_squaring_gives_the_odd_pixel_to_the_right_and_below() -> None:
    assert square((20, 50, 10, 45)) == (18, 53, 10, 45)
    assert square((10, 45, 20, 50)) == (10, 45, 18, 53)
    assert square((10, 40, 20, 50)) == (10, 40, 20, 50)


def test_faithful_drops_above_and_left_and_squashes_right_and_below() -> None:
    frame = picture()
    assert faithful_crop(frame, (2, 30, 5, 58), 32) is None  # leaves on the left
    assert faithful_crop(frame, (10, 70, 2, 40), 32) is None  # leaves above
    for box in ((55, 78, 2, 62), (10, 70, 30, 62)):
        image = faithful_crop(frame, box, 32)
        assert image is not None and image.shape == (32, 32, 3)
    inside = faithful_crop(frame, (20, 52, 10, 42), 32)
    assert np.array_equal(inside, frame[10:42, 20:52])  # same size: nothing to resample


def test_fixed_keeps_every_frame_and_mirrors_the_border() -> None:
    frame = picture()
    inside = fixed_crop(frame, np.array([40.0, 32.0, 32.0]), 32)
    assert np.array_equal(inside, frame[16:48, 24:56])
    beyond = fixed_crop(frame, np.array([0.0, 32.0, 32.0]), 32)
    assert np.array_equal(beyond[:, 16:], frame[16:48, :16])
    assert np.array_equal(beyond[:, :16], frame[16:48, :16][:, ::-1])
    far = fixed_crop(frame, np.array([78.0, 62.0, 50.0]), 16)
    assert far.shape == (16, 16, 3)


def test_smoothing_calms_the_box_and_fills_gaps() -> None:
    rng = np.random.default_rng(0)
    jitter = rng.integers(-2, 3, size=(60, 2))
    boxes = [(20 + a, 50 + a, 10 + b, 50 + b) for a, b in jitter.tolist()]
    smooth = smooth_boxes([*boxes[:30], None, None, *boxes[32:]], fps=25)
    assert smooth.shape == (60, 3)
    assert np.allclose(smooth[:, 2], 41)  # the larger side, last row included
    assert np.abs(smooth[:, :2] - [35.5, 30.5]).max() < 2
    raw = np.array([[(left + right + 1) / 2, (top + bottom + 1) / 2] for left, right, top, bottom in boxes])
    assert np.diff(smooth[:, :2], axis=0).std() < 0.1 * np.diff(raw, axis=0).std()
    still = smooth_boxes([(1, 5, 2, 9)], fps=25)
    assert np.allclose(still, [[3.5, 6.0, 8.0]])
    with pytest.raises(NoFace):
        smooth_boxes([None, None], fps=25)


@pytest.mark.parametrize(("height", "width"), [(64, 80), (81, 64), (32, 32), (20, 24)])
def test_centre_crop(height: int, width: int) -> None:
    frame = picture(height, width)
    image = centre_crop(frame, 32)
    assert image.shape == (32, 32, 3) and image.dtype == np.uint8 and image.flags.writeable
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    inner = frame[top : top + side, left : left + side]
    assert np.abs(image.mean(axis=(0, 1)) - inner.mean(axis=(0, 1))).max() < 2
    if side == 32:
        assert np.array_equal(image, inner)


def test_centre_crop_does_not_alias() -> None:
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255
    image = centre_crop(stripes, 32)
    assert image[4:-4, 4:-4].std() < 4 and abs(image[4:-4, 4:-4].mean() - 127.5) < 3
