"""The reader of faces against labels that are known exactly."""

from pathlib import Path

import numpy as np
import pytest
import torch

from styleinv.data.census import Census
from styleinv.data.labels import Labels, stored_labels
from styleinv.data.manifest import Manifest
from styleinv.data.store import FrameStore
from styleinv.evaluation.face_labels import EVERY, FaceReader, fit_reader
from styleinv.evaluation.stores import read_clip
from styleinv.paths import Paths
from styleinv.stages.crop import crop
from styleinv.stages.fetch import fetch
from styleinv.stages.setting import Setting
from tests.project import make_project

SCALE = """\
seed: 0
device: cpu
datasets:
  talking_faces:
    source: {videos: 12, identities: 3, drawing: plain, frames: 100, size: 64}
    resolution: 32
    crop: {border: fixed}
    min_frames: 16
methods: {}
evaluation: {detectors: stand-in}
"""


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> tuple[FrameStore, dict[str, Labels]]:
    """A store of four videos of each of three persons, with its labels."""
    folder: Path = make_project(tmp_path_factory.mktemp("faces"), SCALE)
    setting = Setting(folder / "config/tiny.yaml", Paths(folder / "results"))
    fetch("talking_faces", setting)
    crop("talking_faces", setting)
    paths = setting.paths
    manifest, census = Manifest.read(paths.raw("talking_faces")), Census.read(paths.census("talking_faces"))
    labels = stored_labels(manifest, census)
    assert labels is not None
    return FrameStore(paths.frames("talking_faces")), labels


@pytest.fixture(scope="module")
def reader(faces: tuple[FrameStore, dict[str, Labels]]) -> FaceReader:
    return fit_reader(*faces)


def clip(store: FrameStore, video: int) -> torch.Tensor:
    return read_clip(store, video, list(range(int(store.lengths[video]))))


def test_exact_labels_are_read_in_videos_that_were_held_out(reader: FaceReader) -> None:
    assert (reader.videos, reader.frames, reader.persons) == (12, 12 * 100 // EVERY, 3)
    assert reader.accuracy == 1 and reader.r2["yaw"] > 0.8 and "yaw" in reader.usable


def test_a_mirrored_face_is_the_same_person_turned_the_other_way(
    faces: tuple[FrameStore, dict[str, Labels]], reader: FaceReader
) -> None:
    store, labels = faces
    seen = clip(store, 4)
    assert set(reader.person(seen.flip(3))) == {labels[store.names[4]]["person"][0]} == set(reader.person(seen))
    yaw, mirrored = reader.pose(seen, "yaw"), reader.pose(seen.flip(3), "yaw")
    assert np.corrcoef(yaw, labels[store.names[4]]["yaw"])[0, 1] > 0.95 and np.corrcoef(yaw, mirrored)[0, 1] < -0.95


def test_shuffled_labels_are_not_read(faces: tuple[FrameStore, dict[str, Labels]]) -> None:
    store, labels = faces
    rng = np.random.default_rng(0)
    mixed = {name: {key: rng.permutation(values) for key, values in one.items()} for name, one in labels.items()}
    persons = rng.permutation(np.repeat(["0", "1", "2"], 4))
    for one, person in zip(mixed.values(), persons, strict=True):
        one["person"] = np.full(100, person)
    blind = fit_reader(store, mixed)
    assert blind.usable == [] and max(blind.r2.values()) < 0.1
    assert blind.accuracy is not None and blind.accuracy < 0.75


def test_what_a_video_does_with_its_face(faces: tuple[FrameStore, dict[str, Labels]], reader: FaceReader) -> None:
    store, labels = faces
    moving = clip(store, 0)
    row = reader.measure(moving)
    assert (row["same_person"], row["persons"]) == (1, 1)
    assert row["yaw_spread"] == pytest.approx(labels[store.names[0]]["yaw"].std(), rel=0.15)
    assert np.isnan(row["yaw_first"])  # 100 frames are less than two windows
    still = moving[:1].expand(300, -1, -1, -1)
    row = reader.measure(still)
    assert row["yaw_spread"] == pytest.approx(0, abs=1e-9) and row["yaw_last"] == pytest.approx(0, abs=1e-9)
    stops = torch.cat([moving, moving, moving[:1].expand(128, -1, -1, -1)])
    row = reader.measure(stops)
    assert row["yaw_first"] > 0.1 and row["yaw_last"] == pytest.approx(0, abs=1e-9)
    other = clip(store, 1)  # of another person
    row = reader.measure(torch.cat([moving, other]))
    assert (row["same_person"], row["persons"]) == (0.5, 2)


def test_persons_of_one_video_each_have_no_accuracy(faces: tuple[FrameStore, dict[str, Labels]]) -> None:
    store, labels = faces
    alone = {name: one | {"person": np.full(100, name)} for name, one in labels.items()}
    blind = fit_reader(store, alone)
    assert blind.accuracy is None and blind.usable == [] and blind.persons == 12
