"""MoCoGAN-HD's parts that its golden numbers do not hold."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from styleinv.cli import main
from styleinv.errors import UserError
from styleinv.interop.mocogan_hd import import_folder
from styleinv.methods.context import Context
from styleinv.methods.mocogan_hd.discriminator import PatchDiscriminator
from styleinv.methods.mocogan_hd.motion import MotionGenerator
from styleinv.methods.mocogan_hd.sparse import SparseConfig, SparseMoCoGANHD
from styleinv.methods.stylegan2.synthesis import Generator, SynthesisNetwork
from styleinv.stages.setting import Setting
from styleinv.training.method import TrainingConfig
from tests.project import ROOT, TINY, make_project

FILES = ROOT / "tests/golden/cases/mcg_ckpt"


def test_sizes_of_the_paper_configuration() -> None:
    """Numbers of parameters (specification 1.1)."""
    assert sum(p.numel() for p in MotionGenerator().parameters()) == 3_562_880
    assert sum(p.numel() for p in PatchDiscriminator(3).parameters()) == 22_136_706
    assert sum(p.numel() for p in PatchDiscriminator(2).parameters()) == 5_535_618


def test_a_walk_starts_at_w0_and_its_steps_are_bounded() -> None:
    R = MotionGenerator(8, 6, 4)
    R.set_components(torch.eye(8), torch.arange(1.0, 9.0))
    w0 = torch.randn(2, 8)
    with torch.no_grad():
        w, _ = R(w0, torch.randn(20, 2, 8) * 100)
    assert torch.equal(w[:, 0], w0)
    assert ((w[:, 1:] - w[:, :-1]).abs().amax(dim=(0, 1)) <= 0.2 * R.directions.abs().amax(dim=0) + 1e-6).all()
    with pytest.raises(ValueError, match="n_pca 9"):
        MotionGenerator(8, 6, 9)


def test_frames_of_a_video_share_their_random_noise() -> None:
    net = SynthesisNetwork(8, 8, channel_base=64, channel_max=8)
    for module in net.modules():
        if hasattr(module, "noise_strength"):
            module.noise_strength.data.fill_(1.0)
    ws = torch.zeros(6, net.num_ws, 8)
    images = net(ws, generator=torch.Generator().manual_seed(1), frames=3)
    assert torch.equal(images[0], images[1]) and torch.equal(images[3], images[5])
    assert not torch.equal(images[0], images[3])


def test_components_are_found(tiny: Setting, tmp_path: Path) -> None:
    from styleinv.methods.mocogan_hd.pca import principal_components

    rng = np.random.default_rng(0)
    x = rng.normal(size=(5000, 3)) * [3, 1, 0.1] @ np.linalg.qr(rng.normal(size=(3, 3)))[0] + 2
    found = principal_components(x.mean(0), x.T @ x / len(x), len(x))
    np.testing.assert_allclose(found["stdev"], [3, 1, 0.1], rtol=0.05)
    scores = (x - x.mean(0)) @ found["components"].T
    np.testing.assert_allclose(scores.std(0, ddof=1), found["stdev"], rtol=1e-6)


def test_bad_folders_of_official_files_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no folder of MoCoGAN-HD's files"):
        import_folder(tmp_path)
    for name in ("modelR_epoch_0.pth", "sky-fid-tiny-snapshot-000001.pt", "pca_stdev.npy"):
        (tmp_path / name).write_bytes((FILES / name).read_bytes())
    with pytest.raises(UserError, match="pca_comp.npy: does not exist"):
        import_folder(tmp_path)
    (tmp_path / "pca_comp.npy").write_bytes(b"\x93NUMPY broken")
    with pytest.raises(UserError, match="is no array"):
        import_folder(tmp_path)


def test_missing_components_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_project(tmp_path, TINY)
    options = ["--config", str(folder / "config/tiny.yaml"), "--results", str(folder / "results")]
    for command in (["train", "talking_faces/mocogan_hd"], ["pca", "talking_faces/mocogan_hd"]):
        assert main([*command, *options]) == 2
        assert "does not exist" in capsys.readouterr().err
    assert main(["pca", "talking_faces/styleinv", *options]) == 2
    assert "styleinv needs no pca" in capsys.readouterr().err


def test_the_sparse_variant_keeps_the_names_of_its_phases() -> None:
    """Names of phases are part of every random draw: other names are another run."""
    G = Generator(16, 16, 32, synthesis_kwargs={"channel_base": 256, "channel_max": 16})
    sizes = {"channel_base": 256, "channel_max": 16, "num_fp16_res": 0, "mbstd_group_size": 2}
    config = SparseConfig(discriminator=sizes, max_num_frames=16, max_dist=8)
    store = SimpleNamespace(names=["a"], lengths=np.array([16]), resolution=32, fps=25.0)
    context = Context(store, 0, torch.device("cpu"))  # type: ignore[arg-type]
    training = TrainingConfig(batch=2, group_size=2, total_kimg=1)
    method = SparseMoCoGANHD(config, training, context, G, MotionGenerator(16, 8, 8), {})
    assert [(phase.name, phase.optimizer) for phase in method.phases] == [("Gmain", "R"), ("Dmain", "D"), ("Dreg", "D")]
    assert list(method.parts.modules) == ["R", "D", "G"] and not method.parts.averages
