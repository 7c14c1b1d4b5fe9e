"""The talking faces: what is said to be known about them is true of the files."""

from pathlib import Path

import numpy as np
import pytest

from styleinv.config import load_dataset
from styleinv.crop.mask import square, tight_box
from styleinv.data.cartoon_face import HAIR_STYLES, FacePainter, Pose, random_identity
from styleinv.data.census import Census
from styleinv.data.labels import stored_labels
from styleinv.data.manifest import Manifest
from styleinv.data.synthetic import make_talking_faces, poses_of, talking_motion
from styleinv.data.video import probe, read_frames
from styleinv.errors import UserError
from styleinv.paths import Paths
from styleinv.stages.crop import crop
from styleinv.stages.fetch import fetch
from styleinv.stages.setting import Setting
from tests.project import make_project


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("faces")
    assert make_talking_faces(out, 3, 24, 64, 25, seed=5) == ["face_0000", "face_0001", "face_0002"]
    return out


def test_same_arguments_same_files_and_no_leftovers(faces: Path, tmp_path: Path) -> None:
    make_talking_faces(tmp_path, 4, 8, 64, 25, seed=5)
    make_talking_faces(tmp_path, 3, 24, 64, 25, seed=5)
    files = sorted(path.relative_to(faces) for path in faces.rglob("*.*"))
    assert files == sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.*"))
    assert [(faces / file).read_bytes() for file in files] == [(tmp_path / file).read_bytes() for file in files]


def test_landmarks_lie_on_the_masked_head(faces: Path) -> None:
    for name in ("face_0000", "face_0001", "face_0002"):
        landmarks = np.load(faces / "landmarks" / f"{name}.npz")["landmarks"]
        masks = np.stack(list(read_frames(faces / "mask" / f"{name}.mp4")))
        assert landmarks.shape == (24, 68, 2) and masks.shape == (24, 64, 64, 3)
        for points, mask in zip(landmarks, masks, strict=True):
            left, right, top, bottom = tight_box(mask)
            assert left - 1 <= points[:, 0].min() and points[:, 0].max() <= right + 1
            assert top <= points[:, 1].min() and points[:, 1].max() <= bottom + 1
            inner = np.round(points[17:]).astype(int)  # without the jaw, which is the edge
            assert (mask[inner[:, 1], inner[:, 0]] < 128).all()


def test_landmarks_follow_the_order_of_ibug(faces: Path) -> None:
    points = np.load(faces / "landmarks" / "face_0001.npz")["landmarks"].mean(axis=0)
    x, y = points.T
    for run in (range(1, 16), range(17, 22), range(22, 27), range(31, 36), range(48, 55), range(60, 65)):
        assert (np.diff(x[run]) > 0).all()
    assert (np.diff(y[27:31]) > 0).all() and y[8] == y.max()
    for first in (36, 42):  # an eye: corner, two of the upper lid, corner, two of the lower lid
        assert x[first] == x[first : first + 6].min() and x[first + 3] == x[first : first + 6].max()
        assert y[[first + 1, first + 2]].max() < y[[first + 4, first + 5]].min()
    assert y[62] < y[66] and y[51] < y[62] and y[66] < y[57]


def test_the_drawing_is_where_the_landmarks_say() -> None:
    identity = random_identity(np.random.default_rng(0), 1)
    image, _, points = FacePainter(identity, 256).draw(Pose(x=0.03, roll=0.1, yaw=0.2, mouth_open=0.8))
    for eye in (slice(36, 42), slice(42, 48)):
        pupil = np.round(points[eye].mean(axis=0)).astype(int)
        around = image[pupil[1] - 8 : pupil[1] + 9, pupil[0] - 8 : pupil[0] + 9]
        assert around.sum(axis=2).min() < 120  # the pupil is nearly black
    mouth = np.round(points[60:].mean(axis=0)).astype(int)
    red, green, _ = image[mouth[1], mouth[0]].astype(int)
    assert red > 2 * green  # inside of the mouth or tongue


def test_the_squared_box_never_leaves_the_image() -> None:
    for number in range(len(HAIR_STYLES) * 2):
        rng = np.random.Generator(np.random.Philox(key=[9, number]))
        painter = FacePainter(random_identity(rng, number), 64)
        for pose in list(talking_motion(rng, 250, 25))[::10]:
            _, mask, _ = painter.draw(pose)
            left, right, top, bottom = square(tight_box(np.repeat(mask[..., None], 3, 2)))
            assert min(left, top) >= 1 and max(right, bottom) <= 62
            assert right - left >= 32  # at least half the image


