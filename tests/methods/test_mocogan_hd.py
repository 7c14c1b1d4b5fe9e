"""MoCoGAN-HD's parts that its golden numbers do not hold."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from styleinv.cli import main
from styleinv.config import load_dataset, load_method, method_title
from styleinv.errors import UserError
from styleinv.interop.mocogan_hd import import_folder
from styleinv.methods.context import Context
from styleinv.methods.mocogan_hd.discriminator import PatchDiscriminator
from styleinv.methods.mocogan_hd.in_domain import MoCoGANHD
from styleinv.methods.mocogan_hd.method import Config, load_generator
from styleinv.methods.mocogan_hd.motion import MotionGenerator
from styleinv.methods.mocogan_hd.sparse import SparseConfig, SparseMoCoGANHD, WalkLoss
from styleinv.methods.sparse_video import ClipInputs, SparseVideoLoss
from styleinv.methods.stylegan2.method import NetworkConfig, build_generator
from styleinv.methods.stylegan2.synthesis import Generator, SynthesisNetwork
from styleinv.methods.styleinv import method as styleinv
from styleinv.methods.styleinv.loss import StyleInVLoss
from styleinv.nn.video_discriminator import VideoDiscriminator
from styleinv.runs import parse_run
from styleinv.stages.setting import Setting
from styleinv.training.checkpoint import save_model
from styleinv.training.method import TrainingConfig
from styleinv.training.schedule import total_steps
from tests.project import ROOT, TINY, make_project

FILES = ROOT / "tests/golden/cases/mcg_ckpt"


def test_sizes_of_the_paper_configuration() -> None:
    """Numbers of parameters (specification 1.1)."""
    assert sum(p.numel() for p in MotionGenerator().parameters()) == 3_562_880
    assert sum(p.numel() for p in PatchDiscriminator(3).parameters()) == 22_136_706
    assert sum(p.numel() for p in PatchDiscriminator(2).parameters()) == 5_535_618


def resolve(run: str, scale: str = "paper") -> Config:
    return load_method(parse_run(run), ROOT / f"config/{scale}.yaml", Config)


def test_the_yaml_tells_how_many_iterations_100_epochs_are() -> None:
    text = " ".join((ROOT / "config/methods/mocogan_hd.yaml").read_text().replace("\n#", "").split())
    found = re.findall(r"(\d[\d,]*)(?: iterations)? on (\w+)", text)
    stated = {title: int(count.replace(",", "")) for count, title in found}
    G = Generator(16, 16, 32, synthesis_kwargs={"channel_base": 256, "channel_max": 16})
    for name in ("deeperforensics", "faceforensics", "taichi", "sky"):
        dataset = load_dataset(name, ROOT / "config/paper.yaml")
        assert dataset.expected
        lengths = np.full(dataset.expected.videos, 128)
        store = SimpleNamespace(names=list(lengths), lengths=lengths, resolution=32, fps=25.0)
        config = resolve(f"{name}/mocogan_hd").model_copy(update={"ndf": 1})
        context = Context(store, 0, torch.device("cpu"))  # type: ignore[arg-type]
        training = MoCoGANHD(config, context, G, MotionGenerator(16, 8, 8), {}).training
        assert stated.pop(dataset.title) == total_steps(training.total_kimg, training.batch), name
    assert not stated


def test_variants_of_length_and_stride_change_nothing_else() -> None:
    for dataset in sorted((ROOT / "config/datasets").glob("*.yaml")):
        plain = resolve(f"{dataset.stem}/mocogan_hd")
        assert (plain.epochs, plain.stride) == (100, 1)
        assert resolve(f"{dataset.stem}/mocogan_hd-long") == plain.model_copy(update={"epochs": 800})
        assert resolve(f"{dataset.stem}/mocogan_hd-stride2") == plain.model_copy(update={"stride": 2})


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


def sparse_method(G: Generator, described: dict[str, Any]) -> SparseMoCoGANHD:
    sizes = {"channel_base": 256, "channel_max": 16, "num_fp16_res": 0, "mbstd_group_size": 2}
    config = SparseConfig(discriminator=sizes, max_num_frames=16, max_dist=8)
    store = SimpleNamespace(names=["a"], lengths=np.array([16]), resolution=32, fps=25.0)
    context = Context(store, 0, torch.device("cpu"))  # type: ignore[arg-type]
    training = TrainingConfig(batch=2, group_size=2, total_kimg=1)
    R = MotionGenerator(16, 8, 8)
    R.set_components(torch.eye(16), torch.ones(16))
    return SparseMoCoGANHD(config, training, context, G, R.requires_grad_(False), described)


def test_the_sparse_variant_is_the_shared_recipe() -> None:
    """It brings its generator, its generator's loss and what the discriminator sees, and nothing else."""
    method = sparse_method(Generator(16, 16, 32, synthesis_kwargs={"channel_base": 256, "channel_max": 16}), {})
    assert [(phase.name, phase.optimizer) for phase in method.phases] == [("Rmain", "R"), ("Dmain", "D"), ("Dreg", "D")]
    assert method.parts.averages == {"R_ema": "R"}
    for term in ("discriminator_main", "discriminator_reg", "r1", "score"):
        assert getattr(WalkLoss, term) is getattr(SparseVideoLoss, term)
    assert method.real_times.allowed_spans(16) == [2, 3, 4, 5, 6, 7]  # every one, not 2, 4, 8


