"""The orders in which the official loaders draw data, as pure functions.

Training uses `data.sampling`, which depends on no global state; these rules say exactly what the released code did.
Sources: specs of the image stage (section 13) and of the StyleInV stage (7, 8).
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from styleinv.errors import UserError


def image_index(count: int, max_size: int | None, xflip: bool, random_seed: int) -> tuple[np.ndarray, np.ndarray]:
    """StyleGAN2-ADA's list of images: a random subset of `max_size` in its old order, then a mirrored copy of it.

    Returns:
        index: int64 [n], which image; flipped: uint8 [n], 1 where it is mirrored.
    """
    index = np.arange(count, dtype=np.int64)
    if max_size is not None and max_size < count:
        np.random.RandomState(random_seed).shuffle(index)
        index = np.sort(index[:max_size])
    flipped = np.zeros(len(index), np.uint8)
    if xflip:
        return np.concatenate([index, index]), np.concatenate([flipped, flipped + 1])
    return index, flipped


def group_by_folder(names: Sequence[str]) -> list[list[str]]:
    """Split sorted relative names into videos wherever the parent folder changes.

    A folder whose files have a sub-folder between them in the sorting becomes two videos: the official quirk, kept.
    """
    groups: list[list[str]] = []
    previous: str | None = None
    for name in names:
        folder = name.rpartition("/")[0]
        if folder != previous:
            groups.append([])
        groups[-1].append(name)
        previous = folder
    return groups


def endless_order(count: int, rank: int, replicas: int, shuffle: bool, seed: int, window: float) -> Iterator[int]:
    """StyleGAN2's endless sampler.

    It walks a shuffled list round and round and swaps each entry back by up to `window` of the list's length. Every
    rank walks the whole list, drawing the same random numbers, and yields every replicas-th position.
    """
    if not (count > 0 and replicas > 0 and 0 <= rank < replicas and 0 <= window <= 1):
        raise UserError(f"no such sampler: {count} items, rank {rank} of {replicas}, window {window}")
    items = np.arange(count)
    rng = np.random.RandomState(seed)
    reach = 0
    if shuffle:
        rng.shuffle(items)
        reach = int(np.rint(count * window))
    position = 0
    while True:
        here = position % count
        if position % replicas == rank:
            yield int(items[here])
        if reach >= 2:
            there = (here - rng.randint(reach)) % count
            items[[here, there]] = items[[there, here]]
        position += 1


@dataclass(frozen=True)
class TimeRules:
    """How StyleInV's loader picks times inside a window.

    `count` drawn times, and frame 0 in front of them where `add_0`. `distances` None: spans are uniform over {count-1,
    ..., longest-1}, as the released training effectively did (its own list was ignored, being no plain list); a list:
    spans are its members up to `longest`.
    """

    count: int
    add_0: bool
    max_distance: int
    distances: tuple[int, ...] | None

    def spans(self, length: int) -> list[int]:
        """Allowed distances between the first and the last drawn time in a window of `length` frames."""
        longest = min(length - 1, self.max_distance)
        if self.distances is None:
            return list(range(self.count - 1, longest))
        return [distance for distance in self.distances if self.count - 1 <= distance <= longest]

    def draw(self, rng: random.Random, length: int) -> list[int]:
        """Sorted integer times, in the official order of draws: span, offset, what lies between."""
        spans = self.spans(length)
        if not spans:
            raise UserError(f"a window of {length} frames is too short for {self.count} times")
        if self.count == 1:
            times = [rng.randint(0, length - 1)]
        else:
            span = rng.choice(spans)
            offset = rng.randint(0, length - span - 1)
            middle = rng.sample(range(1, span), self.count - 2)
            times = sorted([offset, offset + span, *(offset + time for time in middle)])
        return [0, *times] if self.add_0 else times


@dataclass(frozen=True)
class StyleInVOrder:
    """StyleInV's data set of frame folders: which videos it keeps, how many items it has and what each item shows.

    Args:
        lengths: frames of every video, in sorted order.
        use: `train` (times drawn in a window), `videos` (whole windows, for FVD) or `images` (single frames, for FID).
        frames: window length in frames of the clip.
        stride: of the window's frames.
        mirror: add a mirrored copy of every video.
        short: training also uses videos shorter than the window.
        random_start: windows start anywhere, else at frame 0.
        random_image: images are random frames of videos in turn, else a shuffled list of all images.
        only_first: cut every video to this many frames.
        times: for `train`.
        seed: of Python's and NumPy's generators, as if set just before construction.
    """

    lengths: tuple[int, ...]
    use: Literal["train", "videos", "images"]
    seed: int
    frames: int = 1
    stride: int = 1
    mirror: bool = False
    short: bool = False
    random_start: bool = True
    random_image: bool = True
    only_first: int | None = None
    times: TimeRules | None = None

    @property
    def cut_lengths(self) -> tuple[int, ...]:
        """Lengths after `only_first`."""
        if self.only_first is None:
            return self.lengths
        return tuple(min(length, self.only_first) for length in self.lengths)

    @property
    def images(self) -> int:
        """Frames of all videos, also of those not kept."""
        return sum(self.cut_lengths)

    @property
    def kept(self) -> list[int]:
        """Numbers of the videos that are long enough."""
        if self.use == "images":
            least = 1
        elif self.use == "train" and self.short:
            least = (self._times().count + self._times().add_0 - 1) * self.stride + 1
        else:
            least = (self.frames - 1) * self.stride + 1
        return [number for number, length in enumerate(self.cut_lengths) if length >= least]

    @property
    def shuffled(self) -> list[int]:
        """The order of videos; numbers from `len(kept)` on are mirrored ones."""
        return self._construct()[1]

    def __len__(self) -> int:
        return self.images if self.use == "images" else len(self.shuffled)

    def items(self) -> Iterator[list[tuple[int, int, bool]]]:
        """Items 0, 1, 2, ... read in order by one process: for each its frames as (video, frame, mirrored)."""
        for video, start, times, mirrored in self._draws():
            yield [(video, start + time * self.stride, mirrored) for time in times]

    def times_of_items(self) -> Iterator[list[int]]:
        """The same items: times in steps of the stride from the start of the window."""
        for _, _, times, _ in self._draws():
            yield times

    def frame_range(self, video: int) -> tuple[int, int]:
        """First and last frame of a kept video that an item can show."""
        length = self.cut_lengths[video]
        if self.use == "images":
            return 0, length - 1
        start = self._last_start(length) if self.random_start else 0
        return 0, start + (self._window(length, start) - 1) * self.stride

    def _draws(self) -> Iterator[tuple[int, int, list[int], bool]]:
        """Video, first frame, times and mirroring of every item."""
        rng, order, image_order = self._construct()
        numpy_rng = np.random.RandomState(self.seed)
        kept, lengths = self.kept, self.cut_lengths
        firsts = np.concatenate([[0], np.cumsum(lengths)])
        for item in range(len(self)):
            if self.use == "images" and not self.random_image:
                image = image_order[item % len(image_order)]
                video = int(np.searchsorted(firsts, image, side="right")) - 1
                yield video, image - int(firsts[video]), [0], False
                continue
            entry = order[item % len(order)]
            video, mirrored = kept[entry % len(kept)], entry >= len(kept)
            if self.use == "images":
                yield video, int(numpy_rng.randint(lengths[video])), [0], mirrored
                continue
            start = int(numpy_rng.randint(0, self._last_start(lengths[video]) + 1)) if self.random_start else 0
            window = self._window(lengths[video], start)
            times = self._times().draw(rng, window) if self.use == "train" else list(range(window))
            yield video, start, times, mirrored

    def _last_start(self, length: int) -> int:
        # With short videos allowed, the official bound forgets the stride.
        reach = self.frames if self.short else (self.frames - 1) * self.stride + 1
        return max(0, length - reach)

    def _window(self, length: int, start: int) -> int:
        """Frames of the window that exist."""
        return len(range(start, min(length, start + (self.frames - 1) * self.stride + 1), self.stride))

    def _times(self) -> TimeRules:
        if self.times is None:
            raise UserError("training items need rules for their times")
        return self.times

    def _construct(self) -> tuple[random.Random, list[int], list[int]]:
        """Python's generator after construction, and the two lists that construction shuffles with it."""
        rng = random.Random(self.seed)
        order = list(range(len(self.kept) * (2 if self.mirror else 1)))
        rng.shuffle(order)
        image_order = list(range(self.images))
        rng.shuffle(image_order)
        return rng, order, image_order
