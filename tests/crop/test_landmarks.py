"""Reading heat-maps, shifted boxes, and what they do to the square: the targets of the stabilised crop."""

import numpy as np
import pytest
import torch

from styleinv.crop import shake
from styleinv.crop.fan import MIRRORED, cut_exact, cut_library, face_windows
from styleinv.crop.ffhq import anchors, square
from styleinv.crop.follow import follow
from styleinv.crop.heatmaps import decode, fitted_peaks
from styleinv.crop.jitter import jitter_boxes
from styleinv.crop.landmarks import find_landmarks
from styleinv.crop.rendered import RenderedFaces
from styleinv.crop.settings import PRESETS, Alignment
from styleinv.crop.stabilise import smooth, split_at_gaps
from tests.crop.faces import talking_landmarks
from tests.crop.trials import freeze, ramp

SIZE = 710  # the face is 400 pixels wide
BLANK = np.zeros((1, 1, 3), np.uint8)


def followed_squares(landmarks: np.ndarray, settings: Alignment, noise: float = 0.01) -> np.ndarray:
    faces = RenderedFaces(landmarks, (SIZE, SIZE), 0, "v", noise)
    squares = follow(lambda: [BLANK] * len(landmarks), faces, faces, settings, "v").squares
    (clip,) = split_at_gaps(squares, settings.max_gap)
    return smooth(clip, settings.sigma_centre, settings.sigma_size).squares


@pytest.fixture(scope="module")
def landmarks() -> np.ndarray:
    return talking_landmarks(SIZE, 30)


@pytest.fixture(scope="module")
def jitters(landmarks: np.ndarray) -> dict[str, dict[str, float]]:
    """Distance to the exact square, from frame to frame in output pixels, by preset."""
    exact = square(anchors(landmarks))
    return {name: shake.jitter(followed_squares(landmarks, Alignment(preset=name)), exact, 256) for name in PRESETS}


def test_ours_meets_its_targets(jitters: dict) -> None:
    assert jitters["ours"]["centre_px"] <= 0.05 and jitters["ours"]["size_px"] <= 0.05
    assert jitters["ours"]["roll_deg"] <= 0.02


def test_single_shot_breathes(jitters: dict) -> None:
    """0.30 and 2.96 pixels were measured for such a face; what matters is the order."""
    assert 0.2 < jitters["single"]["centre_px"] < 0.8 and 1.5 < jitters["single"]["size_px"] < 4.5
    assert jitters["single"]["size_px"] > 30 * jitters["ours"]["size_px"]
    assert jitters["single"]["centre_px"] > 20 * jitters["ours"]["centre_px"]
    assert 2 * jitters["naruniec"]["size_px"] < jitters["single"]["size_px"]
    assert jitters["naruniec"]["size_px"] > 5 * jitters["ours"]["size_px"]


def test_smoothing_trades_alignment_for_calm(landmarks: np.ndarray) -> None:
    points = anchors(landmarks)
    calm, free = (followed_squares(landmarks, Alignment(preset=name), noise=0.05) for name in ("gaussian", "ours"))
    for part in ("size_px", "roll_deg"):
        assert shake.jerkiness(calm, 256)[part] < 0.5 * shake.jerkiness(free, 256)[part]
    exact = square(points)
    (clip,) = split_at_gaps(exact, 3)
    late = shake.residual(points, smooth(clip, 1, 3).squares, 256)["alignment"]
    assert late["size_px"] > 0.05 and late["roll_deg"] > 0.02
    assert max(shake.residual(points, exact, 256)["alignment"].values()) < 1e-6


def test_freeze_and_ramp(landmarks: np.ndarray) -> None:
    still = freeze(landmarks[0], Alignment(), 256)
    assert still["centre_px"] < 0.05 and still["size_px"] < 0.05
    assert freeze(landmarks[0], Alignment(preset="single"), 256)["size_px"] > 20 * still["size_px"]
    creep = ramp(landmarks[0], Alignment(), step=0.1)
    assert abs(creep["gain"] - 1) < 0.01 and creep["error_px"] < 0.03
    assert ramp(landmarks[0], Alignment(preset="single"), step=0.1)["error_px"] > 10 * creep["error_px"]


def gaussian_maps(peaks: torch.Tensor, sigma: tuple[float, float] = (1.0, 1.0)) -> torch.Tensor:
    """[B, L, 2] in heat-map pixels from the corner -> [B, L, 64, 64]."""
    x, y = (-(((torch.arange(64) + 0.5) - peaks[..., i, None]) ** 2) / 2 / sigma[i] ** 2 for i in (0, 1))
    return (x[..., None, :] + y[..., :, None]).exp()


@pytest.mark.slow
def test_library_decoding_is_the_library() -> None:
    from face_alignment.utils import get_preds_fromhm

    rng = np.random.default_rng(0)
    peaks = torch.from_numpy(rng.uniform(-1, 65, (4, 68, 2)))  # some at and beyond the edge
    maps = gaussian_maps(peaks).float()
    windows = face_windows(rng.uniform(50, 90, (4, 4)) + [0, 0, 300, 300])
    found = decode(maps, windows, "library")
    for i, (x, y, side) in enumerate(windows):
        _, expected, _ = get_preds_fromhm(maps[i : i + 1].numpy(), np.array([x, y]), side / 200)
        # A value that is an integer but for rounding may be cut either way.
        assert (found[i] == expected[0]).mean() > 0.99 and np.abs(found[i] - expected[0]).max() <= 1


