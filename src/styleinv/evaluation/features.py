"""From videos to summaries of their features, each side in one streaming pass.

Every evaluation seed draws its own images and clips. A pass visits the union of what the seeds drew for all metrics,
decodes each frame once, runs the detectors once on each item and adds the feature to the summaries of every seed, as
often as that seed drew it.
"""

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from styleinv.errors import UserError
from styleinv.evaluation.bootstrap import GROUPS, group_of
from styleinv.evaluation.cache import SummaryCache
from styleinv.evaluation.detectors import Detector, Detectors
from styleinv.evaluation.metrics import Draw, Items, Metric, looking_alike, metrics_of
from styleinv.evaluation.protocol import UNRESIZED, Protocol
from styleinv.evaluation.stores import Fakes, VideoStore, read_clip
from styleinv.evaluation.summaries import Summary

# Kind of summary -> one of each seed.
Made = dict[type[Summary], list[Summary]]

log = logging.getLogger(__name__)

# Frames a detector sees at once. Fixed, so that nothing the caller chooses (say, how many videos are generated at
# once) can change how its sums are rounded.
FRAMES_PER_BATCH = 128


class Pool:
    """Collects items into full batches for one detector and sums up their features per seed.

    Args:
        detector: takes uint8 [N, *item shape].
        kinds: which summaries are made.
        seeds: number of evaluation seeds S.
        length: frames of an item.
        what: whose features these are, for messages.
    """

    def __init__(self, detector: Detector, kinds: Iterable[type[Summary]], seeds: int, length: int, what: str):
        self._detector, self._batch, self._what = detector, max(1, FRAMES_PER_BATCH // length), what
        self._names: list[str] = []
        self._items: list[torch.Tensor] = []
        self._counts: list[np.ndarray] = []
        self._summaries: Made = {kind: [kind(detector.dim) for _ in range(seeds)] for kind in kinds}

    def add(self, frames: Iterable[torch.Tensor], counts: np.ndarray, name: str) -> None:
        """Add one item, frames uint8 [3, R, R], of the video `name`, drawn `counts[s]` times by seed s."""
        # A copy: a view would keep the whole video in memory until its batch is full.
        image, *others = frames
        self._items.append(image.clone() if self._detector.kind == "image" else torch.stack([image, *others], dim=1))
        self._counts.append(counts)
        self._names.append(name)
        if len(self._items) == self._batch:
            self._flush()

    def close(self) -> Made:
        """Process what is left and return the summaries of each seed."""
        self._flush()
        return self._summaries

    def _flush(self) -> None:
        if not self._items:
            return
        features = self._detector(torch.stack(self._items))
        if not (finite := np.isfinite(features).all(axis=1)).all():
            name = self._names[int((~finite).argmax())]
            cure = "Look at its frames, and run styleinv selftest."
            raise UserError(f"{self._what}: the features of video {name} are not finite", cure=cure)
        for summaries in self._summaries.values():
            for summary, counts in zip(summaries, np.stack(self._counts, axis=1), strict=True):
                summary.append(np.repeat(features, counts, axis=0))
        self._items, self._counts, self._names = [], [], []


class Drawn:
    """The draws of all seeds as one table: item (video, first frame) -> how often each seed drew it.

    Args:
        per_seed: for each seed int64 [M, 2] of (video, first frame).
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
        """List the videos of which anything was drawn, ascending."""
        return list(self._of_video)

    def of(self, video: int) -> Iterable[tuple[int, np.ndarray]]:
        """Give (first frame, int64 [S] counts) of one video, frames ascending; nothing when nothing of it was drawn."""
        frames, counts = self._of_video.get(video, ((), ()))
        return zip(map(int, frames), counts, strict=True)


@dataclass(frozen=True)
class Part:
    """What one summary is of: all items that an evaluation seed drew, or those of one group of videos."""

    seed: int
    group: int | None = None

    @property
    def key(self) -> dict[str, int]:
        """What tells it from others in the cache."""
        return {"seed": self.seed} | ({} if self.group is None else {"group": self.group, "groups": GROUPS})

    def of(self, draw: Draw, lengths: Sequence[int]) -> np.ndarray:
        """Draw its items, int64 [M, 2] of (video, first frame)."""
        drawn = draw(lengths, self.seed)
        return drawn if self.group is None else drawn[group_of(drawn[:, 0], len(lengths)) == self.group]


def parts_of(seeds: Sequence[int], grouped: bool) -> list[Part]:
    """List one part for each seed and then, for intervals, the groups of the first seed."""
    groups = [Part(seeds[0], group) for group in range(GROUPS)] if grouped else []
    return [*map(Part, seeds), *groups]


@dataclass
class Look:
    """One detector's part in a pass over the real videos, for all metrics that look at the same items."""

    items: Items
    missing: list[Part]
    drawn: Drawn
    pool: Pool


def real_summaries(
    store: VideoStore, protocol: Protocol, detectors: Detectors, cache: SummaryCache, grouped: bool = False
) -> dict[str, list[Summary]]:
    """Summarise the features of the real side: for every metric one summary per evaluation seed.

    Args:
        grouped: also one for each group of videos of the first seed, after those.

    Raises:
        UserError: features that are not finite.
    """
    lengths = [int(length) for length in store.lengths]
    parts = parts_of(protocol.seeds, grouped)
    groups = looking_alike(metrics_of(protocol))
    found: list[dict[tuple[type[Summary], Part], Summary | None]] = []
    looks: dict[int, Look] = {}

    def key(items: Items, part: Part) -> dict[str, Any]:
        detector = detectors.of(items.detector).sha256
        return {"side": "real", "videos": store.sha256, "detector": detector, "rule": items.real_rule} | part.key

    # What earlier evaluations of the same videos have left need not be computed again.
    for number, group in enumerate(groups):
        items, kinds = group[0].items, dict.fromkeys(metric.summary for metric in group)
        found.append({(kind, part): cache.get(kind, key(items, part)) for kind in kinds for part in parts})
        if missing := [part for part in parts if any(found[-1][kind, part] is None for kind in kinds)]:
            pool = Pool(detectors.of(items.detector), kinds, len(missing), items.length, group[0].title)
            looks[number] = Look(items, missing, Drawn([part.of(items.real, lengths) for part in missing]), pool)

    # One pass over the videos serves all seeds and all metrics.
    _real_pass(store, list(looks.values()))
    for number, look in looks.items():
        for kind, summaries in look.pool.close().items():
            for part, summary in zip(look.missing, summaries, strict=True):
                cache.put(key(look.items, part), summary)
                found[number][kind, part] = summary

    result = {}
    for group, summaries_of in zip(groups, found, strict=True):
        for metric in group:
            chosen = (summaries_of[metric.summary, part] for part in parts)
            result[metric.name] = [summary for summary in chosen if summary is not None]
    return result


class Reader:
    """Reads items of one stored video, whose first frames ascend; a frame of several items is decoded once."""

    def __init__(self, store: VideoStore, video: int):
        self._store, self._video = store, video
        self._kept: dict[int, torch.Tensor] = {}

    def read(self, start: int, items: Items) -> list[torch.Tensor]:
        """Return the frames of an item, uint8 [3, R, R] each."""
        wanted = range(start, start + items.span, items.stride)
        self._kept = {number: frame for number, frame in self._kept.items() if number >= start}
        if missing := [number for number in wanted if number not in self._kept]:
            self._kept.update(zip(missing, read_clip(self._store, self._video, missing), strict=True))
        return [self._kept[number] for number in wanted]


def _real_pass(store: VideoStore, looks: Sequence[Look]) -> None:
    """Read and look at everything that was drawn of the real videos."""
    progress = Progress("real videos", sum(look.drawn.total for look in looks))
    for video in sorted({video for look in looks for video in look.drawn.videos()}):
        reader = Reader(store, video)
        chosen = [(start, counts, look) for look in looks for start, counts in look.drawn.of(video)]
        for start, counts, look in sorted(chosen, key=lambda one: one[0]):
            look.pool.add(reader.read(start, look.items), counts, store.names[video])
        progress.step(len(chosen))


def fake_summaries(
    fakes: Fakes,
    protocol: Protocol,
    detectors: Detectors,
    cache: SummaryCache,
    fresh: bool = False,
    grouped: bool = False,
) -> dict[str, list[Summary]]:
    """Summarise the features of the generated side: for every metric one summary per evaluation seed.

    Videos are made once and shown to all detectors; nothing is stored. When every summary is in the cache, nothing is
    made at all.

    Args:
        fakes: where the videos come from.
        protocol, detectors, cache, grouped: as for the real side. Without a known identity of `fakes` the cache is not
            used.
        fresh: make the videos even when everything is cached (someone wants to keep the frames).

    Raises:
        UserError: features that are not finite.
    """
    groups = looking_alike(metrics_of(protocol))
    base: dict[str, Any] = {"side": "fake", "videos": fakes.identity, "rounding": fakes.rounding, "codec": fakes.codec}
    base |= {name: getattr(protocol, name) for name in ("n_fake", "clip_length", "generation_seed")}
    base |= {"resize": fakes.resize} if fakes.resize != UNRESIZED else {}

    def parts(items: Items) -> list[Part]:
        return parts_of(protocol.seeds if items.fake_varies else protocol.seeds[:1], grouped)

    def keys(group: list[Metric]) -> list[dict[str, Any]]:
        items = group[0].items
        own = base | {"detector": detectors.of(items.detector).sha256, "rule": items.fake_rule}
        alike = () if items.fake_varies else ("seed",)
        return [own | {name: value for name, value in part.key.items() if name not in alike} for part in parts(items)]

    # Either everything is in the cache, or every video is made once and shown to all detectors.
    made: list[Made] | None = None
    if fakes.identity is not None and not fresh:
        made = _all_cached(cache, [(group, keys(group)) for group in groups])
    if made is None:
        made = _fake_pass(fakes, [(group, parts(group[0].items)) for group in groups], detectors)
        if fakes.identity is not None:
            for group, summaries in zip(groups, made, strict=True):
                for many in summaries.values():
                    for key, summary in zip(keys(group), many, strict=True):
                        cache.put(key, summary)

    result: dict[str, list[Summary]] = {}
    for group, summaries in zip(groups, made, strict=True):
        repeats = 1 if group[0].items.fake_varies else protocol.repeats
        for metric in group:
            first, *others = summaries[metric.summary]
            result[metric.name] = [first] * repeats + others
    return result


def _all_cached(cache: SummaryCache, wanted: list[tuple[list[Metric], list[dict[str, Any]]]]) -> list[Made] | None:
    """The summaries of every group, or None when one is missing."""
    found: list[Made] = []
    for group, keys in wanted:
        found.append({})
        for kind in dict.fromkeys(metric.summary for metric in group):
            summaries = [cache.get(kind, key) for key in keys]
            found[-1][kind] = [summary for summary in summaries if summary is not None]
            if len(found[-1][kind]) < len(keys):
                return None
    return found


def _fake_pass(fakes: Fakes, groups: list[tuple[list[Metric], list[Part]]], detectors: Detectors) -> list[Made]:
    """Make every video once and look at it."""
    pools, draws = [], []
    for group, parts in groups:
        items = group[0].items
        draws.append(Drawn([part.of(items.fake, fakes.lengths) for part in parts]))
        kinds = dict.fromkeys(metric.summary for metric in group)
        pools.append(Pool(detectors.of(items.detector), kinds, len(parts), items.length, group[0].title))
    progress = Progress("generated videos", len(fakes.lengths))
    for video, clip in enumerate(fakes.clips()):
        for (group, _), drawn, pool in zip(groups, draws, pools, strict=True):
            items = group[0].items
            for start, counts in drawn.of(video):
                pool.add(clip[start : start + items.span : items.stride], counts, fakes.names[video])
        progress.step(1)
    return [pool.close() for pool in pools]


def require_long_enough(lengths: Iterable[int], groups: list[list[Metric]]) -> None:
    """Refuse videos of which fewer than two are long enough for a clip, or that have fewer than two frames in all.

    Raises:
        UserError: with the numbers.
    """
    lengths = [int(length) for length in lengths]
    for (metric, *_), span in ((group, group[0].items.span) for group in groups):
        if sum(one >= span for one in lengths) >= 2 or (span == 1 and sum(lengths) >= 2):
            continue
        shorter = f"or leave {metric.items.length} out: --lengths, or evaluation.fvd_lengths of the scale"
        raise UserError(
            f"{sum(one >= span for one in lengths)} of {len(lengths)} have the {span} frames that {metric.title} needs "
            f"(at least 2 must); the longest has {max(lengths, default=0)}",
            cure="Give more videos." if len(lengths) < 2 else f"Use longer videos, {shorter}.",
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
