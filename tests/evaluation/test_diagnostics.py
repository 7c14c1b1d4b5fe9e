"""Motion numbers of videos whose motion is known."""

import numpy as np
import pytest
import torch

from styleinv.evaluation import diagnostics
from styleinv.evaluation.diagnostics import (
    WATCHED,
    diagnose,
    identity_drift,
    layout_followed,
    loopiness,
    motion_energy,
    motion_energy_16,
    motion_followed,
    motion_kept,
    motion_roughness,
    watch_generator,
    watch_store,
    watched_length,
)
from tests.evaluation.fakes import TinyGenerator, TinyStore, tiny_protocol, video


def ramp(step: int, frames: int = 20) -> torch.Tensor:
    times = torch.arange(frames)[:, None, None, None] * step
    return times.expand(-1, 3, 16, 16).to(torch.uint8)


def clip(seed: int, frames: int, speed: float = 1.0) -> torch.Tensor:
    return torch.from_numpy(video(seed, frames, speed)).permute(0, 3, 1, 2)


def test_even_motion() -> None:
    videos = torch.stack([ramp(0), ramp(2), ramp(6)])
    np.testing.assert_allclose(motion_energy(videos), [0, 2 / 255, 6 / 255])
    np.testing.assert_allclose(motion_energy_16(videos), [0, 32 / 255, 96 / 255])
    assert torch.isnan(motion_energy_16(videos[:, :16])).all()
    roughness, kept = motion_roughness(videos), motion_kept(videos)
    assert torch.isnan(roughness[0]) and roughness[1:].abs().max() < 1e-12
    assert torch.isnan(kept[0])
    np.testing.assert_allclose(kept[1:], 1)


def test_motion_that_stops_is_not_kept() -> None:
    stops = ramp(3)
    stops[8:] = stops[8]
    assert motion_kept(stops[None]) == 0


def test_unrelated_frames_are_rough() -> None:
    noise = torch.randint(0, 256, (2, 40, 3, 16, 16), generator=torch.manual_seed(0)).to(torch.uint8)
    assert motion_roughness(noise).mean() == pytest.approx(1.7, abs=0.1)


def test_drift() -> None:
    stays = clip(0, 16, speed=0.2)
    turns = stays.clone()
    turns[8:] = 255 - turns[8:]
    drift = identity_drift(torch.stack([stays, turns]))
    assert abs(drift[0]) < 0.2 and drift[1] == pytest.approx(2, abs=0.2)


def test_loops_come_back() -> None:
    forth = clip(0, 10)
    there_and_back = torch.cat([forth, forth.flip(0)] * 3)[:40]
    still = clip(0, 1).expand(40, -1, -1, -1)
    loops = loopiness(torch.stack([clip(0, 40, speed=0.2), there_and_back, still]))
    assert loops[0] < 0.05 and loops[1] > 0.95 and torch.isnan(loops[2])


def test_both_sides_are_watched_alike() -> None:
    store, protocol = TinyStore([30, 5, 12, 14, 40]), tiny_protocol(clip_length=24, fvd_lengths=(4,))
    assert watched_length(store, protocol) == 24 and watched_length(TinyStore([9, 7]), protocol) == 9
    real = watch_store(store, "real", 24, "random")
    assert sorted(real["video"]) == ["v0", "v4"] and set(real["side"]) == {"real"}
    first = watch_store(store, "generated", 14).set_index("video")
    want = diagnose(torch.from_numpy(store.videos[3][:14]).permute(0, 3, 1, 2))
    assert sorted(first.index) == ["v0", "v3", "v4"] and first.loc["v3", list(want)].to_dict() == pytest.approx(
        want, nan_ok=True
    )
    assert len(watch_store(TinyStore([12] * 30), "real", 12)) == WATCHED
    generated = watch_generator(TinyGenerator(), [7, 8], 24)
    assert list(generated["video"]) == ["7", "8"] and set(generated) == set(real)


class Latents(TinyGenerator):
    """Tells its latents, which move from w_0 by `pace` a frame in every coordinate; frame 0 is a grey level off."""

    pace = 0.0

    def first_frame(self, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        w = torch.randn(1, 64, generator=torch.manual_seed(seed))
        return w, (self.videos([seed], torch.arange(1))[0].float() + 1.02) / 127.5 - 1

    def motion_noise(self, seed: int, max_t: float) -> torch.Tensor:
        return torch.zeros(1)

    def latents(self, w: torch.Tensor, picture: torch.Tensor, noise: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        return w + self.pace * times[:, None]


def test_latents_and_first_frames_of_generators_that_tell() -> None:
    wanderer = Latents()
    stays = watch_generator(wanderer, range(8), 12)
    assert (stays["w_drift"] == 0).all() and stays["first_frame_error"].to_numpy() == pytest.approx(1 / 255, rel=0.02)
    wanderer.pace = np.sqrt(2) / 10
    # Two unrelated latents of unit variance are sqrt(2) apart in every coordinate; the last quarter is frames 9 to 11.
    assert watch_generator(wanderer, range(8), 12)["w_drift"].mean() == pytest.approx(1.0, rel=0.1)


def test_every_function_is_a_column() -> None:
    names = [function.__name__ for function in diagnostics.FUNCTIONS]
    assert list(diagnose(clip(0, 20))) == names and {"motion_energy", "identity_drift", "loopiness"} <= set(names)


def test_a_video_follows_itself_in_any_colours_and_no_other() -> None:
    own, other = clip(0, 16, speed=0.2)[None], clip(3, 16, speed=0.4)[None]
    paler = (own.double() / 2 + 100).round().to(torch.uint8)
    assert motion_followed(own, own) == pytest.approx(1) and layout_followed(own, own) == pytest.approx(1)
    assert motion_followed(own, paler) > 0.9 and layout_followed(own, paler) > 0.99
    assert layout_followed(own, 255 - own) == pytest.approx(-1, abs=1e-6)
    assert layout_followed(own, other) < 0.9
    first, second = own.clone(), own.clone()  # which move in one half each
    first[:, 8:], second[:, :8] = own[:, 8:9], own[:, 7:8]
    assert motion_followed(first, second) < 0
    assert torch.isnan(motion_followed(own, own[:, :1].expand_as(own)))
