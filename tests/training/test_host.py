"""No phase of a method reads its device: the host runs ahead of a GPU."""

import shutil
from pathlib import Path

import pytest
import torch

from styleinv import rng
from styleinv.methods.stylegan2.synthesis import SynthesisNetwork
from styleinv.paths import Paths
from styleinv.runs import parse_run
from styleinv.stages.prepare import prepare_all
from styleinv.stages.setting import Setting
from styleinv.stages.train import train
from styleinv.training.draws import Draws
from tests.copies import META, Copies, first_step
from tests.project import CHAIN

RUNS = [*CHAIN, "mocogan_hd-ffa_st", "mocogan_hd-cross_domain"]


@pytest.fixture(scope="module")
def upstream(tiny: Setting, tmp_path_factory: pytest.TempPathFactory) -> Setting:
    """What the methods build on: a trained generator, encoder and low-resolution half."""
    results = tmp_path_factory.mktemp("upstream") / "results"
    shutil.copytree(tiny.paths.root, results)
    setting = Setting(tiny.config, Paths(results))
    for method in ("stylegan2", "inversion", "long_video_gan_lr"):
        prepare_all(parse_run(f"talking_faces/{method}"), setting)
        train(parse_run(f"talking_faces/{method}"), setting)
    return setting


@pytest.mark.parametrize("name", RUNS)
def test_a_step_reads_nothing(upstream: Setting, tmp_path: Path, keys: list[int], name: str) -> None:
    prepare_all(parse_run(f"talking_faces/{name}"), upstream)
    first_step(parse_run(f"talking_faces/{name}"), upstream, tmp_path)


def test_noise_is_drawn_where_it_is_needed(keys: list[int]) -> None:
    """Each layer has its own key, and no noise passes from the host; the key follows from the step alone."""
    net = SynthesisNetwork(8, 32, channel_base=256, channel_max=8).to(META)
    ws = torch.empty(2, net.num_ws, 8, device=META)
    for step in (3, 4, 3):
        with Copies() as copies:
            net(ws, generator=Draws(0, step, "Gmain", (1,)).generator("noise"))
        assert not copies.to_device
    a, b, again = (keys[i * 7 : i * 7 + 7] for i in range(3))
    assert len(keys) == 21 and a == again and len({*a, *b}) == 14


def test_on_a_cpu_noise_is_the_generators_own() -> None:
    draw = rng.standard_normal([2, 3], torch.Generator().manual_seed(5), "cpu")
    assert torch.equal(draw, torch.randn([2, 3], generator=torch.Generator().manual_seed(5)))
