"""RetinaFace-R50 and FAN-4 with random weights of the published shapes and formats, through the real code path."""

import dataclasses
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from styleinv.crop import fan, retinaface
from styleinv.crop.fan import Fan, face_windows
from styleinv.crop.ffhq import anchors
from styleinv.crop.landmarks import find_landmarks
from styleinv.crop.retinaface import RetinaFace, priors
from styleinv.crop.settings import Alignment
from styleinv.data.weights import WEIGHTS
from styleinv.errors import UserError
from styleinv.files import sha256, write_json

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of files as they are published, and the lock that a first download writes."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    detector = retinaface._network()
    torch.nn.init.normal_(detector.ClassHead[0].conv1x1.weight, std=0.5)  # scores that tell boxes apart
    inner = folder / "retinaface_resnet50_2020-07-20.pth"
    torch.save(detector.state_dict(), inner)
    with zipfile.ZipFile(folder / WEIGHTS["retinaface_resnet50"].file_name, "w") as archive:
        archive.write(inner, inner.name)
    inner.unlink()
    torch.save(fan._network().state_dict(), folder / WEIGHTS["fan_2d4"].file_name)
    entries = {WEIGHTS[name].url: folder / WEIGHTS[name].file_name for name in ("retinaface_resnet50", "fan_2d4")}
    lock_entries = {url: {"sha256": sha256(path), "size": path.stat().st_size} for url, path in entries.items()}
    write_json(folder / "config/weights.lock.json", lock_entries)
    return folder


