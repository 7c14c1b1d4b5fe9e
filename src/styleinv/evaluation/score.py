"""Scores of a generator or of a folder of videos, with their protocol record."""

import logging
import time
from pathlib import Path
from typing import Any, cast

import numpy as np

from styleinv.errors import UserError
from styleinv.evaluation.bootstrap import interval
from styleinv.evaluation.cache import SummaryCache
from styleinv.evaluation.detectors import Detectors
from styleinv.evaluation.features import fake_summaries, real_summaries, require_long_enough
from styleinv.evaluation.metrics import looking_alike, metrics_of
from styleinv.evaluation.protocol import MetricRecord, Protocol, ProtocolRecord, library_versions
from styleinv.evaluation.stores import Fakes, GeneratedFakes, ResizedFakes, StoredFakes, VideoStore, is_store, side
from styleinv.evaluation.summaries import Moments
from styleinv.generator import VideoGenerator

log = logging.getLogger(__name__)


def score(
    real: VideoStore,
    fake: VideoGenerator | VideoStore,
    protocol: Protocol,
    detectors: Detectors,
    *,
    cache: Path | None = None,
    fake_id: str | None = None,
    dataset: str = "",
    name: str = "",
    batch: int = 8,
    keep: Path | None = None,
    replicates: int = 0,
) -> dict[str, Any]:
    """Score generated videos against real ones.

    Args:
        real: the data set.
        fake: a generator, or videos that already lie in a store or folder (used as stored, without codec).
        protocol: the rules.
        detectors: the feature networks.
        cache: folder for summaries of features, None for none.
        fake_id: content hash of the generator's weights; without it nothing of generated videos is cached. A store has
            its own.
        dataset, name: names of the data set and of what is scored, for messages and the record.
        batch: videos generated at once; never changes a score.
        keep: folder that receives the generated frames as they were scored; None keeps nothing.
        replicates: of the bootstrap interval of each score, 0 for none; never changes a score.

    Returns:
        A dictionary that JSON can hold: for every metric m of the protocol the mean over the evaluation seeds `m`,
        their standard deviation `m_std` (None for one seed), the list `m_runs`, and the 95 % interval over videos
        `m_low` to `m_high` (see `evaluation.bootstrap`; None where there is none); `protocol` (the record),
        `protocol_id`, `protocol_ids` (of each metric), `stand_in`, `unlike_paper` (what differs from the rules of the
        paper's tables), `seconds`.

    Raises:
        UserError: resolutions differ, videos are damaged, too few or too short, or features are not finite; the side
            and the video are named.
    """
    started = time.monotonic()
    fakes: Fakes
    # A folder may also answer as a generator; what is stored is scored as stored.
    if is_store(fake):
        if keep is not None:
            raise UserError(
                "only generated videos can be kept; these lie in a folder already", file=keep, cure="Leave --keep out."
            )
        with side("generated"):
            fakes = StoredFakes(fake, protocol)
    else:
        fakes = GeneratedFakes(cast(VideoGenerator, fake), protocol, fake_id, batch, keep)
    if fakes.resolution != real.resolution:
        if protocol.resize is None:
            raise UserError(
                f"the data set is {real.resolution} pixels wide, the generated videos are {fakes.resolution}",
                file=dataset or None,
                cure="Make one again, or declare a kernel: --resize bilinear, or evaluation.resize of the scale.",
            )
        fakes = ResizedFakes(fakes, real.resolution, protocol.resize)
    # Everything that would fail is said before the first feature is computed.
    groups, summaries = looking_alike(metrics_of(protocol)), SummaryCache(cache)
    with side("real"):
        require_long_enough(real.lengths, groups)
    with side("generated"):
        require_long_enough(fakes.lengths, groups)
    with side("real"):
        real_side = real_summaries(real, protocol, detectors, summaries, grouped=replicates > 0)
    with side("generated"):
        fake_side = fake_summaries(
            fakes, protocol, detectors, summaries, fresh=keep is not None, grouped=replicates > 0
        )

    scores: dict[str, Any] = {}
    made: dict[str, MetricRecord] = {}
    for metric in metrics_of(protocol):
        sides = real_side[metric.name], fake_side[metric.name]
        seeds = [many[: protocol.repeats] for many in sides]
        of_groups = [many[protocol.repeats :] for many in sides]
        counts = {name: summaries[0].n for name, summaries in zip(("real", "fake"), seeds, strict=True)}
        if metric.summary is Moments and min(counts.values()) < seeds[0][0].dim:
            what = "%s: rank-deficient covariance, %d real and %d generated items of %d features; the score is biased"
            log.warning(what, metric.title, *counts.values(), seeds[0][0].dim)
        runs = [metric.distance(*pair) for pair in zip(*seeds, strict=True)]
        scores[metric.name] = float(np.mean(runs))
        scores[f"{metric.name}_std"] = float(np.std(runs, ddof=1)) if len(runs) > 1 else None
        scores[f"{metric.name}_runs"] = runs
        ends = interval(metric, of_groups[0], of_groups[1], scores[metric.name], replicates) or (None, None)
        scores |= {f"{metric.name}_low": ends[0], f"{metric.name}_high": ends[1]}
        made[metric.name] = MetricRecord(title=metric.title, detector=metric.items.detector, rule=metric.rule, **counts)
    record = ProtocolRecord(
        rules=protocol.changed(),
        dataset=dataset,
        real_sha256=real.sha256,
        fake=name,
        fake_sha256=fakes.identity,
        detectors={"image": detectors.image.record, "video": detectors.video.record},
        stand_in=detectors.stand_in,
        resolution=real.resolution,
        resize=fakes.resize,
        mirror=False,
        rounding=fakes.rounding,
        codec=fakes.codec,
        generation_seed=None if is_store(fake) else protocol.generation_seed,
        metrics=made,
        device=str(detectors.image.device),
        versions=library_versions(),
    )
    return scores | {
        "protocol": record.model_dump(mode="json"),
        "protocol_id": record.id,
        "protocol_ids": {name: record.metric_id(name) for name in made},
        "stand_in": record.stand_in,
        "unlike_paper": record.unlike_paper,
        "seconds": round(time.monotonic() - started, 1),
    }
