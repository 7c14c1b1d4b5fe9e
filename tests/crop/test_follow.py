"""Which face, in which frames: tracks, gaps, clips."""

import numpy as np
import pytest

from styleinv.crop.ffhq import sides
from styleinv.crop.follow import chunks, follow
from styleinv.crop.raw import BadVideo
from styleinv.crop.rendered import RenderedFaces
from styleinv.crop.settings import Alignment
from styleinv.crop.stabilise import Clip, smooth, split_at_gaps
from styleinv.crop.track import Tracker
from tests.crop.faces import talking_landmarks

SINGLE = Alignment(jitters=1)
BLANK = np.zeros((200, 300, 3), np.uint8)


def box(x: float, y: float, side: float) -> np.ndarray:
    return np.array([x - side / 2, y - side / 2, x + side / 2, y + side / 2, 0.9])


def test_one_identity_is_followed_among_several() -> None:
    tracker = Tracker()
    for frame in range(40):
        faces = [box(100 + 2 * frame, 100, 50), box(300 - 2 * frame, 210, 60)]  # they pass each other
        if 10 <= frame < 14:
            faces = faces[:1]
        tracker.add(frame, np.array(faces if frame % 2 else faces[::-1]))  # the detector's order says nothing
    assert len(tracker.tracks) == 2
    large = tracker.leader
    assert large is not None and large.frames.tolist() == [*range(10), *range(14, 40)]
    assert (large.boxes[:, 1] == 180).all()


def test_boxes_that_cannot_be_the_same_face() -> None:
    tracker = Tracker()
    tracker.add(0, np.array([box(100, 100, 50)]))
    tracker.add(1, np.array([box(160, 100, 50)]))  # too far
    tracker.add(2, np.array([box(160, 100, 150)]))  # too large
    tracker.add(3, np.zeros((0, 5)))
    assert [track.frames.tolist() for track in tracker.tracks] == [[0], [1], [2]]
    tracker.add(90, np.array([box(105, 100, 50)]))  # comes back where it was
    assert tracker.tracks[0].frames.tolist() == [0, 90]


def test_short_gaps_are_interpolated_and_long_ones_split() -> None:
    frames = np.arange(60)
    angle = 3.0 + 0.02 * frames  # passes half a turn
    length = 50 * 1.01**frames
    exact = np.stack([10 + frames, 20 - 0.5 * frames, length * np.cos(angle), length * np.sin(angle)], 1)
    squares = exact.copy()
    squares[[0, 1, 9, 10, 30, 31, 32, 59]] = np.nan
    squares[40:50] = np.nan
    first, second = split_at_gaps(squares, max_gap=3)
    assert (first.start, len(first), second.start, len(second)) == (2, 38, 50, 9)
    assert np.allclose(first.squares, exact[2:40])  # straight in centre, log size and angle
    assert np.array_equal(first.squares[first.measured], exact[2:40][first.measured])
    assert np.flatnonzero(~first.measured).tolist() == [7, 8, 28, 29, 30] and second.measured.all()
    assert len(split_at_gaps(squares, max_gap=2)) == 3 and len(split_at_gaps(squares, max_gap=0)) == 4
    assert len(split_at_gaps(squares, max_gap=10)) == 1 and split_at_gaps(squares * np.nan, 3) == []


def test_smoothing_stays_within_its_clip() -> None:
    rng = np.random.default_rng(0)
    clip = Clip(5, np.array([100, 100, 50, 5]) + rng.normal(0, 1, (50, 4)), np.ones(50, bool))
    calm = smooth(clip, 1.0, 3.0)
    assert calm.start == 5 and np.array_equal(calm.measured, clip.measured)
    spread = np.diff(calm.squares, axis=0).std(0) / np.diff(clip.squares, axis=0).std(0)
    assert (spread[:2] < 0.5).all() and (spread[2:] < 0.1).all()
    assert np.array_equal(smooth(clip, 0, 0).squares, clip.squares)
    assert np.array_equal(smooth(clip, 0, 3.0).squares[:, :2], clip.squares[:, :2])


def run(landmarks: np.ndarray, frames: int | None = None):
    """Follow rendered faces; also how often the video was read."""
    reads = []

    def read():
        reads.append(1)
        return iter([BLANK] * (frames or len(landmarks)))

    faces = RenderedFaces(landmarks, BLANK.shape[:2])
    return follow(read, faces, faces, SINGLE, "v"), len(reads)


def test_a_video_is_read_once_where_one_face_leads() -> None:
    small, large = talking_landmarks(90, 30), talking_landmarks(180, 30, person=1) + [120, 10]
    both = np.stack([small, large], 1)
    followed, reads = run(both)
    assert (followed.frames, followed.detected, followed.faces, followed.crowded) == (30, 30, 2, 30) and reads == 1
    assert followed.size == (200, 300) and (followed.anchors[:, :, 0] > 140).all()
    both[2:, 0] = np.nan  # the small one is gone before it has led for long
    assert run(both)[0].detected == 30


def test_the_winner_is_measured_where_it_did_not_lead_yet() -> None:
    first, later = talking_landmarks(150, 24), talking_landmarks(120, 24, person=1) + [150, 40]
    both = np.stack([first, later], 1)
    both[10:, 0] = np.nan  # larger, but it leaves
    followed, reads = run(both)
    assert reads == 2 and followed.detected == 24 and (followed.anchors[:, :, 0] > 150).all()
    alone = run(both[:, 1])[0]
    assert np.allclose(followed.squares, alone.squares, atol=0.3)  # only the noise of boxes and maps differs


def test_faces_that_leave_the_frame_and_no_face_at_all() -> None:
    landmarks = talking_landmarks(150, 30) + np.linspace(0, 320, 30)[:, None, None] * [1, 0]
    followed, _ = run(landmarks)
    seen = np.isfinite(followed.anchors).all((1, 2))
    assert 10 < followed.detected < 25 and seen[:10].all() and not seen[-3:].any()
    (clip,) = split_at_gaps(followed.squares, 3)
    assert clip.start == 0 and np.isfinite(clip.squares).all() and (sides(clip.squares) > 50).all()
    nobody, reads = run(landmarks * np.nan)
    assert nobody.detected == nobody.faces == 0 and reads == 1 and np.isnan(nobody.anchors).all()
    assert split_at_gaps(nobody.squares, 3) == []


def test_a_video_that_changes_its_size_is_refused() -> None:
    faces = RenderedFaces(talking_landmarks(150, 20), (200, 300))
    frames = [BLANK] * 12 + [BLANK[:100]] * 8
    with pytest.raises(BadVideo, match="from 300 x 200 to 300 x 100"):
        follow(lambda: frames, faces, faces, SINGLE, "v")


def test_chunks_are_of_one_size() -> None:
    small, large = np.zeros((2, 2, 3)), np.zeros((4, 2, 3))
    assert [len(chunk) for chunk in chunks([small] * 5 + [large] * 3, 4)] == [4, 1, 3]
    assert list(chunks([])) == []