@pytest.fixture(autouse=True)
def trusted(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their lock is the one in force, and random weights need not have the published hash of FAN."""
    monkeypatch.chdir(published)
    monkeypatch.setitem(WEIGHTS, "fan_2d4", dataclasses.replace(WEIGHTS["fan_2d4"], sha256_prefix=""))


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (96, 128, 3), dtype=np.uint8)


@pytest.mark.filterwarnings("ignore:.*:UserWarning:torchvision")
def test_detector_is_the_package_without_its_faults(published: Path, image: np.ndarray) -> None:
    from retinaface.predict_single import Model

    ours = RetinaFace(published, CPU, confidence=0.6, max_size=128)
    theirs = Model(max_size=128, device="cpu")
    theirs.load_state_dict(ours._network.state_dict())
    theirs.eval()
    (found,) = ours.detect([image], [0])
    expected = theirs.predict_jsons(image, confidence_threshold=0.6)
    assert len(found) == len(expected) > 3
    assert np.allclose(found[:, :4], [face["bbox"] for face in expected], atol=0.006)  # rounded there
    assert np.allclose(found[:, 4], [face["score"] for face in expected], atol=0.006)
    assert (np.diff(found[:, 4]) <= 0).all() and found.dtype == np.float64
    assert ours.sha256 == sha256(published / WEIGHTS["retinaface_resnet50"].file_name)


def test_detector_batches_scales_and_finds_nothing(published: Path, image: np.ndarray) -> None:
    ours = RetinaFace(published, CPU, confidence=0.6, max_size=128)
    frames = [image, image[::-1].copy(), 255 - image]
    together = ours.detect(frames, range(3))
    for frame, expected in zip(frames, together, strict=True):
        assert np.allclose(ours.detect([frame], [0])[0], expected, atol=1e-3)
    ours.confidence = 1.0
    assert [faces.shape for faces in ours.detect(frames[:1], [0])] == [(0, 5)]
    ours.confidence = 0.6
    odd = np.zeros((53, 37, 3), np.uint8)  # both axes are scaled by their own ratio
    faces = ours.detect([odd], [0])[0]
    assert faces.shape[1] == 5 and np.isfinite(faces).all()


def test_priors_by_hand() -> None:
    from retinaface.prior_box import priorbox

    first = [4 / 96, 4 / 53, 16 / 96, 16 / 53, 4 / 96, 4 / 53, 32 / 96, 32 / 53]
    assert priors(53, 96)[:2].flatten().tolist() == pytest.approx(first)
    expected = priorbox([[16, 32], [64, 128], [256, 512]], [8, 16, 32], False, (53, 96))
    assert torch.allclose(priors(53, 96), expected, atol=1e-6)


@pytest.mark.slow
def test_fan_batches_and_mirrors(published: Path) -> None:
    frame = np.random.default_rng(1).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    windows = face_windows(np.array([[40.0, 20, 110, 100], [42.5, 21, 112.5, 101]]))
    plain = Fan(published, CPU)
    together = plain.heatmaps([frame, frame], [0, 0], windows)
    assert together.shape == (2, 68, 64, 64)
    one = plain.heatmaps([frame], [0], windows[1:])
    assert torch.allclose(together[1], one[0], atol=1e-3 * float(one.abs().max()))
    # Looking at the mirror image too makes mirrored input give mirrored maps.
    plain.flip = True
    mirrored = windows.copy()
    mirrored[:, 0] = 160 - windows[:, 0]
    there = plain.heatmaps([frame], [0], windows[:1])[0]
    back = plain.heatmaps([frame[:, ::-1]], [0], mirrored[:1])[0][fan.MIRRORED].flip(-1)
    assert torch.allclose(there, back, atol=0.02 * float(there.abs().max()))


@pytest.mark.slow
def test_whole_path_on_random_weights(published: Path) -> None:
    """Detector and landmark network together; random weights find nonsense, but finite and repeatable nonsense."""
    from styleinv.crop.align import Aligner

    settings = Alignment(jitters=2, confidence=0.6)
    aligner = Aligner(settings, 32, published, CPU)
    aligner._detector.max_size = 96
    assert not aligner.stand_in and set(aligner.hashes) == {"retinaface_resnet50", "fan_2d4"}
    frames = list(np.random.default_rng(2).integers(0, 255, (2, 72, 96, 3), dtype=np.uint8))
    first, second = (aligner.follow(lambda: frames, "v", (72, 96)) for _ in range(2))
    assert first.detected > 0 and np.array_equal(first.anchors, second.anchors, equal_nan=True)
    for clip in aligner.clips(first):
        for crop in aligner.crop(frames[clip.start :], clip, (72, 96)):
            assert crop.shape == (32, 32, 3)


@pytest.mark.slow
def test_boxes_that_are_brought_need_the_landmark_network_alone(published: Path, tmp_path: Path) -> None:
    from styleinv.crop.align import Aligner

    name = WEIGHTS["fan_2d4"].file_name
    (tmp_path / name).write_bytes((published / name).read_bytes())
    settings = Alignment(jitters=1, boxes="somewhere")
    aligner = Aligner(settings, 32, tmp_path, CPU)
    assert list(aligner.hashes) == ["fan_2d4"] and aligner.settings.record()["boxes"] == "brought"
    frames = list(np.random.default_rng(2).integers(0, 255, (3, 72, 96, 3), dtype=np.uint8))
    boxes = np.array([[20, 10, 70, 60], [np.nan] * 4, [60, 10, 95, 60]])  # too far apart for one track
    followed = aligner.follow(lambda: frames, "v", (72, 96), boxes)
    assert followed.detected == 2 and np.isnan(followed.anchors[1]).all()
    expected = find_landmarks(aligner._network, frames[2:], [2], boxes[2:], settings, "v")
    assert np.allclose(followed.anchors[2], anchors(expected)[0], atol=1e-3)
    with pytest.raises(UserError, match="has 3 frames, but landmarks or boxes were brought for 4"):
        aligner.follow(lambda: frames, "v", (72, 96), np.repeat(boxes[:1], 4, 0))


def test_nothing_unverified_is_opened(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="styleinv weights fetch retinaface_resnet50"):
        RetinaFace(tmp_path, CPU)
    with pytest.raises(UserError, match="styleinv weights fetch fan_2d4"):
        Fan(tmp_path, CPU)
    opened = []
    monkeypatch.setattr(torch, "load", lambda *args, **options: opened.append(args))
    for name, make in (("retinaface_resnet50", RetinaFace), ("fan_2d4", Fan)):
        path = tmp_path / WEIGHTS[name].file_name
        path.write_bytes((published / path.name).read_bytes()[:-1] + b"?")
        with pytest.raises(UserError, match="has SHA-256"):
            make(tmp_path, CPU)
    monkeypatch.setitem(WEIGHTS, "fan_2d4", dataclasses.replace(WEIGHTS["fan_2d4"], sha256_prefix="11f355bf06"))
    with pytest.raises(UserError, match="expected 11f355bf06"):
        Fan(published, CPU)
    assert not opened


def test_files_of_something_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, make in (("retinaface_resnet50", RetinaFace), ("fan_2d4", Fan)):
        path = tmp_path / WEIGHTS[name].file_name
        path.write_bytes(b"PK no weights")
        monkeypatch.setitem(WEIGHTS, name, dataclasses.replace(WEIGHTS[name], sha256=sha256(path)))
        with pytest.raises(UserError, match="holds no weights of this network"):
            make(tmp_path, CPU)


def test_packages_are_loaded_when_they_are_needed() -> None:
    code = "import styleinv.stages.crop, styleinv.stages.crop_video, sys; print([*sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for package in ("face_alignment", "retinaface", "albumentations", "numba", "torchvision"):
        assert f"'{package}'" not in loaded