def test_float_decoding_is_exact_for_gaussians_of_any_shape() -> None:
    peaks = torch.rand(3, 68, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 58 + 3
    for sigma in ((1.0, 1.0), (0.8, 1.6), (2.5, 2.5)):
        assert torch.allclose(fitted_peaks(gaussian_maps(peaks, sigma)), peaks, atol=0.02)
    edge = torch.tensor([[[0.6, 0.7], [63.4, 30.2]]], dtype=torch.float64)
    assert torch.allclose(fitted_peaks(gaussian_maps(edge)), edge, atol=0.01)


def test_float_decoding_survives_what_is_no_hill() -> None:
    flat, spike, plane = torch.zeros(64, 64), torch.zeros(64, 64), torch.linspace(-1, 1, 64).expand(64, 64)
    spike[20, 30] = 1
    negative = -1 - torch.rand(64, 64)
    found = fitted_peaks(torch.stack([flat, spike, plane, negative])[None])[0]
    assert torch.isfinite(found).all() and (found >= 0).all() and (found <= 64).all()
    assert torch.allclose(found[1], torch.tensor([30.5, 20.5], dtype=torch.float64), atol=1e-6)


def test_both_decodings_mean_the_same_pixel() -> None:
    """Truncation takes the library's points half a pixel down on average, which is where ours are put."""
    rng = np.random.default_rng(1)
    exact = rng.uniform(200, 400, (60, 68, 2))
    boxes = np.array([150.0, 150, 450, 450]) + rng.uniform(-20, 20, (60, 1))
    windows = face_windows(boxes)
    peaks = ((exact + 0.5 - windows[:, None, :2]) / windows[:, None, 2:] + 0.5) * 64
    maps = gaussian_maps(torch.from_numpy(peaks))
    assert abs((decode(maps, windows, "float") - exact).mean()) < 1e-3
    assert abs((decode(maps, windows, "library") - exact).mean()) < 0.1


def test_windows_and_their_cuts() -> None:
    assert np.allclose(face_windows(np.array([[100.0, 50, 295, 245]])), [[197.5, 124.1, 400]])
    image = np.random.default_rng(0).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    from face_alignment.utils import crop

    for window in ([300.3, 200.7, 281.0], [20.2, 15.1, 301.5], [600.0, 470.0, 90.3]):
        x, y, side = window
        assert np.array_equal(cut_library(image, np.array(window)), crop(image, np.array([x, y]), side / 200))
    # A whole-pixel window of the network's own size is the image itself; what lies outside is black.
    assert np.array_equal(cut_exact(image, np.array([228.0, 188, 256])), image[60:316, 100:356])
    corner = cut_exact(image, np.array([0.0, 0, 256]))
    assert not corner[:128].any() and not corner[:, :128].any()
    assert np.array_equal(corner[128:, 128:], image[:128, :128])
    assert sorted(MIRRORED) == list(range(68)) and [MIRRORED[i] for i in MIRRORED] == list(range(68))


def test_shifts_depend_on_seed_video_and_frame_alone() -> None:
    box = np.array([100.0, 100, 300, 340])
    shifted = jitter_boxes(box, 500, 0.05, 3, "a", 7)
    assert np.array_equal(shifted, jitter_boxes(box, 500, 0.05, 3, "a", 7))
    for other in ((4, "a", 7), (3, "b", 7), (3, "a", 8)):
        assert not np.allclose(shifted, jitter_boxes(box, 500, 0.05, *other))
    move = shifted - box
    assert np.allclose(move[:, :2], move[:, 2:])  # boxes keep their size
    distance = np.linalg.norm(move[:, :2], axis=1)
    assert distance.max() <= 0.05 * 220 and abs(distance.mean() - 0.025 * 220) < 0.5
    assert np.abs(move[:, :2].mean(0)).max() < 1
    assert np.array_equal(jitter_boxes(box, 1, 0.0, 0, "a", 0), box[None])


def test_landmarks_do_not_depend_on_batches(landmarks: np.ndarray) -> None:
    faces = RenderedFaces(landmarks, (SIZE, SIZE))
    boxes = np.concatenate(faces.detect([BLANK] * 5, range(5)))[:, :4]
    whole = find_landmarks(faces, [BLANK] * 5, range(5), boxes, Alignment(), "v", batch=64)
    for batch in (1, 7):
        assert np.array_equal(whole, find_landmarks(faces, [BLANK] * 5, range(5), boxes, Alignment(), "v", batch))
    one = find_landmarks(faces, [BLANK], [3], boxes[3:4], Alignment(), "v")
    assert np.array_equal(whole[3:4], one)
    assert find_landmarks(faces, [], [], np.zeros((0, 4)), Alignment(), "v").shape == (0, 68, 2)


def test_presets_and_single_keys() -> None:
    for name, keys in PRESETS.items():
        own = Alignment(preset=name)
        assert own.model_dump() == Alignment().model_dump() | keys | {"preset": name}
        assert Alignment(preset=name, jitters=20) == own.model_copy(update={"jitters": 20})
    with pytest.raises(ValueError, match="one of ours, naruniec, single, gaussian"):
        Alignment(preset="theirs")
