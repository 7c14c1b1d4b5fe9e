"""DIGAN's parts that its golden numbers do not hold."""

from pathlib import Path

import numpy as np
import pytest
import torch

from styleinv.cli import main
from styleinv.config import load_method
from styleinv.data.sampling import Clips
from styleinv.data.store import FrameStore
from styleinv.methods.context import Context
from styleinv.methods.digan.generate import NetworkConfig
from styleinv.methods.digan.generator import Generator
from styleinv.methods.digan.method import DIGAN, Config, DiscriminatorConfig, draw_times, frames_at
from styleinv.nn.diffaugment import cutout, draw, translation
from styleinv.runs import parse_run
from styleinv.stages.setting import Setting
from styleinv.training.method import TrainingConfig
from tests.data.test_sampling import Numbered
from tests.project import ROOT, TINY, make_project


def resolve(run: str) -> Config:
    return load_method(parse_run(run), ROOT / "config/paper.yaml", Config)


def test_sizes_of_the_paper_configuration() -> None:
    """Numbers of parameters that the released configuration has at 128 and 256 (specification B.1)."""
    with torch.device("meta"):
        for resolution, count, num_ws in ((128, 63_538_706, 13), (256, 69_974_421, 16)):
            G = Generator(512, 512, resolution, num_extra_convs={128: 1, 256: 1})
            assert sum(p.numel() for p in G.parameters()) == count and G.synthesis.num_ws == num_ws


def test_frames_depend_on_their_own_time_alone() -> None:
    G = Generator(8, 8, 16, channel_base=128, channel_max=8, input_resolution=8, rank=2, emb_size=4).eval()
    z, motion = torch.randn(2, 8), torch.randn(2, 8)
    both = G(z, motion, torch.tensor([[0.0, 0.7], [0.2, 5.0]])).unflatten(0, (2, 2))
    alone = G(z[1:], motion[1:], torch.tensor([[5.0]]))
    torch.testing.assert_close(both[1, 1], alone[0], rtol=1e-4, atol=1e-5)


def test_impossible_working_resolutions_are_refused() -> None:
    for resolution, inner in ((32, 64), (32, 24), (48, 16)):
        with pytest.raises(ValueError, match=f"input_resolution {inner} and resolution {resolution}"):
            Generator(8, 8, resolution, input_resolution=inner)


def test_pairs_are_sorted_and_inside_the_clip() -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        times = draw_times(rng)
        first, second = frames_at(times, 16)
        assert 0 <= times[0] <= times[1] <= 1 and 0 <= first <= second <= 15
    assert list(frames_at(np.array([1.0, 1.0]), 16)) == [15, 15]


def test_chunks_show_long_videos_more_often(tiny: Setting) -> None:
    store = FrameStore(tiny.paths.frames("talking_faces"))
    clips = Clips(store, 0, False, 8, 8, lambda rng, n: np.array([0, n - 1]), interleaved=1)
    assert len(clips.videos) == sum(int(n) // 8 for n in store.lengths)
    shown, times = clips.batch(0, len(clips.videos))
    starts = {(shown[i, 0].numpy().tobytes()) for i in range(len(shown))}
    expected = set()
    for video, length in enumerate(store.lengths):
        for start in range(0, int(length) - 7, 8):
            expected.add(np.ascontiguousarray(store.frames(video, [start])[0].transpose(2, 0, 1)).tobytes())
    assert starts == expected and (times == torch.tensor([0.0, 7.0])).all()


def test_released_clips_of_taichi_are_interleaved_in_blocks_of_64(monkeypatch: pytest.MonkeyPatch) -> None:
    """Specification B.6: each block gives the frames k, k + 4, ..., k + 60 for k = 0 ... 3; the rest is dropped."""
    config = resolve("taichi/digan-released").model_copy(
        update={
            "training": TrainingConfig(batch=12, group_size=12, total_kimg=1),
            "networks": NetworkConfig(z_dim=8, w_dim=8, channel_base=64, channel_max=8, input_resolution=8, rank=2),
            "discriminator": DiscriminatorConfig(channel_base=64, channel_max=8, num_fp16_res=0),
            "mirror": False,
        }
    )
    monkeypatch.setattr("styleinv.methods.digan.method.frames_at", lambda times, nframes: np.arange(nframes))
    method = DIGAN(config, Context(Numbered(63, 64, 190, resolution=16), 0, torch.device("cpu")))  # type: ignore[arg-type]
    shown, times = method.real_batch(0, len(method.clips.videos))
    items = sorted((int(clip[0, 0, 0, 0]), clip[:, 1, 0, 0].tolist()) for clip in shown)  # video, frames
    blocks = [(1, 0), (2, 0), (2, 64)]
    assert items == [(video, list(range(start + k, start + 64, 4))) for video, start in blocks for k in range(4)]
    assert (times == torch.arange(16) * 4).all()


def test_released_sampling_is_that_of_taichi_on_taichi_alone() -> None:
    for dataset in sorted((ROOT / "config/datasets").glob("*.yaml")):
        c = resolve(f"{dataset.stem}/digan-released")
        assert (c.nframes, c.stride, c.sampling) == (16, 4 if dataset.stem == "taichi" else 1, "per_chunk")
        c = resolve(f"{dataset.stem}/digan")
        assert (c.nframes, c.stride, c.sampling) == (16, 1, "per_video")


def test_augmentations_are_differentiable_twice() -> None:
    clips = torch.randn(2, 3, 3, 8, 6, dtype=torch.float64, requires_grad=True)
    draws = draw(2, 8, 6, 2, torch.Generator().manual_seed(1))
    assert torch.autograd.gradgradcheck(lambda x: cutout(translation(x, draws.shift), draws.cut).square(), (clips,))


def test_a_clip_longer_than_every_video_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tiny: Setting
) -> None:
    folder = make_project(tmp_path, TINY.replace("    nframes: 8\n", "    nframes: 64\n"))
    options = ["--config", str(folder / "config/tiny.yaml"), "--results", str(tiny.paths.root)]
    assert main(["train", "talking_faces/digan", *options]) == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert "none of the 6 videos has the 64 frames" in line and "the longest has 20" in line
    (folder / "config/tiny.yaml").write_text(
        TINY.replace("    nframes: 8\n", "    nframes: 8\n    diffaugment: colour\n")
    )
    assert main(["train", "talking_faces/digan", *options]) == 2
    assert "diffaugment: there is no 'colour'" in capsys.readouterr().err
