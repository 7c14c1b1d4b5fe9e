"""Long-Video-GAN's parts that its golden numbers do not hold."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from styleinv.cli import main
from styleinv.data.store import FrameStore, write_store
from styleinv.methods import preparation
from styleinv.methods.long_video_gan.discriminator import SuperResDiscriminator
from styleinv.methods.long_video_gan.generate import load_generator
from styleinv.methods.long_video_gan.generator import SuperResGenerator
from styleinv.methods.long_video_gan_lr import generate
from styleinv.methods.long_video_gan_lr.discriminator import LowResDiscriminator
from styleinv.methods.long_video_gan_lr.generator import LowResGenerator
from styleinv.paths import Paths
from styleinv.runs import parse_run
from styleinv.stages.prepare import prepare
from styleinv.stages.setting import Setting
from styleinv.stages.train import build
from styleinv.training import update
from styleinv.training.checkpoint import save_model
from styleinv.training.distribution import World
from tests.project import ROOT, TINY, make_project

SMALL = {"temporal_emb_dim": 8, "latent_w_dim": 8, "channels": (8, 8, 8, 4)}
BATCH, RUNNING = 4, ("magnitude_ema", "w_avg")
NOISE = {"blur_widths": 4, "max_sampling_rate": 400}


def count(net: torch.nn.Module) -> float:
    """Millions of parameters."""
    return sum(p.numel() for p in net.parameters()) / 1e6


def test_sizes_of_the_paper_configuration() -> None:
    """Numbers of parameters at 64 x 64 and 256 x 256 (specification, part 2)."""
    assert count(LowResGenerator()) == pytest.approx(83.2, abs=0.05)
    with torch.device("meta"):
        assert count(LowResDiscriminator()) == pytest.approx(46.4, abs=0.05)
        assert count(SuperResDiscriminator(256)) == pytest.approx(24.0, abs=0.05)
    assert count(SuperResGenerator(256, 256, 64, 64)) == pytest.approx(27.2, abs=0.05)


def test_windows_of_a_video_agree_with_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    low = generate.LowResVideos(LowResGenerator(16, 16, **SMALL, embedding=NOISE).eval())
    whole = low.clip(3, 0, 200)
    monkeypatch.setattr(generate, "SPAN", generate.STRIDE)
    torch.testing.assert_close(low.clip(3, 0, 200), whole, rtol=1e-4, atol=1e-4 * float(whole.std()))
    torch.testing.assert_close(low.clip(3, 90, 20), whole[:, 90:110], rtol=1e-4, atol=1e-4 * float(whole.std()))
    assert not torch.allclose(low.clip(4, 0, 8), whole[:, :8], atol=1e-2)


def test_the_low_resolution_store(tiny: Setting, tmp_path: Path) -> None:
    results = tmp_path / "results"
    shutil.copytree(tiny.paths.root, results)
    setting = Setting(tiny.config, Paths(results))
    run = parse_run("talking_faces/long_video_gan")
    prepare("lowres", run, setting)
    made = preparation("lowres").output(setting.paths, run)
    low, high = (
        FrameStore(made),
        FrameStore(setting.paths.frames("talking_faces")),
    )
    assert low.names == high.names and np.array_equal(low.lengths, high.lengths) and low.fps == high.fps
    assert low.resolution == high.resolution // 4
    means = [store.frames(0, [3])[0].mean(axis=(0, 1)) for store in (low, high)]
    np.testing.assert_allclose(*means, atol=3)
    first = made.read_bytes()
    prepare("lowres", run, setting)
    assert made.read_bytes() == first


class Sliced:
    """Draws of groups that are parts of one batch, whatever its split."""

    def __init__(self, seed: int, step: int, phase: str, groups: tuple[int, ...]):
        (self.group,) = groups

    def generator(self, purpose: str) -> torch.Generator:
        return torch.Generator().manual_seed(len(purpose))

    def randn(self, purpose: str, n: int, *shape: int, device: torch.device | str = "cpu") -> torch.Tensor:
        whole = torch.randn(BATCH, *shape, generator=self.generator(purpose))
        return whole[self.group * n : (self.group + 1) * n].to(device)


@pytest.mark.parametrize("half", ["long_video_gan_lr", "long_video_gan"])
def test_running_means_move_once_a_step(
    tiny: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, half: str
) -> None:
    """By the mean over the batch, however it is split into groups."""
    shutil.copytree(tiny.paths.root, tmp_path / "results")
    setting, world = Setting(tiny.config, Paths(tmp_path / "results")), World("cpu")
    below = parse_run("talking_faces/long_video_gan_lr")
    prepare("lowres", parse_run("talking_faces/long_video_gan"), setting)
    method = build(below, setting, world)
    if half == "long_video_gan":
        save_model(setting.paths.model(below), method.parts.modules, method.description())
        method = build(parse_run(f"talking_faces/{half}"), setting, world)
        method.loss.corrupt = None  # type: ignore[attr-defined]
    monkeypatch.setattr(update, "Draws", Sliced)
    real, G = method.real_batch(1, BATCH), method.parts.modules["G"]
    phase = next(phase for phase in method.phases if phase.name == "Dmain")
    fresh = {name: value.clone() for name, value in G.named_buffers()}
    moved = {}
    for size in (4, 2, 1):
        G.load_state_dict(fresh, strict=False)
        batches = (((n,), part) for n, part in enumerate(zip(*(part.split(size) for part in real), strict=True)))
        update.accumulate(method.parts, phase, batches, BATCH // size, 0, 0, lambda name, value: None)
        moved[size] = {name: value - fresh[name] for name, value in G.named_buffers() if name.endswith(RUNNING)}
    assert len(moved[4]) > 4 and all(change.any() for change in moved[4].values())
    for size in (2, 1):
        for name, change in moved[size].items():
            torch.testing.assert_close(change, moved[4][name], rtol=2e-3, atol=1e-6)


def test_bad_input_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], tiny: Setting) -> None:
    folder = make_project(tmp_path)
    results = folder / "results"
    shutil.copytree(tiny.paths.root, results)
    scale = folder / "config/tiny.yaml"
    options = ["--config", str(scale), "--results", str(results)]

    def refused(*command: str) -> str:
        assert main([*command, *options]) == 2
        return capsys.readouterr().err.strip().splitlines()[-1]

    assert "lowres.zip: does not exist" in refused("train", "talking_faces/long_video_gan_lr")
    assert main(["lowres", "talking_faces", *options]) == 0
    capsys.readouterr()
    scale.write_text(TINY.replace("seq_length: 8", "seq_length: 64"))
    assert "none of the 6 videos has the 64 frames" in refused("train", "talking_faces/long_video_gan_lr")
    scale.write_text(TINY.replace("seq_length: 8", "diffaugment: colour"))
    line = refused("train", "talking_faces/long_video_gan_lr")
    assert "no 'colour'" in line and "tiny.yaml: methods.long_video_gan_lr.diffaugment" in line
    still = np.zeros([4, 24, 24, 3], np.uint8)
    write_store(results / "data/talking_faces/frames.zip", [("a", still[:, :18, :18])], {"fps": 25.0}, "png")
    assert "18x18 cannot be made 4 times smaller" in refused("lowres", "talking_faces")


def test_official_halves_make_videos_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = ROOT / "tests/golden/cases/lvg_ckpt"
    both = tmp_path / "both"
    both.mkdir()
    for half in ("lres", "sres"):
        shutil.copy(case / f"{half}_ckpt-00005000-G-ema.pkl", both)
    assert main(["import", str(both), "--out", str(tmp_path / "model")]) == 0
    made = load_generator(tmp_path / "model/model.safetensors", torch.device("cpu"))
    videos = made.videos([1, 2], torch.arange(3))
    assert videos.shape == (2, 3, 3, 40, 64) and not torch.equal(videos[0], videos[1])
    assert torch.equal(made.videos([2], torch.arange(3))[0], videos[1])

    capsys.readouterr()
    assert main(["import", str(both / "sres_ckpt-00005000-G-ema.pkl"), "--out", str(tmp_path / "half")]) == 0
    with pytest.raises(Exception, match="super-resolution half alone"):
        load_generator(tmp_path / "half/model.safetensors", torch.device("cpu"))
    (both / "lres_ckpt-00005000-G-ema.pkl").unlink()
    assert main(["import", str(both), "--out", str(tmp_path / "none")]) == 2
    assert "one snapshot of each half" in capsys.readouterr().err and not (tmp_path / "none").exists()
