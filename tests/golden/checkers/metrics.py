"""Fréchet distance, and the FID / FVD protocol on small folders with their own detectors."""

import random
from collections.abc import Callable, Sequence

import numpy as np
import torch

from styleinv.evaluation.cache import SummaryCache
from styleinv.evaluation.detectors import Detectors, load_detector
from styleinv.evaluation.features import fake_summaries, real_summaries
from styleinv.evaluation.frechet import frechet
from styleinv.evaluation.protocol import Protocol
from styleinv.evaluation.score import score
from styleinv.evaluation.stores import StoredFakes
from styleinv.evaluation.summaries import Moments
from styleinv.files import sha256
from tests.golden.case import Case


def check_frechet(case: Case) -> dict[str, np.ndarray]:
    """Mean, biased covariance and distance from features that arrive in chunks of 7."""
    got = {}
    for i, sizes in enumerate(case.manifest["cases"]):
        sides = {}
        for side in ("real", "gen"):
            features = case.inputs[f"{side}{i}"][: sizes[f"n_{side}"]]
            sides[side] = Moments(features.shape[1])
            for start in range(0, len(features), 7):
                sides[side].append(features[start : start + 7])
            got[f"mu_{side}{i}"] = sides[side].mean
            got[f"sigma_{side}{i}"] = sides[side].covariance
        distance = frechet(sides["gen"], sides["real"])
        got[f"fd{i}"] = np.array(distance)
        itself = frechet(sides["real"], sides["real"]).distance
        assert abs(itself) < 1e-6 * distance.sqrt_trace, f"distance of real{i} to itself is {itself}"
        unbiased = sizes["with_unbiased_cov"]
        assert abs(distance.distance - sizes["official"]) < abs(distance.distance - unbiased), (
            "matches the N - 1 covariance"
        )
    return got


class ArrayStore:
    """Videos in memory, uint8 [T, R, R, 3] each."""

    def __init__(self, videos: Sequence[np.ndarray], sha256: str):
        self.names = [f"video_{i:03d}" for i in range(len(videos))]
        self.lengths = [len(video) for video in videos]
        self.resolution = videos[0].shape[1]
        self.sha256 = sha256
        self.storage = "none"
        self._videos = videos

    def frames(self, video: int, indices: Sequence[int]) -> np.ndarray:
        return self._videos[video][list(indices)]


