"""Batches are pure functions of (seed, step), fair to videos, and independent of how many processes share them."""

import threading
import time
from collections import Counter

import numpy as np
import pytest
import torch

from styleinv.data.prefetch import prefetch
from styleinv.data.sampling import ClassAwareFrames, Clips
from styleinv.errors import UserError
from styleinv.rng import stream


class Numbered:
    """Videos whose pixels say which video (red), frame (green) and side (blue, 255 on the left) they are."""

    def __init__(self, *lengths: int, resolution: int = 4):
        self.names = [str(number) for number in range(len(lengths))]
        self.lengths = np.array(lengths, np.int64)
        self.resolution = resolution

    def planes(self, video: int, indices, mirrored: bool, out: np.ndarray) -> None:
        out[...] = 0
        out[:, 0] = video
        out[:, 1] = np.asarray(indices)[:, None, None]
        half = self.resolution // 2
        out[:, 2, :, half if mirrored else 0 :][..., :half] = 255


def ends(rng: np.random.Generator, length: int) -> np.ndarray:
    return np.array([0, int(rng.integers(1, length)), length - 1])


def clips(store: Numbered, mirror: bool = True, window: int = 8) -> Clips:
    return Clips(store, 3, mirror, min_length=6, window=window, sample_times=ends)


def test_streams_are_repeatable_and_unrelated() -> None:
    first = stream(1, "a", 2).integers(1 << 62, size=4)
    assert np.array_equal(first, stream(1, "a", 2).integers(1 << 62, size=4))
    for other in (stream(2, "a", 2), stream(1, "b", 2), stream(1, "a", 3), stream(-1, "a", 2)):
        assert not np.array_equal(first, other.integers(1 << 62, size=4))


def test_batches_do_not_depend_on_what_came_before() -> None:
    store = Numbered(5, 50, 9)
    sampler = ClassAwareFrames(store, 7, mirror=True)
    ahead = [sampler.batch(step, 6) for step in range(5)]
    fresh = ClassAwareFrames(store, 7, mirror=True)
    for step in (4, 0, 2):
        assert torch.equal(fresh.batch(step, 6), ahead[step])
    assert not torch.equal(ClassAwareFrames(store, 8, mirror=True).batch(0, 6), ahead[0])
    want = [clips(store).batch(step, 4) for step in range(3)]
    got = clips(store).batch(2, 4)
    assert torch.equal(got[0], want[2][0]) and torch.equal(got[1], want[2][1])


@pytest.mark.parametrize("world", [2, 3])
def test_ranks_share_the_same_batch(world: int) -> None:
    sampler, videos = ClassAwareFrames(Numbered(5, 50, 9), 7, True), clips(Numbered(20, 30))
    whole, (clip, times) = sampler.batch(5, 6), videos.batch(5, 6)
    for rank in range(world):
        assert torch.equal(sampler.batch(5, 6, rank, world), whole[rank::world])
        part = videos.batch(5, 6, rank, world)
        assert torch.equal(part[0], clip[rank::world]) and torch.equal(part[1], times[rank::world])
    with pytest.raises(UserError, match="cannot be shared"):
        sampler.batch(0, 7, 0, 2)


def test_every_video_once_per_pass_whatever_its_length() -> None:
    sampler = ClassAwareFrames(Numbered(2, 200, 10, 40), 1, mirror=True)
    shown = torch.cat([sampler.batch(step, 8) for step in range(50)])
    videos = shown[:, 0, 0, 0].tolist()
    assert Counter(videos) == {0: 100, 1: 100, 2: 100, 3: 100}
    orders = {tuple(videos[start : start + 4]) for start in range(0, 400, 4)}
    assert all(len(set(order)) == 4 for order in orders) and len(orders) >= 18
    flipped = (shown[:, 2, 0, 0] == 0).float().mean()
    assert 0.4 < flipped < 0.6
    frames = shown[shown[:, 0, 0, 0] == 2][:, 1, 0, 0]
    assert set(frames.tolist()) == set(range(10))
    plain = ClassAwareFrames(Numbered(2, 200), 1, mirror=False).batch(0, 20)
    assert bool((plain[:, 2, :, 0] == 255).all())


def test_clips_show_the_times_they_say() -> None:
    store = Numbered(5, 7, 30)
    sampler = clips(store)
    assert sampler.videos.tolist() == [1, 2]
    shown, times = sampler.batch(0, 200)
    assert shown.shape == (200, 3, 3, 4, 4) and shown.dtype == torch.uint8
    assert times.shape == (200, 3) and times.dtype == torch.float32
    frames = shown[:, :, 1, 0, 0].long()
    starts = frames[:, 0]
    assert torch.equal(frames - starts[:, None], times.long())
    short = shown[:, 0, 0, 0, 0] == 1
    assert short.sum() == 100
    assert set(starts[short].tolist()) == {0} and set(times[short][:, 2].tolist()) == {6.0}
    assert set(starts[~short].tolist()) == set(range(30 - 8 + 1))
    sides = shown[:, :, 2, 0, 0]
    assert bool((sides == sides[:, :1]).all()) and 60 < int((sides[:, 0] == 0).sum()) < 140


def test_clips_say_why_they_cannot_be_drawn() -> None:
    with pytest.raises(UserError, match="none of the 2 videos has the 6 frames.*the longest has 5"):
        clips(Numbered(5, 4))
    bad = Clips(Numbered(9), 0, False, 1, 9, lambda rng, length: np.array([0.5]))
    with pytest.raises(ValueError, match="integers from 0 to 8"):
        bad.batch(0, 1)


def test_prefetch_keeps_order_and_runs_ahead() -> None:
    made: list[int] = []

    def make(step: int) -> int:
        made.append(step)
        return step * step

    results = prefetch(make, range(10), depth=2)
    assert next(results) == 0
    deadline = time.time() + 5
    while len(made) < 4 and time.time() < deadline:  # one taken, two waiting, one in hand
        time.sleep(0.01)
    time.sleep(0.05)
    assert made == [0, 1, 2, 3]
    assert list(results) == [step * step for step in range(1, 10)]


def test_prefetch_passes_errors_on_and_ends_its_thread() -> None:
    def fail(step: int) -> int:
        if step == 2:
            raise UserError("no more")
        return step

    results = prefetch(fail, range(5))
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(UserError, match="no more"):
        next(results)
    endless = prefetch(lambda step: step, iter(int, 1))
    next(endless)
    endless.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "prefetch"]
