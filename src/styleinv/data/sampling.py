"""What a training step sees.

Item i = step * size + j of a run depends on (seed, i) alone, so neither workers, ranks nor a resume change it.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import torch

from styleinv.errors import UserError
from styleinv.rng import stream


class Videos(Protocol):
    """What the samplers need of a data set; a `FrameStore` has it."""

    names: list[str]
    lengths: np.ndarray
    resolution: int

    def planes(self, video: int, indices: Sequence[int] | np.ndarray, mirrored: bool, out: np.ndarray) -> None:
        """Fill uint8 [T, 3, R, R]."""


class ClassAwareFrames:
    """Single frames for the image stage: every video equally likely whatever its length.

    This is the "class-aware sampling" of the paper's supplement. Within one pass over the videos each is drawn once, in
    an order that is new in every pass; the frame is uniform.

    Args:
        store: the data set.
        seed: of the run.
        mirror: flip left and right with probability 1/2.
    """

    def __init__(self, store: Videos, seed: int, mirror: bool):
        self._store, self._seed, self._mirror = store, seed, mirror
        self._passes = _Passes(len(store.names), seed, "order of videos for frames")

    def batch(self, step: int, size: int, rank: int = 0, world: int = 1) -> torch.Tensor:
        """The items j of global batch `step` with j % world == rank.

        Returns:
            uint8 [size / world, 3, R, R].

        Raises:
            UserError: `size` is not a multiple of `world`.
        """
        items = _share(step, size, rank, world)
        images = np.empty((len(items), 3, self._store.resolution, self._store.resolution), np.uint8)
        for place, item in zip(images, items, strict=True):
            rng = stream(self._seed, "frame", item)
            video, frame = self._choose(item, rng)
            self._store.planes(video, [frame], self._mirror and rng.random() < 0.5, place[None])
        return torch.from_numpy(images)

    def _choose(self, item: int, rng: np.random.Generator) -> tuple[int, int]:
        video = self._passes.item(item)
        return video, int(rng.integers(self._store.lengths[video]))


class AllFrames(ClassAwareFrames):
    """Single frames, every frame equally likely: within one pass each is drawn once, in an order new in every pass."""

    def __init__(self, store: Videos, seed: int, mirror: bool):
        super().__init__(store, seed, mirror)
        self._ends = np.cumsum(store.lengths)
        self._passes = _Passes(int(self._ends[-1]), seed, "order of frames")

    def _choose(self, item: int, rng: np.random.Generator) -> tuple[int, int]:
        number = self._passes.item(item)
        video = int(np.searchsorted(self._ends, number, side="right"))
        return video, number - int(self._ends[video] - self._store.lengths[video])


class Clips:
    """A few frames each of a random window of a video, for the video stages.

    Args:
        store: the data set.
        seed: of the run.
        mirror: flip all frames of a clip left and right with probability 1/2.
        min_length: videos with fewer frames are not used.
        window: frames of the window; shorter where a video is shorter.
        sample_times: given a generator and the window's length, the T frame offsets (integers, 0 to length - 1) to
            show.
        interleaved: where positive, the items of a pass are not the videos, but this many for each of their consecutive
            blocks of `window` frames, so that long videos are seen more often: the k-th, from 0, starts k frames later.
            What remains at a video's end is not used.

    Raises:
        UserError: no video is long enough.
    """

    def __init__(
        self,
        store: Videos,
        seed: int,
        mirror: bool,
        min_length: int,
        window: int,
        sample_times: Callable[[np.random.Generator, int], np.ndarray],
        interleaved: int = 0,
    ):
        if min_length < 1 or window < 1:
            raise UserError(f"min_length and window must be at least 1, not {min_length} and {window}")
        self._store, self._seed, self._mirror = store, seed, mirror
        self._window, self._sample_times = window, sample_times
        self.videos = np.flatnonzero(store.lengths >= min_length)
        if not len(self.videos):
            raise UserError(
                f"none of the {len(store.names)} videos has the {min_length} frames that training needs;"
                f" the longest has {max(store.lengths)}",
                file=getattr(store, "path", None),
                cure="Use longer videos or a shorter clip length.",
            )
        # Start of the window per item; -1 is anywhere in the video.
        self._starts = np.full(len(self.videos), -1)
        if interleaved:
            blocks = store.lengths[self.videos] // window
            starts = [np.arange(count)[:, None] * window + np.arange(interleaved) for count in blocks]
            self._starts = np.concatenate([start.ravel() for start in starts])
            self.videos = np.repeat(self.videos, blocks * interleaved)
        self._passes = _Passes(len(self.videos), seed, "order of videos for clips")

    def batch(self, step: int, size: int, rank: int = 0, world: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
        """The items j of global batch `step` with j % world == rank.

        Returns:
            clips: uint8 [N, T, 3, R, R] with N = size / world.
            times: float32 [N, T], frame offsets from the start of the window.

        Raises:
            UserError: `size` is not a multiple of `world`.
        """
        items, side = _share(step, size, rank, world), self._store.resolution
        clips: np.ndarray | None = None
        times: list[np.ndarray] = []
        for place, item in enumerate(items):
            number = self._passes.item(item)
            video, start = int(self.videos[number]), int(self._starts[number])
            rng = stream(self._seed, "clip", item)
            length = min(self._window, int(self._store.lengths[video]))
            if start < 0:
                start = int(rng.integers(self._store.lengths[video] - length + 1))
            flip = self._mirror and rng.random() < 0.5
            offsets = np.asarray(self._sample_times(rng, length))
            chosen = offsets.astype(np.int64)
            if not np.array_equal(chosen, offsets) or chosen.min() < 0 or chosen.max() >= length:
                raise ValueError(f"sample_times must give integers from 0 to {length - 1}, not {offsets.tolist()}")
            if clips is None:  # all at once: putting clips together afterwards would copy each again
                clips = np.empty((len(items), len(chosen), 3, side, side), np.uint8)
            self._store.planes(video, start + chosen, flip, clips[place])
            times.append(offsets.astype(np.float32))
        return torch.from_numpy(clips), torch.from_numpy(np.stack(times))


class _Passes:
    """Item i belongs to pass i // n; every pass is a random permutation of n things."""

    def __init__(self, things: int, seed: int, purpose: str):
        self._things, self._seed, self._purpose = things, seed, purpose
        self._latest: tuple[int, np.ndarray] | None = None

    def item(self, item: int) -> int:
        number, position = divmod(item, self._things)
        latest = self._latest  # one read: another thread may replace it
        if latest is None or latest[0] != number:
            latest = (number, stream(self._seed, self._purpose, number).permutation(self._things))
            self._latest = latest
        return int(latest[1][position])


def _share(step: int, size: int, rank: int, world: int) -> range:
    if size < 1 or size % world:
        raise UserError(f"a batch of {size} cannot be shared by {world} processes", cure="Make it a multiple.")
    return range(step * size + rank, (step + 1) * size, world)
