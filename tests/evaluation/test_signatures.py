"""Each failure, made on purpose, has its signature and no other; a control has none."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
import torch

from styleinv.evaluation.diagnostics import watch_generator, watch_store
from styleinv.evaluation.signatures import signatures
from tests.evaluation.fakes import TinyGenerator, TinyStore
from tests.evaluation.test_diagnostics import Latents

FRAMES = 24


def face(seed: int, frames: int) -> np.ndarray:
    """Somebody's colours, who nods as long as the video lasts: uint8 [T, 16, 16, 3]."""
    random = np.random.default_rng(seed)
    colours = random.uniform(0, 255, (6, 6, 3)).repeat(4, axis=0).repeat(4, axis=1)
    nods = 2 + 2 * np.sin(random.uniform(0, 6) + 0.6 * np.arange(frames))
    whole, part = nods.astype(int), (nods % 1)[:, None, None, None]
    above, below = (np.stack([colours[n : n + 16, 2:18] for n in start]) for start in (whole, whole + 1))
    return ((1 - part) * above + part * below).astype(np.uint8)


class Control(TinyGenerator):
    """Makes videos of new people as they are."""

    def videos(self, seeds: Sequence[int], times: torch.Tensor, rounding: str = "truncate") -> torch.Tensor:
        return torch.from_numpy(np.stack([face(10_000 + seed, len(times)) for seed in seeds])).permute(0, 1, 4, 2, 3)


class Wanderer(Control, Latents):
    """The same with latents."""


class Damaged(Control):
    """The control's videos, damaged as `how` says."""

    def __init__(self, how: str):
        super().__init__()
        self.how = how

    def videos(self, seeds: Sequence[int], times: torch.Tensor, rounding: str = "truncate") -> torch.Tensor:
        videos = super().videos(seeds, times)
        half = videos.shape[1] // 2
        if self.how == "frozen":
            return videos[:, :1].expand_as(videos)
        if self.how == "weak":
            return (videos[:, :1] + (videos.float() - videos[:, :1]) / 8).to(torch.uint8)
        if self.how == "stops":
            return videos[:, torch.arange(videos.shape[1]).clamp(max=half)]
        if self.how == "swapped":
            # Somebody else from the middle on.
            videos[:, half:] = super().videos([seed + 500 for seed in seeds], times)[:, half:]
        return videos


@pytest.fixture(scope="module")
def real() -> pd.DataFrame:
    store = TinyStore([FRAMES + 6] * 16)
    store.videos = [face(seed, FRAMES + 6) for seed in range(16)]
    return watch_store(store, "real", FRAMES, "random")


def found(real: pd.DataFrame, generator: Control, curves: pd.DataFrame | None = None) -> list[str]:
    generated = watch_generator(generator, range(42, 58), FRAMES)
    return signatures(pd.concat([real, generated], ignore_index=True), curves)


def curves(**columns: Sequence[float]) -> pd.DataFrame:
    return pd.DataFrame(columns)


def test_a_control_has_none(real: pd.DataFrame) -> None:
    steady = np.full(50, 0.3)
    fine = curves(loss_scores_real=steady + 1, loss_scores_fake=-steady - 1, loss_g_wreg=steady)
    assert found(real, Control()) == found(real, Wanderer(), fine) == found(real, Control(), fine) == []


@pytest.mark.parametrize(
    ("how", "line"),
    [
        ("frozen", "motion collapse: the median motion_energy is 0% of the real"),
        ("weak", "motion collapse: the median motion_energy is "),
        ("stops", "motion collapse: the median motion_kept is 0% of the real"),
        ("swapped", "identity switch: 1"),
    ],
)
def test_damaged_videos(real: pd.DataFrame, how: str, line: str) -> None:
    lines = found(real, Damaged(how))
    assert len(lines) == 1 and lines[0].startswith(line)


def test_two_identities_swapped_at_half_are_seen_among_good_videos(real: pd.DataFrame) -> None:
    """A quarter of the videos may be odd; more may not."""
    good, bad = Control(), Damaged("swapped")
    for many in (4, 5):
        parts = watch_generator(good, range(42, 58 - many), FRAMES), watch_generator(bad, range(60, 60 + many), FRAMES)
        lines = signatures(pd.concat([real, *parts], ignore_index=True))
        assert bool(lines) == (many > 4)


def test_drift_of_w_by_the_latents(real: pd.DataFrame) -> None:
    wanderer = Wanderer()
    wanderer.pace = 0.05
    growing = curves(loss_g_wreg=np.geomspace(0.1, 10, 60))
    (line,) = found(real, wanderer)
    assert line.startswith("drift of W: w ends ")
    # Latents that stay are better evidence than a curve.
    wanderer.pace = 0.0
    assert found(real, wanderer, growing) == []


def test_drift_of_w_by_the_curve(real: pd.DataFrame) -> None:
    (line,) = found(real, Control(), curves(loss_g_wreg=np.geomspace(0.1, 10, 60)))
    assert line.startswith("drift of W: loss_g_wreg grew ")
    assert found(real, Control(), curves(loss_g_wreg=np.linspace(0, 1, 60))) == []


def test_unbalanced_discriminators() -> None:
    nobody = pd.DataFrame(columns=["side", "video"])
    won = np.linspace(0, 6, 40)
    (line,) = signatures(nobody, curves(loss_scores_real=won, loss_scores_fake=-won))
    assert line.startswith("unbalanced discriminator: it has won, with mean scores of +5.8 for real and -5.8")
    (line,) = signatures(nobody, curves(loss_scores_real=-won, loss_scores_fake=won))
    assert line.startswith("unbalanced discriminator: it prefers generated samples")
    # Sure of one side alone, or earlier in the training, is neither.
    calm = np.zeros(40)
    assert signatures(nobody, curves(loss_scores_real=won, loss_scores_fake=calm)) == []
    assert signatures(nobody, curves(loss_scores_real=won[::-1], loss_scores_fake=-won[::-1])) == []
