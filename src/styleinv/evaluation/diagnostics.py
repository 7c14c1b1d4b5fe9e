"""Motion of videos in numbers that need no detector; they stand beside FVD in the report, never in its place.

Each function of videos takes uint8 [N, T, 3, H, W] and returns float64 [N], one value per video, in units of the 0..1
pixel range where it has any. Real videos say which values are right.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pandas as pd
import torch

from styleinv.evaluation import sampling
from styleinv.evaluation.protocol import Protocol
from styleinv.evaluation.stores import VideoStore, read_clip
from styleinv.generator import VideoGenerator, to_uint8

# Videos that are looked at on each side.
WATCHED = 16

# Side of the coarse picture in which identity and layout survive and expression, speech and texture do not.
COARSE = 8


def motion_energy(videos: torch.Tensor) -> torch.Tensor:
    """Compute the mean absolute change from frame to frame, for T >= 2; 0 is a still."""
    return _changes(videos, order=1)


def motion_energy_16(videos: torch.Tensor) -> torch.Tensor:
    """Compute the mean absolute change over 16 frames; NaN for videos of 16 frames or fewer."""
    return torch.stack([(v[16:].double() - v[:-16].double()).abs().mean() / 255 for v in videos])


def motion_kept(videos: torch.Tensor) -> torch.Tensor:
    """Compute `motion_energy` of the last quarter over that of the first, for T >= 8; NaN where the first is still.

    1 for motion that goes on, 0 for motion that stops.
    """
    quarter = max(2, videos.shape[1] // 4)
    first, last = motion_energy(videos[:, :quarter]), motion_energy(videos[:, -quarter:])
    return torch.where(first > 0, last / first, torch.nan)


def motion_roughness(videos: torch.Tensor) -> torch.Tensor:
    """Compute mean |second difference| over mean |first difference|, for T >= 3.

    0 for even motion, about 1.7 for frames unrelated in time; a video without motion has no roughness: NaN.
    """
    first, second = _changes(videos, order=1), _changes(videos, order=2)
    return torch.where(first > 0, second / first, torch.nan)


def identity_drift(videos: torch.Tensor) -> torch.Tensor:
    """Compute 1 - the mean correlation of the first frame with the last quarter, in coarse pictures, for T >= 2.

    A proxy: 0 when subject and layout stay, towards 1 when the video ends on something unrelated. NaN where a coarse
    picture is flat.
    """
    frames = videos.shape[1]
    late = videos[:, -max(1, frames // 4) :]
    reference, later = _coarse(videos[:, :1]), _coarse(late)
    return 1 - (reference * later).sum(dim=2).mean(dim=1)


def loopiness(videos: torch.Tensor) -> torch.Tensor:
    """Compute how far videos come back to where they were, 0 to 1, for T >= 4; NaN for stills.

    D(k) is the mean distance, 1 - correlation, of coarse pictures that are k frames apart, k = 1 ... T / 2. It grows
    with k where motion goes on; loopiness is its deepest relative fall below an earlier value, 1 for a perfect loop.
    """
    coarse = _coarse(videos)
    alike = coarse @ coarse.transpose(1, 2)
    lags = range(1, max(2, videos.shape[1] // 2 + 1))
    distance = torch.stack([1 - alike.diagonal(lag, 1, 2).mean(dim=1) for lag in lags], dim=1)
    fall = (1 - distance / distance.cummax(dim=1).values).amax(dim=1)
    # What is left of a still's distances is rounding.
    return torch.where(distance.amax(dim=1) > 1e-9, fall, torch.nan)


def motion_followed(videos: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """Compute the correlation over time of the change from frame to frame in two videos of the same T >= 3.

    1 where both move and pause together; NaN where one moves evenly, or not at all.
    """
    pairs = zip(videos, others, strict=True)
    return torch.stack([torch.stack([_change(a), _change(b)]).corrcoef()[0, 1] for a, b in pairs])


def layout_followed(videos: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """Compute the mean correlation of frames with those of another video at the same time, in coarse grey pictures.

    1 where light and dark lie alike. NaN where a picture is flat.
    """
    grey = [_coarse(side.double().mean(dim=2, keepdim=True)) for side in (videos, others)]
    return (grey[0] * grey[1]).sum(dim=2).mean(dim=1)


def picture_error(frames: torch.Tensor, pictures: torch.Tensor) -> torch.Tensor:
    """Compute the RMS difference [N] of frames and the pictures they should show, both uint8 [N, 3, H, W]."""
    return ((frames.double() - pictures.double()) / 255).square().flatten(1).mean(dim=1).sqrt()


FUNCTIONS = (motion_energy, motion_energy_16, motion_roughness, motion_kept, identity_drift, loopiness)


# What is measured of one video, uint8 [T, 3, H, W].
Measures = Callable[[torch.Tensor], dict[str, float]]


def diagnose(video: torch.Tensor) -> dict[str, float]:
    """Compute each diagnostic of one video, uint8 [T, 3, H, W]; NaN where it is not defined."""
    return {function.__name__: float(function(video[None])) for function in FUNCTIONS}


def watched_length(store: VideoStore, protocol: Protocol) -> int:
    """Say how many frames of each video are looked at, on both sides: numbers of other lengths do not compare."""
    return min(protocol.clip_length, max(map(int, store.lengths)))


def watch_store(
    store: VideoStore,
    side: str,
    frames: int,
    choice: str = "first",
    videos: int = WATCHED,
    measure: Measures = diagnose,
) -> pd.DataFrame:
    """Diagnose some stored videos, one row each: `side`, `video` (its name) and the diagnostics.

    Args:
        store: real or generated videos.
        side: `real` or `generated`.
        frames: of each.
        choice: where they begin, `first` or `random`.
        videos: how many at most.
        measure: what is measured of each.
    """
    chosen = sampling.real_clips(list(map(int, store.lengths)), frames, videos, 0, choice)  # type: ignore[arg-type]
    return pd.DataFrame(
        {"side": side, "video": store.names[video]} | measure(read_clip(store, video, range(start, start + frames)))
        for video, start in chosen.tolist()
    )


def watch_generator(
    generator: VideoGenerator, seeds: Sequence[int], frames: int, measure: Measures = diagnose
) -> pd.DataFrame:
    """Diagnose some generated videos, one row each: `side`, `video` (its seed) and the diagnostics.

    Where the method starts from a picture, `first_frame_error` is how far frame 0 is from it (RMS). Where it moves one
    latent, `w_drift` is the mean |w_t - w_0|^2 of the last quarter over what it is for the latents of two unrelated
    videos: 0 stays, 1 has nothing left of w_0.

    Args:
        generator: makes the videos.
        seeds: of the videos.
        frames: of each.
        measure: what is measured of each besides.
    """
    table = pd.DataFrame(_watched(generator, seeds, frames, measure))
    if "w_0" in table:
        apart = 2 * torch.stack(table["w_0"].tolist()).var(dim=0).sum()
        table["w_drift"] = [float(moved / apart) for moved in table["moved"]]
    return table.drop(columns=["w_0", "moved"], errors="ignore")


def _watched(generator: Any, seeds: Sequence[int], frames: int, measure: Measures) -> Iterator[dict[str, Any]]:
    times = torch.arange(frames)
    for seed in seeds:
        video = generator.videos([seed], times, "round")[0].cpu()
        row: dict[str, Any] = {"side": "generated", "video": str(seed)} | measure(video)
        if hasattr(generator, "first_frame"):
            w, picture = generator.first_frame(seed)
            row["first_frame_error"] = float(picture_error(video[:1], to_uint8(picture, "round").cpu()))
            if hasattr(generator, "latents"):
                late = times[-max(1, frames // 4) :]
                moved = generator.latents(w, picture, generator.motion_noise(seed, frames - 1), late) - w
                row |= {"w_0": w[0].cpu(), "moved": moved.square().sum(dim=1).mean().cpu()}
        yield row


def _change(video: torch.Tensor) -> torch.Tensor:
    """Mean absolute change from each frame to the next, [T - 1]."""
    return (video.double() / 255).diff(dim=0).abs().flatten(1).mean(dim=1)


def _changes(videos: torch.Tensor, order: int) -> torch.Tensor:
    """Mean absolute difference of the given order along time, [N]; one video at a time bounds the memory."""
    return torch.stack([(v.double() / 255).diff(n=order, dim=0).abs().mean() for v in videos])


def _coarse(videos: torch.Tensor) -> torch.Tensor:
    """Coarse pictures with zero mean and unit norm, float64 [N, T, C * COARSE^2]."""
    flat = torch.stack([torch.nn.functional.adaptive_avg_pool2d(v.double() / 255, COARSE).flatten(1) for v in videos])
    centred = flat - flat.mean(dim=2, keepdim=True)
    return centred / centred.norm(dim=2, keepdim=True)
