"""The two things evaluation can look at: stored videos and generated ones."""

import contextlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol as Contract
from typing import TypeGuard

import numpy as np
import torch
import torch.nn.functional as F

from styleinv.errors import UserError
from styleinv.evaluation import codec, sampling
from styleinv.evaluation.protocol import AS_STORED, UNRESIZED, Kernel, Protocol
from styleinv.generator import VideoGenerator

log = logging.getLogger(__name__)


class VideoStore(Contract):
    """Stored videos: a frame store or a folder.

    Attributes:
        names: one per video.
        lengths: frames of each video.
        resolution: height and width of every frame.
        sha256: hash of the content, so that a changed file is noticed.
        storage: how frames are stored, in the words of a protocol's codec where it can be told.
    """

    @property
    def names(self) -> Sequence[str]: ...

    @property
    def lengths(self) -> Sequence[int] | np.ndarray: ...

    @property
    def resolution(self) -> int: ...

    @property
    def sha256(self) -> str: ...

    @property
    def storage(self) -> str: ...

    def frames(self, video: int, indices: Sequence[int]) -> np.ndarray:
        """Read frames of one video: uint8 [T, R, R, 3]."""
        ...


@contextlib.contextmanager
def side(name: str) -> Iterator[None]:
    """Say in every message of this block which side's videos it is about: `real` or `generated`."""
    try:
        yield
    except UserError as error:
        raise type(error)(f"{name} videos: {error}") from None


def is_store(videos: object) -> TypeGuard[VideoStore]:
    """Tell stored videos from a generator by `frames` alone: asking for every attribute would hash the store."""
    return callable(getattr(videos, "frames", None))


def read_clip(store: VideoStore, video: int, indices: Sequence[int]) -> torch.Tensor:
    """Read frames of one stored video as uint8 [T, 3, R, R].

    Raises:
        UserError: the store gave something else than it promises.
    """
    frames = store.frames(video, indices)
    expected = (len(indices), store.resolution, store.resolution, 3)
    if frames.shape != expected or frames.dtype != np.uint8:
        raise UserError(
            f"video {store.names[video]} gives {frames.dtype} {list(frames.shape)}, expected uint8 {list(expected)}",
            cure="Check the store with `styleinv data check`.",
        )
    return torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 3, 1, 2)))


class StoredFakes:
    """Generated videos that lie in a folder: used as stored, no codec, at most `clip_length` frames of each."""

    resize = UNRESIZED

    def __init__(self, store: VideoStore, protocol: Protocol):
        self._store = store
        self._videos = sampling.fake_videos(len(store.lengths), protocol.n_fake, protocol.generation_seed)
        self.lengths = [min(int(store.lengths[video]), protocol.clip_length) for video in self._videos]
        self.resolution = store.resolution
        self.identity: str | None = store.sha256
        self.names = [store.names[video] for video in self._videos]
        self.rounding, self.codec = AS_STORED, store.storage
        if len(self._videos) < len(store.lengths):
            log.warning("%d of %d generated videos are scored", len(self._videos), len(store.lengths))

    def clips(self) -> Iterator[torch.Tensor]:
        """Give one video after the other, uint8 [T, 3, R, R]."""
        for video, length in zip(self._videos, self.lengths, strict=True):
            yield read_clip(self._store, video, range(length))


class GeneratedFakes:
    """Generated videos that are made now: video i has seed `generation_seed + i`; frames pass the codec in memory."""

    resize = UNRESIZED

    def __init__(
        self, generator: VideoGenerator, protocol: Protocol, identity: str | None, batch: int, keep: Path | None = None
    ):
        self._generator, self._protocol, self._batch, self._keep = generator, protocol, batch, keep
        self.lengths = [protocol.clip_length] * protocol.n_fake
        self.names = [f"of seed {protocol.generation_seed + i}" for i in range(protocol.n_fake)]
        self.resolution = generator.resolution
        self.identity = identity
        self.rounding, self.codec = protocol.rounding, protocol.codec

    def clips(self) -> Iterator[torch.Tensor]:
        """Give one video after the other, uint8 [T, 3, R, R]."""
        times = torch.arange(self._protocol.clip_length, dtype=torch.float32)
        first, stop = self._protocol.generation_seed, self._protocol.generation_seed + self._protocol.n_fake
        for start in range(first, stop, self._batch):
            seeds = range(start, min(start + self._batch, stop))
            clips = self._generator.videos(seeds, times, self._protocol.rounding)
            expected = (len(seeds), len(times), 3, self.resolution, self.resolution)
            if clips.shape != expected or clips.dtype != torch.uint8:
                raise UserError(
                    f"the generator gave {clips.dtype} {list(clips.shape)}, expected torch.uint8 {list(expected)}"
                )
            names = [f"{seed - first:06d}" for seed in seeds]
            yield from codec.stored(clips.cpu(), self._protocol, names, self._keep)


class ResizedFakes:
    """Generated videos of another size, brought to the data set's after their codec."""

    def __init__(self, fakes: StoredFakes | GeneratedFakes, resolution: int, kernel: Kernel):
        self._fakes, self._kernel, self.resolution = fakes, kernel, resolution
        self.lengths, self.names, self.identity = fakes.lengths, fakes.names, fakes.identity
        self.rounding, self.codec = fakes.rounding, fakes.codec
        self.resize = f"generated {fakes.resolution} to {resolution} pixels, {kernel}"

    def clips(self) -> Iterator[torch.Tensor]:
        """Give one video after the other, uint8 [T, 3, R, R]."""
        size, antialias = (self.resolution, self.resolution), self._kernel == "bicubic"
        for clip in self._fakes.clips():
            frames = F.interpolate(clip.float(), size=size, mode=self._kernel, antialias=antialias)
            yield frames.round().clamp(0, 255).to(torch.uint8)


Fakes = StoredFakes | GeneratedFakes | ResizedFakes
