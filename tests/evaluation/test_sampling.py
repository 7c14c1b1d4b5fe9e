"""The random choices of the protocol follow their rules."""

import numpy as np

from styleinv.evaluation import sampling
from styleinv.rng import stream

LENGTHS = [20, 3, 12, 0, 16, 12]


def test_real_clips_one_per_long_enough_video() -> None:
    clips = sampling.real_clips(LENGTHS, 12, 100, seed=3)
    assert sorted(clips[:, 0]) == [0, 2, 4, 5]
    assert all(0 <= start <= LENGTHS[video] - 12 for video, start in clips)
    assert len(sampling.real_clips(LENGTHS, 12, 3, seed=3)) == 3
    assert sampling.real_clips(LENGTHS, 21, 3, seed=3).shape == (0, 2)
    assert not sampling.real_clips(LENGTHS, 12, 100, seed=3, choice="first")[:, 1].any()


def test_real_clip_starts_are_uniform_and_inclusive() -> None:
    starts = [sampling.real_clips([14], 12, 1, seed)[0, 1] for seed in range(300)]
    assert np.bincount(starts, minlength=3).min() > 70


def test_real_frames_give_every_video_the_same_weight() -> None:
    frames = sampling.real_frames(LENGTHS, 60, seed=1)
    assert len(frames) == 60 and set(np.bincount(frames[:, 0], minlength=6)) == {0, 12}
    assert all(0 <= frame < LENGTHS[video] for video, frame in frames)
    assert len(sampling.real_frames(LENGTHS, 10_000, seed=1)) == sum(LENGTHS)
    np.testing.assert_array_equal(sampling.real_frames(LENGTHS, 5, 1, "all"), sampling.every_frame(LENGTHS))


def test_fake_frames_without_replacement() -> None:
    frames = sampling.fake_frames([5, 5, 5], 10, seed=0)
    assert len(np.unique(frames, axis=0)) == 10
    assert len(sampling.fake_frames([5, 5, 5], 100, seed=0)) == 15


def test_seeds_and_purposes_have_their_own_streams() -> None:
    same = [sampling.real_frames(LENGTHS, 30, seed=5) for _ in range(2)]
    np.testing.assert_array_equal(*same)
    assert (sampling.real_frames(LENGTHS, 30, seed=6) != same[0]).any()
    assert stream(0, "a").integers(1 << 60) != stream(0, "b").integers(1 << 60)


def test_fake_videos() -> None:
    assert sampling.fake_videos(3, 5, 0) == [0, 1, 2]
    chosen = sampling.fake_videos(50, 5, 0)
    assert len(set(chosen)) == 5 and chosen == sorted(chosen) and chosen != [0, 1, 2, 3, 4]


def test_every_frame_of_nothing() -> None:
    assert sampling.every_frame([]).shape == (0, 2) and sampling.every_frame([2, 0, 1]).tolist() == [
        [0, 0],
        [0, 1],
        [2, 0],
    ]
