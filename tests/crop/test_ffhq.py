"""The square and its crop against values computed by hand and against the recipe written out plainly."""

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from styleinv.crop.ffhq import Cropper, anchors, corners, ffhq_crop, sides, square, to_crop

RNG = np.random.default_rng(0)


def face(left: tuple, right: tuple, mouth_left: tuple, mouth_right: tuple) -> np.ndarray:
    """68 landmarks whose eyes' means and corners of the mouth are these; the others are far away."""
    points = np.full((68, 2), 1e4)
    ring = np.array([(-6, 0), (-3, -3), (3, -3), (6, 0), (3, 3), (-3, 3)])
    points[36:42], points[42:48] = ring + left, ring + right
    points[48], points[54] = mouth_left, mouth_right
    return points


def smooth_noise(height: int, width: int) -> np.ndarray:
    image = gaussian_filter(RNG.normal(0, 1, (height, width, 3)), (4, 4, 0))
    return np.clip(128 + 400 * image, 0, 255).astype(np.uint8)


def test_square_by_hand() -> None:
    wide = square(anchors(face((100, 100), (160, 100), (110, 160), (150, 160))))
    assert np.allclose(wide, [130, 106, 120, 0]) and np.isclose(sides(wide), 240)
    assert np.allclose(corners(wide), [[10, -14], [10, 226], [250, 226], [250, -14]])
    tall = square(anchors(face((100, 100), (160, 100), (110, 200), (150, 200))))
    assert np.allclose(tall, [130, 110, 180, 0])  # 1.8 times eyes to mouth is more than twice eye to eye
    # The same face lying on its side (a quarter turn to the right about the origin).
    lying = square(anchors(face((-100, 100), (-100, 160), (-160, 110), (-160, 150))))
    assert np.allclose(lying, [-106, 130, 0, 120])
    # A mouth that is off to the side turns the square half-way: X = (60, 0) - (-60, 30) = (120, -30).
    askew = square(anchors(face((100, 100), (160, 100), (140, 160), (180, 160))))
    length = 2 * 60 if 2 * 60 > 1.8 * np.hypot(30, 60) else 1.8 * np.hypot(30, 60)
    assert np.allclose(askew, [133, 106, *np.array([120, -30]) / np.hypot(120, 30) * length])


def test_square_follows_shift_scale_and_roll() -> None:
    points = RNG.normal(0, 1, (5, 4, 2)) + np.array([(-20, 0), (20, 0), (-12, 40), (12, 40)])
    angle, scale, shift = 0.7, 3.1, np.array([11.0, -4.5])
    turn = scale * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    moved, still = square(points @ turn + shift), square(points)
    assert np.allclose(moved[:, :2], still[:, :2] @ turn + shift) and np.allclose(moved[:, 2:], still[:, 2:] @ turn)


@pytest.mark.parametrize("axis", [(32, 0), (0, 32), (-32, 0), (0, -32)])
def test_order_of_the_corners(axis: tuple[int, int]) -> None:
    """A square that covers the whole image gives the image, turned by its axis: nothing is mirrored or shifted."""
    image = smooth_noise(64, 64)
    turned = np.rot90(image, {(32, 0): 0, (0, 32): 1, (-32, 0): 2, (0, -32): 3}[axis])
    whole = np.array([31.5, 31.5, *axis], float)
    inside = (slice(4, -4), slice(4, -4))  # the edges are blurred, since the square touches the border
    found = ffhq_crop(image, whole, 64)[inside].astype(int)
    unpadded = np.pad(image, ((20, 20), (20, 20), (0, 0)))
    large = Cropper(whole[None] + [20, 20, 0, 0], (104, 104), 64).crop(unpadded, whole + [20, 20, 0, 0])[inside]
    assert np.abs(large.astype(int) - turned[inside]).max() <= 3
    assert np.abs(found[12:-12, 12:-12] - turned[inside][12:-12, 12:-12]).max() <= 3


def test_points_land_where_the_crop_shows_them() -> None:
    image = np.zeros((200, 240, 3), np.uint8)
    chosen = np.array([[117.3, 96.8, 61.0, 23.0]])
    point = np.array([[[139.0, 88.0]]])
    image[88, 139] = 255
    crop = Cropper(chosen, (200, 240), 256).crop(image, chosen[0]).astype(float)[..., 0]
    y, x = np.mgrid[:256, :256]
    centre = np.array([(x * crop).sum(), (y * crop).sum()]) / crop.sum()
    assert np.allclose(centre, to_crop(point, chosen, 256)[0, 0], atol=0.05)


