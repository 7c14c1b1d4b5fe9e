"""The `ffc` discriminator: its size, what it sees, and that a run can choose it."""

from pathlib import Path

import pytest
import torch

from styleinv.config import load_method
from styleinv.methods.styleinv.discriminator_ffc import FirstFrameDiscriminator
from styleinv.methods.styleinv.method import Config
from styleinv.nn.video_discriminator import VideoDiscriminator
from styleinv.runs import parse_run
from tests.project import make_project

SMALL = {"img_resolution": 32, "channel_base": 256, "channel_max": 16, "mbstd_group_size": 2}


def test_official_size() -> None:
    with torch.device("meta"):
        net, plain = FirstFrameDiscriminator(256), VideoDiscriminator(256)
    assert sum(p.numel() for p in net.parameters()) == 40_835_392
    extra = {name.split(".")[0] for name in net.state_dict().keys() - plain.state_dict().keys()}
    assert extra == {"bcond16", "bcond8", "b4cond"} and not plain.state_dict().keys() - net.state_dict().keys()


def test_every_frame_and_difference_counts_but_the_first_time_does_not() -> None:
    torch.manual_seed(0)
    net = FirstFrameDiscriminator(**SMALL)
    clips = torch.randn(2, 12, 32, 32)
    t = torch.tensor([[0.0, 3, 10, 24], [0, 1, 2, 9]])
    logits = net(clips, t)
    assert logits.shape == (2,)
    for frame in range(4):
        other = clips.clone()
        other[:, 3 * frame : 3 * frame + 3] += 1
        assert not torch.allclose(net(other, t), logits)
    assert torch.equal(net(clips, t + torch.tensor([0, 5, 5, 5])), logits)
    assert not torch.allclose(net(clips, t + torch.tensor([0, 0, 0, 5])), logits)


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 3 frames"):
        FirstFrameDiscriminator(**SMALL, num_frames=2)
    with pytest.raises(ValueError, match="concat_res 32"):
        FirstFrameDiscriminator(**SMALL, concat_res=32)


def test_a_run_can_choose_it(tmp_path: Path) -> None:
    folder = make_project(tmp_path)
    scale = folder / "config/tiny.yaml"
    scale.write_text(scale.read_text().replace("discriminator: {", "discriminator: {variant: ffc, ", 1))
    assert load_method(parse_run("talking_faces/styleinv"), scale, Config).discriminator.variant == "ffc"