def check_protocol(case: Case) -> dict[str, np.ndarray]:
    """The fixed variants through `evaluate`; the random ones by replaying the logs and by their distribution."""
    config, results = case.config, case.manifest["results"]
    real = ArrayStore([case.inputs[f"real_{i:03d}"] for i in range(len(config["real_lens"]))], "real")
    fake = ArrayStore(list(case.inputs["fake"]), "fake")
    files = {kind: case.path / f"detector_{kind}.pt" for kind in ("image", "video")}
    detectors = Detectors(
        load_detector("image", files["image"], sha256=sha256(files["image"])),
        load_detector("video", files["video"], sha256=sha256(files["video"])),
    )
    frames = config["nframes"]
    fixed = Protocol(
        n_fake=config["n_fake"],
        clip_length=config["fake_len"],
        real_clips=len(real.names),
        fvd_lengths=(frames,),
        fid_choice="all",
        clip_choice="first",
        repeats=1,
    )
    scores = score(real, fake, fixed, detectors)
    strided = score(real, fake, fixed.changed(fvd_lengths=(frames // 2,), stride=2), detectors)
    made = scores["protocol"]["metrics"][f"fvd{frames}"]
    assert (made["real"], made["fake"]) == (results["fvd_n_real"], results["fvd_n_fake"]), made

    sides = {
        "real": real_summaries(real, fixed, detectors, SummaryCache(None)),
        "gen": fake_summaries(StoredFakes(fake, fixed), fixed, detectors, SummaryCache(None)),
    }
    got = {}
    for side, statistics in sides.items():
        for metric, name in (("fid", "fid"), ("fvd", f"fvd{frames}")):
            got[f"{metric}_mu_{side}"] = statistics[name][0].mean
            got[f"{metric}_sigma_{side}"] = statistics[name][0].covariance
    images = np.stack([real.frames(len(real.names) - 1, [0])[0], fake.frames(0, [fake.lengths[0] - 1])[0]])
    got["image_features_of_last_real_frame0_and_fake0_last"] = detectors.image(channels_first(images))
    clip = channels_first(fake.frames(0, range(frames)))
    got["video_features_of_fake0_first_clip"] = detectors.video(clip.transpose(0, 1)[None])
    got["results"] = np.array([scores["fid"], scores[f"fvd{frames}"], strided[f"fvd{frames // 2}"]])

    for seed in config["seeds"]:
        check_replayed(case, real, fake, detectors, seed)
    sampled = fixed.changed(fid_choice="sampled", clip_choice="random", fid_items=config["fid_gen"], repeats=40)
    check_distribution(case, real, fake, detectors, sampled)
    return got


def check_replayed(case: Case, real: ArrayStore, fake: ArrayStore, detectors: Detectors, seed: int) -> None:
    """The logged draws of one official run give its score, and are the draws that the stated rule makes."""
    config, results = case.config, case.manifest["results"]
    frames = config["nframes"]
    logs = {metric: case.arrays[f"log/{metric}_seed{seed}"].astype(int) for metric in ("fvd", "fid")}
    lengths = np.array(real.lengths)
    fid_real, fid_gen = fid_items(config, real, fake)
    fvd_real, fvd_gen = fvd_items(config, real, fake)
    n_real = {"fvd": fvd_real * frames, "fid": fid_real}
    for metric, log in logs.items():
        sides = []
        for store, part in ((real, log[: n_real[metric]]), (fake, log[n_real[metric] :])):
            images = np.stack([store.frames(video, [frame])[0] for video, frame in part])
            pixels = channels_first(images)
            if metric == "fvd":
                clips = pixels.unflatten(0, (-1, frames)).transpose(1, 2)
                features = np.concatenate([detectors.video(clip[None]) for clip in clips])
            else:
                features = detectors.image(pixels)
            statistics = Moments(features.shape[1])
            statistics.append(features)
            sides.append(statistics)
        distance = frechet(*sides).distance
        want = results[f"{metric}_official_seed{seed}_workers0"]
        limit = case.manifest["tolerance"]
        assert abs(distance - want) <= limit["atol"] + limit["rtol"] * want, (
            f"{metric}, seed {seed}: {distance}, official {want}"
        )

    clips = logs["fvd"].reshape(-1, frames, 2)
    kept = np.flatnonzero(lengths >= frames).tolist()
    random.Random(seed).shuffle(kept)
    assert clips[:fvd_real, 0, 0].tolist() == kept[:fvd_real], "FVD: one clip of each of the first long enough videos"
    assert (np.diff(clips[:, :, 1], axis=1) == 1).all(), "FVD: consecutive frames"
    chosen = clips[fvd_real:, 0]
    assert len(set(chosen[:, 0])) == len(chosen) == fvd_gen and not chosen[:, 1].any(), "FVD: beginnings of generated"
    shuffled = list(range(len(lengths)))
    random.Random(seed).shuffle(shuffled)
    assert (logs["fid"][:fid_real, 0] == np.resize(shuffled, fid_real)).all(), "FID: shuffled videos in turn"
    chosen = logs["fid"][fid_real:]
    assert len(np.unique(chosen, axis=0)) == len(chosen) == fid_gen, "FID: generated frames without replacement"


def fid_items(config: dict, real: ArrayStore, fake: ArrayStore) -> tuple[int, int]:
    """Images on the real and on the generated side: what was asked for, or all there are."""
    return min(config["fid_real"], sum(real.lengths)), min(config["fid_gen"], sum(fake.lengths))


def fvd_items(config: dict, real: ArrayStore, fake: ArrayStore) -> tuple[int, int]:
    """Clips on the real and on the generated side: of all videos that are long enough, or as many as are allowed."""
    longs = (sum(length >= config["nframes"] for length in store.lengths) for store in (real, fake))
    n_real, n_fake = (min(config["max_items"], count) for count in longs)
    return n_real, n_fake


def check_distribution(
    case: Case, real: ArrayStore, fake: ArrayStore, detectors: Detectors, protocol: Protocol
) -> None:
    """Scores over our seeds have the mean and spread of the official ones over theirs."""
    config = case.config
    fvd = f"fvd{config['nframes']}"
    # The official run takes another number of real images than of generated ones; a protocol has one number for both.
    of_reals = protocol.changed(fid_items=config["fid_real"], real_clips=config["max_items"])
    reals = real_summaries(real, of_reals, detectors, SummaryCache(None))
    fakes = fake_summaries(StoredFakes(fake, protocol), protocol, detectors, SummaryCache(None))
    # It also draws the generated videos of FVD anew for each seed; a protocol draws them once.
    fakes[fvd] = []
    for seed in protocol.seeds:
        drawn = protocol.changed(metrics=("fvd",), n_fake=fvd_items(config, real, fake)[1], generation_seed=seed)
        made = fake_summaries(StoredFakes(fake, drawn), drawn.changed(repeats=1), detectors, SummaryCache(None))
        fakes[fvd] += made[fvd]
    ours = {}
    for metric, name in (("fid", "fid"), ("fvd", fvd)):
        ours[metric] = [frechet(*pair).distance for pair in zip(reals[name], fakes[name], strict=True)]
    assert (reals["fid"][0].n, fakes["fid"][0].n) == fid_items(config, real, fake)
    assert (reals[fvd][0].n, fakes[fvd][0].n) == fvd_items(config, real, fake)
    for metric, scores in ours.items():
        mean, std, _, _ = case.manifest["results"][f"{metric}_official_40_seeds_mean_std_min_max"]
        error = std * np.sqrt(1 / 40 + 1 / len(scores))
        assert abs(np.mean(scores) - mean) < 5 * error, f"{metric}: mean {np.mean(scores)}, official {mean} +- {error}"
        assert 0.5 < np.std(scores) / std < 2, f"{metric}: spread {np.std(scores)}, official {std}"


def channels_first(images: np.ndarray) -> torch.Tensor:
    """uint8 [N, H, W, 3] -> [N, 3, H, W]."""
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))


CHECKERS: dict[str, Callable[[Case], dict[str, np.ndarray]]] = {
    "metrics/frechet": check_frechet,
    "metrics/protocol": check_protocol,
}
