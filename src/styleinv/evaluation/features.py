"""From videos to feature statistics, each side in one streaming pass.

Every evaluation seed draws its own images and clips. A pass visits the union of what the seeds drew, runs the
detector once on each item and adds the feature to the statistics of every seed, as often as that seed drew it.
"""

import logging
import time
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch

from styleinv.errors import UserError
from styleinv.evaluation import sampling
from styleinv.evaluation.cache import StatisticsCache
from styleinv.evaluation.detectors import Detector, Detectors
from styleinv.evaluation.protocol import Protocol
from styleinv.evaluation.statistics import Statistics
from styleinv.evaluation.stores import Fakes, VideoStore, read_clip

log = logging.getLogger(__name__)

# Frames a detector sees at once. Fixed, so that nothing the caller chooses (say, how many videos are generated at
# once) can change how its sums are rounded.
FRAMES_PER_BATCH = 128


class Pool:
    """Collects items into full batches for one detector and sums their features per seed.

    Args:
        detector: takes uint8 [N, *item shape].
        seeds: number of evaluation seeds S.
        batch: items per call of the detector.
    """

    def __init__(self, detector: Detector, seeds: int, batch: int):
        self._detector, self._batch = detector, batch
        self._items: list[torch.Tensor] = []
        self._counts: list[np.ndarray] = []
        self._statistics = [Statistics(detector.dim) for _ in range(seeds)]

    def add(self, item: torch.Tensor, counts: np.ndarray) -> None:
        """Add one item, drawn `counts[s]` times by seed s."""
        self._items.append(item)
        self._counts.append(counts)
        if len(self._items) == self._batch:
            self._flush()

    def close(self) -> list[Statistics]:
        """Process what is left; the statistics of each seed."""
        self._flush()
        return self._statistics

    def _flush(self) -> None:
        if not self._items:
            return
        features = self._detector(torch.stack(self._items))
        for statistics, counts in zip(self._statistics, np.stack(self._counts, axis=1), strict=True):
            statistics.append(np.repeat(features, counts, axis=0))
        self._items, self._counts = [], []


class Draws:
    """What the seeds drew, as one table: item (video, frame) -> how often each seed drew it.

    Args:
        per_seed: for each seed int64 [M, 2] of (video, frame).
    """

    def __init__(self, per_seed: list[np.ndarray]):
        drawn, inverse = np.unique(np.concatenate(per_seed), axis=0, return_inverse=True)
        owner = np.repeat(np.arange(len(per_seed)), [len(items) for items in per_seed])
        counts = np.zeros((len(drawn), len(per_seed)), dtype=np.int64)
        np.add.at(counts, (inverse.reshape(-1), owner), 1)
        self.seeds = len(per_seed)
        self.total = len(drawn)
        self._of_video: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        videos, first = np.unique(drawn[:, 0], return_index=True)
        for video, start, stop in zip(videos, first, [*first[1:], len(drawn)], strict=True):
            self._of_video[int(video)] = (drawn[start:stop, 1], counts[start:stop])

    def videos(self) -> list[int]:
        """Videos of which anything was drawn, ascending."""
        return list(self._of_video)

    def of(self, video: int) -> Iterable[tuple[int, np.ndarray]]:
        """(frame, int64 [S] counts) of one video, frames ascending; empty when nothing of it was drawn."""
        frames, counts = self._of_video.get(video, ((), ()))
        return zip(map(int, frames), counts, strict=True)


def image_pool(detectors: Detectors, seeds: int) -> Pool:
    """A pool for the images of FID."""
    return Pool(detectors.image, seeds, FRAMES_PER_BATCH)


