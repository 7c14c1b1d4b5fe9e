"""FID and FVD of a generator or of a folder of videos, with their protocol record."""

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from styleinv.errors import UserError
from styleinv.evaluation.cache import StatisticsCache
from styleinv.evaluation.detectors import Detectors
from styleinv.evaluation.features import fake_statistics, real_statistics
from styleinv.evaluation.frechet import frechet
from styleinv.evaluation.protocol import Protocol, ProtocolRecord, differences, library_versions, read_record
from styleinv.evaluation.statistics import Statistics
from styleinv.evaluation.stores import Fakes, GeneratedFakes, StoredFakes, VideoStore, is_store
from styleinv.generator import VideoGenerator

log = logging.getLogger(__name__)


def evaluate(
    real: VideoStore,
    fake: VideoGenerator | VideoStore,
    protocol: Protocol,
    detectors: Detectors,
    *,
    cache: Path | None = None,
    fake_id: str | None = None,
    dataset: str = "",
    batch: int = 8,
    keep: Path | None = None,
) -> dict[str, Any]:
    """Score generated videos against real ones.

    Args:
        real: the data set.
        fake: a generator, or videos that already lie in a store or folder (used as stored, without codec).
        protocol: the rules.
        detectors: the feature networks.
        cache: folder for feature statistics, None for none.
        fake_id: content hash of the generator's weights; without it generated statistics are not cached. A store has
            its own.
        dataset: name of the data set, for messages and the record.
        batch: videos generated at once; never changes a score.
        keep: folder that receives the generated frames as they were scored; None keeps nothing.

    Returns:
        A dictionary that JSON can hold: for every metric m of `fid, fvd16, fvd128` the mean over the evaluation seeds
        `m`, their standard deviation `m_std` (None for one seed) and the list `m_runs`; `protocol` (the record),
        `protocol_id`, `stand_in`, `seconds`.

    Raises:
        UserError: resolutions differ, videos are too short, or features are not finite.
    """
    started = time.monotonic()
    fakes: Fakes
    # A folder may also answer as a generator; what is stored is scored as stored.
    if is_store(fake):
        if keep is not None:
            raise UserError("only generated videos can be kept; these lie in a folder already", file=keep)
        fakes = StoredFakes(fake, protocol)
    else:
        fakes = GeneratedFakes(cast(VideoGenerator, fake), protocol, fake_id, batch, keep)
    if fakes.resolution != real.resolution:
        raise UserError(
            f"the data set is {real.resolution} pixels wide, the generated videos are {fakes.resolution}",
            file=dataset or None,
            cure="Scores need one resolution; make the other one again.",
        )
    statistics = StatisticsCache(cache)
    real_side = real_statistics(real, protocol, detectors, statistics, dataset)
    fake_side = fake_statistics(fakes, protocol, detectors, statistics, fresh=keep is not None)

    scores: dict[str, Any] = {}
    for metric in protocol.metrics:
        runs = [frechet(*pair).distance for pair in zip(real_side[metric], fake_side[metric], strict=True)]
        scores[metric] = float(np.mean(runs))
        scores[f"{metric}_std"] = float(np.std(runs, ddof=1)) if len(runs) > 1 else None
        scores[f"{metric}_runs"] = runs
    record = make_record(protocol, detectors, real, fakes, dataset, _counts(real_side, fake_side))
    return scores | {
        "protocol": record.model_dump(mode="json"),
        "protocol_id": record.id,
        "stand_in": record.stand_in,
        "seconds": round(time.monotonic() - started, 1),
    }


def make_record(
    protocol: Protocol,
    detectors: Detectors,
    real: VideoStore,
    fakes: Fakes,
    dataset: str,
    counts: dict[str, int],
) -> ProtocolRecord:
    """Write down how scores were made."""
    rules = ("n_fake", "clip_length", "fid_items", "fid_choice", "real_clips", "clip_choice", "stride")
    return ProtocolRecord(
        protocol=protocol.name,
        dataset=dataset,
        real_sha256=real.sha256,
        image_detector=detectors.image.record,
        video_detector=detectors.video.record,
        stand_in=detectors.stand_in,
        resolution=real.resolution,
        resize="inside the detectors only",
        mirror=False,
        rounding=fakes.rounding,
        codec=fakes.codec,
        fvd_lengths=list(protocol.fvd_lengths),
        counts=counts,
        seeds=protocol.seeds,
        generation_seed=protocol.generation_seed if isinstance(fakes, GeneratedFakes) else None,
        distance="Frechet, biased covariance, float64",
        device=str(detectors.image.device),
        versions=library_versions(),
        **{name: getattr(protocol, name) for name in rules},
    )


def _counts(real: dict[str, list[Statistics]], fake: dict[str, list[Statistics]]) -> dict[str, int]:
    """How many items each metric really used, `<metric>_real` and `<metric>_fake`; the same for every seed."""
    sides = (("real", real), ("fake", fake))
    return {f"{metric}_{side}": many[0].n for side, values in sides for metric, many in values.items()}


def compare(a: dict[str, Any], b: dict[str, Any], names: Sequence[str] = ("A", "B")) -> dict[str, dict[str, float]]:
    """Compare two results of `evaluate`.

    Returns:
        For every metric: `a`, `b` and `difference` (b - a).

    Raises:
        UserError: their protocol records differ in a field that matters; the message names each one.
    """
    left, right = read_record(a, names[0]), read_record(b, names[1])
    if reasons := differences(left, right):
        raise UserError(
            f"{names[0]} and {names[1]} were made by different protocols and cannot be compared: {'; '.join(reasons)}",
            cure="Evaluate both with one protocol.",
        )
    metrics = ["fid", *(f"fvd{length}" for length in left.fvd_lengths)]
    return {m: {"a": a[m], "b": b[m], "difference": b[m] - a[m]} for m in metrics}
