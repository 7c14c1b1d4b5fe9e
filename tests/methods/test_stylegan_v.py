"""StyleGAN-V's parts that its golden numbers do not hold."""

from pathlib import Path

import pytest
import torch

from styleinv.cli import main
from styleinv.methods.stylegan_v.generator import Generator
from styleinv.nn.video_discriminator import VideoDiscriminator
from styleinv.stages.setting import Setting
from tests.project import TINY, make_project

SMALL = {"z_dim": 8, "v_dim": 8, "motion_z_distance": 4, "kernel_size": 3, "time_dim": 4, "max_num_frames": 16}


def test_sizes_of_the_paper_configuration() -> None:
    """Numbers of parameters at 256 x 256 (specification A.3, A.4)."""
    with torch.device("meta"):
        G = Generator(512, 512, 256, motion={"max_num_frames": 1024, "max_period_len": 1024})
        D = VideoDiscriminator(256, 3, max_num_frames=1024)
    count = sum(p.numel() for p in G.parameters())
    assert count == 32_105_941 and G.num_ws == 14
    assert sum(p.numel() for p in G.motion_encoder.parameters()) == 6_292_480
    assert sum(p.numel() for p in D.parameters()) == 25_333_568


def test_motion_enters_beside_the_constant_input_alone() -> None:
    G = Generator(8, 8, 16, motion=SMALL, synthesis={"channel_base": 128, "channel_max": 8}).eval()
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(2, 8, generator=generator)
    noise = torch.randn(2, G.motion_encoder.traj_len(15), G.motion_encoder.z_dim, generator=generator)
    frames = G(z, torch.tensor([[0.0, 3.5], [9.0, 12.0]]), noise)
    assert frames.shape == (4, 3, 16, 16) and not torch.equal(frames[0], frames[1])
    assert G.synthesis.b4.conv1.weight.shape[1] == 8 + G.motion_encoder.dim


def test_impossible_sizes_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], tiny: Setting) -> None:
    folder = make_project(tmp_path)
    scale = folder / "config/tiny.yaml"
    options = ["--config", str(scale), "--results", str(tiny.paths.root)]
    sampling = "    sampling: {max_num_frames: 16, max_dist: 8}\n    ada: {p: 0.2, kimg: 1}\n  mocogan_hd"
    for old, new, says in (
        (sampling, "    sampling: {num_frames: 64}\n  mocogan_hd", "too short for 64"),
        ("mbstd_group_size: 2}\n" + sampling, "concat_res: 64}\n  mocogan_hd", "concat_res 64"),
    ):
        assert old in TINY
        scale.write_text(TINY.replace(old, new))
        assert main(["train", "talking_faces/stylegan_v", *options]) == 2
        line = capsys.readouterr().err.strip().splitlines()[-1]
        assert says in line and "stylegan_v.yaml" in line