def plain_recipe(frame: np.ndarray, chosen: np.ndarray, output: int) -> np.ndarray:
    """FFHQ's steps 4 to 7 as they are published."""
    image, quad, qsize = Image.fromarray(frame), corners(chosen), float(sides(chosen))
    shrink = int(np.floor(qsize / output * 0.5))
    if shrink > 1:
        image = image.resize([int(np.rint(side / shrink)) for side in image.size], Image.Resampling.LANCZOS)
        quad, qsize = quad / shrink, qsize / shrink
    border = max(int(np.rint(qsize * 0.1)), 3)
    box = [*np.floor(quad.min(0)).astype(int) - border, *np.ceil(quad.max(0)).astype(int) + border]
    box = [max(box[0], 0), max(box[1], 0), min(box[2], image.size[0]), min(box[3], image.size[1])]
    image, quad = image.crop(tuple(int(edge) for edge in box)), quad - box[:2]
    low, high = np.floor(quad.min(0)).astype(int), np.ceil(quad.max(0)).astype(int)
    pad = [max(v, 0) for v in (*(border - low), *(high - np.array(image.size) + border))]
    if max(pad) > border - 4:
        pad = np.maximum(pad, int(np.rint(qsize * 0.3)))
        array = np.pad(np.float32(image), ((pad[1], pad[3]), (pad[0], pad[2]), (0, 0)), "reflect")
        h, w, _ = array.shape
        y, x, _ = np.ogrid[:h, :w, :1]
        mask = np.maximum(
            1 - np.minimum(np.float32(x) / pad[0], np.float32(w - 1 - x) / pad[2]),
            1 - np.minimum(np.float32(y) / pad[1], np.float32(h - 1 - y) / pad[3]),
        )
        blur = qsize * 0.02
        array += (gaussian_filter(array, [blur, blur, 0]) - array) * np.clip(mask * 3 + 1, 0, 1)
        array += (np.median(array, axis=(0, 1)) - array) * np.clip(mask, 0, 1)
        image, quad = Image.fromarray(np.uint8(np.clip(np.rint(array), 0, 255))), quad + pad[:2]
    data = tuple((quad + 0.5).flatten())
    large = image.transform((4 * output, 4 * output), Image.Transform.QUAD, data, Image.Resampling.BILINEAR)
    return np.asarray(large.resize((output, output), Image.Resampling.LANCZOS))


@pytest.mark.parametrize(
    "chosen",
    [
        (150, 120, 50, 10),  # inside
        (60, 130, 70, -15),  # leaves on the left
        (270, 220, 80, 30),  # leaves on the right and below
        (150, 110, 190, 20),  # larger than the image, and shrunk by two
        (140.5, 119.25, 105, 33),  # touches the border's reach
    ],
)
def test_one_frame_is_the_published_recipe(chosen: tuple) -> None:
    frame, chosen = smooth_noise(237, 301), np.array(chosen, float)
    expected, found = plain_recipe(frame, chosen, 64), ffhq_crop(frame, chosen, 64)
    assert found.shape == (64, 64, 3) and found.dtype == np.uint8
    assert np.abs(found.astype(int) - expected).max() <= 2
    once = Cropper(chosen[None], (237, 301), 64).crop(frame, chosen)
    difference = np.abs(once.astype(int) - expected)
    # One frame as a video differs a little in the colour that is faded to, the median before the blur.
    assert difference.max() <= 4 and difference.mean() < 0.5


def jumps(squares: np.ndarray, frame: np.ndarray, once: bool, output: int) -> float:
    """Largest change of any pixel between neighbouring crops."""
    cropper = Cropper(squares, frame.shape[:2], output, once)
    crops = np.stack([cropper.crop(frame, chosen) for chosen in squares]).astype(int)
    return float(np.abs(np.diff(crops, axis=0)).max())


def test_decisions_per_video_do_not_flicker() -> None:
    stripes = (128 + 100 * np.sin(np.arange(240) * 2 * np.pi / 8)).astype(np.uint8)
    frame = np.tile(stripes[:, None, None], (1, 240, 3))  # moving along them changes nothing, blurring does
    creeping = np.stack([np.array([60.0 + 0.1 * i, 120, 58, 0]) for i in range(60)])  # leaves the border's reach
    assert 4 * jumps(creeping, frame, True, output=64) < jumps(creeping, frame, False, output=64)
    sharp = RNG.integers(0, 255, (300, 300, 3), dtype=np.uint8)
    growing = np.stack([np.array([150, 150, 63.6 + 0.02 * i, 0]) for i in range(40)])  # passes 4 times the output
    assert 4 * jumps(growing, sharp, True, output=32) < jumps(growing, sharp, False, output=32)


def test_squares_far_outside_and_tiny_images() -> None:
    for size in ((1, 1), (3, 50), (64, 64)):
        frame = np.full((*size, 3), 77, np.uint8)
        for chosen in ([-500.0, -300, 40, 3], [0.0, 0, 30, 0], [2000.0, 10, 100, -50]):
            out = Cropper(np.array([chosen]), size, 16).crop(frame, np.array(chosen))
            assert out.shape == (16, 16, 3) and out.max() <= 78