def test_motion_is_smooth_and_alive(faces: Path) -> None:
    landmarks = np.load(faces / "landmarks" / "face_0000.npz")["landmarks"]
    speed = np.abs(np.diff(landmarks, axis=0))
    assert speed[:, 27:31].max() < 2.5 and speed.mean() > 0.05
    poses = list(talking_motion(np.random.default_rng(1), 500, 25))
    assert max(pose.mouth_open for pose in poses) > 0.5 > 0.1 > min(pose.mouth_open for pose in poses)
    blinks = np.array([pose.blink for pose in poses]) > 0.5
    assert 4 <= np.count_nonzero(np.diff(blinks.astype(int)) == 1) <= 16


def test_persons_and_seeds_differ(faces: Path) -> None:
    first = [next(read_frames(faces / "original" / f"face_000{number}.mp4")).astype(int) for number in range(3)]
    assert all(np.abs(first[a] - first[b]).mean() > 20 for a, b in ((0, 1), (0, 2), (1, 2)))
    assert probe(faces / "original" / "face_0000.mp4").fps == 25


def test_impossible_sizes_are_refused(tmp_path: Path) -> None:
    for arguments in ((0, 8, 64, 25), (1, 0, 64, 25), (1, 8, 16, 25), (1, 8, 64, 0)):
        with pytest.raises(UserError):
            make_talking_faces(tmp_path, *arguments, seed=0)
    for shots, identities in ((0, None), (9, None), (2, 1)):
        with pytest.raises(UserError, match=r"source\.shots"):
            make_talking_faces(tmp_path, 3, 8, 64, 25, seed=0, identities=identities, shots=shots)


def test_the_person_changes_at_even_cuts_and_the_motion_goes_on(faces: Path, tmp_path: Path) -> None:
    make_talking_faces(tmp_path, 3, 24, 64, 25, seed=5, shots=2)
    first, second = (list(read_frames(tmp_path / "original" / f"face_000{number}.mp4")) for number in (0, 1))
    whole = [list(read_frames(faces / "original" / f"face_000{number}.mp4")) for number in (0, 1)]
    for frame in (0, 11):  # of person 0, then of person 1; the files of other frames are compressed otherwise
        assert np.abs(first[frame].astype(int) - whole[0][frame]).mean() < 4
        assert np.abs(second[frame].astype(int) - whole[1][frame]).mean() < 4
    assert np.abs(first[12].astype(int) - first[11]).mean() > 20
    # The pose is that of the clip, whoever is seen: the landmarks of the eyes do not jump by more than persons differ.
    ways = [np.load(folder / "landmarks/face_0000.npz")["landmarks"][:, 30] for folder in (tmp_path, faces)]
    assert np.abs(ways[0] - ways[1]).max() < 1


def test_labels_of_stored_frames_are_those_that_were_drawn(tmp_path: Path) -> None:
    scale = "seed: 0\ndevice: cpu\ndatasets:\n  talking_faces_two_shots:\n"
    scale += "    source: {videos: 3, identities: 3, frames: 20, size: 64}\n    resolution: 32\n    min_frames: 16\n"
    folder = make_project(tmp_path, scale + "methods: {}\nevaluation: {detectors: stand-in}\n")
    setting = Setting(folder / "config/tiny.yaml", Paths(folder / "results"))
    name = "talking_faces_two_shots"
    fetch(name, setting)
    crop(name, setting)
    manifest = Manifest.read(setting.paths.raw(name))
    labels = stored_labels(manifest, Census.read(setting.paths.census(name)))
    assert labels is not None and list(labels) == ["face_0000", "face_0001", "face_0002"]
    assert labels["face_0002"]["person"].tolist() == ["2"] * 10 + ["0"] * 10
    poses = poses_of(1, load_dataset(name, setting.config).source.seed, 20, 25)
    assert labels["face_0001"]["yaw"].tolist() == [pose.yaw for pose in poses]
    assert all(entry.person is None for entry in manifest.videos)
    # Frames that were not stored have no labels.
    part = {"name": "face_0001", "runs": ((3, 2), (9, 3))}
    census = Census.read(setting.paths.census(name))
    census = census.model_copy(update={"kept": (census.kept[0].model_copy(update=part),)})
    labels = stored_labels(manifest, census)
    assert labels is not None and labels["face_0001"]["yaw"].tolist() == [poses[i].yaw for i in (3, 4, 9, 10, 11)]
    other = manifest.model_copy(update={"source": {"kind": "folder"}})
    assert stored_labels(other, census) is None