def test_the_sparse_variant_makes_videos_with_averaged_weights(tmp_path: Path) -> None:
    networks = {"z_dim": 16, "w_dim": 16, "channel_base": 256, "channel_max": 16, "num_fp16_res": 0}
    described = {
        "image_generator": {"networks": networks, "resolution": 32},
        "motion": {"z_dim": 16, "h_dim": 8, "n_pca": 8},
        "fps": 25.0,
    }
    method = sparse_method(build_generator(NetworkConfig.model_validate(networks), 32), described)
    average = method.parts.modules["R_ema"]
    average.b.data += 1
    save_model(tmp_path / "model.safetensors", method.parts.modules, method.description())
    for generator in (method.generator(), load_generator(tmp_path / "model.safetensors", torch.device("cpu"))):
        assert torch.equal(generator.R.b, average.b) and not torch.equal(generator.R.b, method.parts.modules["R"].b)


def test_the_sparse_variant_loses_as_styleinv_does_on_the_same_latents() -> None:
    """The whole generator's loss, so also the mean of Eq. 5 over all frames, w_0 itself among them."""
    G = Generator(16, 16, 32, synthesis_kwargs={"channel_base": 256, "channel_max": 16})
    t = torch.tensor([[0.0, 3, 4, 7], [0, 1, 2, 5]])
    fake = ClipInputs(torch.randn(2, 16), torch.randn(7, 2, 16), t)
    w0 = G.mapping(fake.z)[:, 0]
    path = torch.cat([w0[:, None], torch.randn(2, 7, 16)], dim=1)
    chosen = path.gather(1, t.long()[:, :, None].expand(-1, -1, 16))

    def walk(w0: torch.Tensor, e: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return path, e.transpose(0, 1)

    def encoded(*_: torch.Tensor) -> torch.Tensor:
        return chosen.transpose(0, 1).flatten(0, 1)  # rows (frame, video)

    D = VideoDiscriminator(32, 4, channel_base=256, channel_max=16, num_fp16_res=0, max_num_frames=16)
    found = []
    for loss in (WalkLoss(G, walk, D, None, SparseConfig()), StyleInVLoss(G, encoded, D)):  # type: ignore[arg-type]
        seen: dict[str, torch.Tensor] = {}
        (total,) = loss.generator_main(fake, seen.__setitem__)
        found.append((total.item(), seen["Loss/G/wreg"].mean().item()))
    assert found[0] == pytest.approx(found[1], rel=1e-5) and found[0][1] > 0.1


@pytest.mark.parametrize("scale", ["demo", "laptop", "small", "paper"])
def test_the_sparse_variant_has_the_settings_of_styleinv(scale: str) -> None:
    for dataset in sorted((ROOT / "config/datasets").glob("*.yaml")):
        file = ROOT / f"config/{scale}.yaml"
        theirs = load_method(parse_run(f"{dataset.stem}/styleinv"), file, styleinv.Config)
        ours = resolve(f"{dataset.stem}/mocogan_hd-ffa_st", scale)
        for name in ("batch", "group_size", "total_kimg", "ema_kimg", "ema_rampup", "tick_kimg"):
            assert getattr(ours.training, name) == getattr(theirs.training, name), (dataset.stem, name)
        settings = theirs.model_dump() | theirs.sampling.model_dump()
        del settings["discriminator"]["variant"]
        for name, value in ours.sparse.model_dump(exclude={"lambda_mutual"}).items():
            assert settings[name] == value, (dataset.stem, name)


def test_the_sparse_variant_is_called_a_reconstruction() -> None:
    run = parse_run("deeperforensics/mocogan_hd-ffa_st")
    assert method_title(run, ROOT / "config") == "MoCoGAN-HD (ffa_st, reconstruction)"