def clip_pool(detectors: Detectors, seeds: int, length: int) -> Pool:
    """A pool for clips of `length` frames."""
    return Pool(detectors.video, seeds, max(1, FRAMES_PER_BATCH // length))


def real_statistics(
    store: VideoStore, protocol: Protocol, detectors: Detectors, cache: StatisticsCache, dataset: str
) -> dict[str, list[Statistics]]:
    """Statistics of the real side: for every metric one per evaluation seed.

    Raises:
        UserError: no frame at all, or no video long enough for a clip.
    """
    lengths = [int(length) for length in store.lengths]
    if sum(lengths) == 0:
        raise UserError("has no frames", file=dataset)
    result = {}
    for metric, length in zip(protocol.metrics, [1, *protocol.fvd_lengths], strict=True):
        rule: dict[str, Any]
        if metric == "fid":
            detector, rule = detectors.image, {"items": protocol.fid_items, "choice": protocol.fid_choice}
            draws = [
                sampling.real_frames(lengths, protocol.fid_items, seed, protocol.fid_choice) for seed in protocol.seeds
            ]
        else:
            span = protocol.span(length)
            require_long_enough(lengths, span, length, dataset)
            detector = detectors.video
            rule = {
                "clips": protocol.real_clips,
                "choice": protocol.clip_choice,
                "length": length,
                "stride": protocol.stride,
            }
            draws = [
                sampling.real_clips(lengths, span, protocol.real_clips, seed, protocol.clip_choice)
                for seed in protocol.seeds
            ]
        base = {"side": "real", "videos": store.sha256, "detector": detector.sha256, "rule": rule}
        keys = [base | {"seed": seed} for seed in protocol.seeds]
        found = [cache.get(key) for key in keys]
        missing = [index for index, statistics in enumerate(found) if statistics is None]
        if missing:
            wanted = Draws([draws[index] for index in missing])
            made = _real_pass(store, protocol, detectors, metric, length, wanted)
            for index, statistics in zip(missing, made, strict=True):
                cache.put(keys[index], statistics)
                found[index] = statistics
        result[metric] = [statistics for statistics in found if statistics is not None]
    return result


def _real_pass(
    store: VideoStore, protocol: Protocol, detectors: Detectors, metric: str, length: int, draws: Draws
) -> list[Statistics]:
    """Read and look at everything that was drawn of the real videos for one metric."""
    pool = image_pool(detectors, draws.seeds) if metric == "fid" else clip_pool(detectors, draws.seeds, length)
    progress = Progress(f"real {metric}", draws.total)
    for video in draws.videos():
        drawn = list(draws.of(video))
        if metric == "fid":
            images = read_clip(store, video, [frame for frame, _ in drawn])
            for image, (_, counts) in zip(images, drawn, strict=True):
                pool.add(image, counts)
        else:
            for start, counts in drawn:
                clip = read_clip(store, video, range(start, start + protocol.span(length), protocol.stride))
                pool.add(clip.transpose(0, 1), counts)
        progress.step(len(drawn))
    return pool.close()


def fake_statistics(
    fakes: Fakes, protocol: Protocol, detectors: Detectors, cache: StatisticsCache, fresh: bool = False
) -> dict[str, list[Statistics]]:
    """Statistics of the generated side: for `fid` one per evaluation seed, for every FVD the same one for all seeds.

    Videos are made once and shown to both detectors; nothing is stored. When every statistic is in the cache, nothing
    is made at all.

    Args:
        fakes: where the videos come from.
        protocol, detectors, cache: as for the real side. Without a known identity of `fakes` the cache is not used.
        fresh: make the videos even when everything is cached (someone wants to keep the frames).

    Raises:
        UserError: no video is long enough for a clip.
    """
    lengths = fakes.lengths
    for length in protocol.fvd_lengths:
        require_long_enough(lengths, protocol.span(length), length, "the generated videos")
    keys = {metric: _fake_keys(fakes, protocol, detectors, metric) for metric in protocol.metrics}
    if fakes.identity is not None and not fresh:
        found = {metric: [cache.get(key) for key in keys[metric]] for metric in keys}
        complete = {m: [s for s in found[m] if s is not None] for m in found if None not in found[m]}
        if len(complete) == len(keys):
            return _for_all_seeds(complete, protocol)
    made = _fake_pass(fakes, protocol, detectors)
    if fakes.identity is not None:
        for metric, statistics in made.items():
            for key, one in zip(keys[metric], statistics, strict=True):
                cache.put(key, one)
    return _for_all_seeds(made, protocol)


def _fake_pass(fakes: Fakes, protocol: Protocol, detectors: Detectors) -> dict[str, list[Statistics]]:
    """Make every video once and look at it."""
    frames = Draws(
        [sampling.fake_frames(fakes.lengths, protocol.fid_items, s, protocol.fid_choice) for s in protocol.seeds]
    )
    images = image_pool(detectors, frames.seeds)
    clips = {length: clip_pool(detectors, 1, length) for length in protocol.fvd_lengths}
    progress = Progress("generated videos", len(fakes.lengths))
    once = np.ones(1, dtype=np.int64)
    for video, clip in enumerate(fakes.clips()):
        for frame, counts in frames.of(video):
            # A copy: a view would keep the whole clip in memory until its batch is full.
            images.add(clip[frame].clone(), counts)
        for length, pool in clips.items():
            if len(clip) >= protocol.span(length):
                pool.add(clip[: protocol.span(length) : protocol.stride].transpose(0, 1).clone(), once)
        progress.step(1)
    return {"fid": images.close(), **{f"fvd{length}": pool.close() for length, pool in clips.items()}}


def _fake_keys(fakes: Fakes, protocol: Protocol, detectors: Detectors, metric: str) -> list[dict[str, Any]]:
    """Cache keys of one metric: one per seed for FID, one for an FVD."""
    made = ("n_fake", "clip_length", "generation_seed")
    base: dict[str, Any] = {"side": "fake", "videos": fakes.identity, "rounding": fakes.rounding, "codec": fakes.codec}
    base |= {name: getattr(protocol, name) for name in made}
    if metric == "fid":
        rule = {"items": protocol.fid_items, "choice": protocol.fid_choice}
        base |= {"detector": detectors.image.sha256, "rule": rule}
        return [base | {"seed": seed} for seed in protocol.seeds]
    return [base | {"detector": detectors.video.sha256, "rule": {"metric": metric, "stride": protocol.stride}}]


def _for_all_seeds(statistics: Mapping[str, list[Statistics]], protocol: Protocol) -> dict[str, list[Statistics]]:
    return {metric: many if metric == "fid" else many * protocol.repeats for metric, many in statistics.items()}


def require_long_enough(lengths: Iterable[int], span: int, length: int, whose: str) -> None:
    """Raise a `UserError` with numbers when fewer than two videos have `span` frames."""
    lengths = list(lengths)
    enough = sum(one >= span for one in lengths)
    if enough < 2:
        raise UserError(
            f"{enough} of {len(lengths)} videos have the {span} frames that FVD{length} needs (at least 2 must); "
            f"the longest has {max(lengths, default=0)}",
            file=whose or "the data set",
            cure=f"Use longer videos, or leave {length} out of the protocol's fvd_lengths.",
        )


class Progress:
    """Logs rate and remaining time, at most every 30 seconds."""

    EVERY = 30.0

    def __init__(self, what: str, total: int):
        self._what, self._total, self._done = what, total, 0
        self._start = self._last = time.monotonic()

    def step(self, count: int) -> None:
        """Count finished items."""
        self._done += count
        now = time.monotonic()
        if now - self._last >= self.EVERY:
            self._last = now
            rate = self._done / (now - self._start)
            left = (self._total - self._done) / rate / 60
            log.info(
                "%s: %d of %d, %.1f per second, %.0f minutes left", self._what, self._done, self._total, rate, left
            )
