"""Imported checkpoints in our loaders: the same networks, and the same numbers."""

from pathlib import Path
from typing import Any

import pytest
import torch

from styleinv.errors import UserError
from styleinv.files import read_json, sha256
from styleinv.interop.official import import_modules
from styleinv.methods.inversion.encoder import PSP
from styleinv.methods.stylegan2.method import NetworkConfig, build_discriminator, load_generator_of
from styleinv.methods.styleinv.generate import StyleInVGenerator, load_generator
from styleinv.stages.importing import import_file
from styleinv.training.checkpoint import load_module, read_model, save_model
from tests.interop.checkpoints import import_checkpoint
from tests.interop.pickles import MOTION, image_nets, inversion_nets, official, video_nets
from tests.project import ROOT

CPU = torch.device("cpu")


def snapshot(tmp_path: Path, tree: dict[str, Any], options: dict[str, dict] | None = None, **more: Any) -> Path:
    file = tmp_path / "network-snapshot-000001.pkl"
    file.write_bytes(official(tree, options, **more))
    return file


@pytest.mark.parametrize("with_options", [True, False])
@pytest.mark.parametrize("use_noise", [True, False])
def test_stylegan2(with_options: bool, use_noise: bool, tmp_path: Path) -> None:
    tree, options = image_nets(use_noise=use_noise, num_fp16_res=0)
    if not with_options:
        options = {}
    file = snapshot(tmp_path, tree, options)
    written = import_file(file, tmp_path / "out")
    assert [path.name for path in written] == ["model.safetensors", "imported.json"]
    noted = read_json(written[1])
    assert noted["kind"] == "stylegan2" and noted["sha256"] == sha256(file) and noted["source"] == file.name
    assert noted["options"]["training_set_kwargs"] == {"path": "frames", "resolution": 16}
    assert noted["options"]["augment_p"] == 0.125
    G, description = load_generator_of(written[0], CPU)
    z = torch.randn([2, 16])
    assert torch.equal(G(z, noise_mode="const"), tree["G_ema"](z, noise_mode="const"))
    _, tensors = read_model(written[0])
    assert tensors.keys() == import_checkpoint(file)[1].keys()
    networks = NetworkConfig(**description["image_generator"]["networks"])
    assert networks.use_noise == use_noise
    D = build_discriminator(networks, 16)
    load_module(D, tensors, "D", written[0])
    if with_options:
        assert networks.mbstd_group_size == 2
        images = torch.randn([4, 3, 16, 16])
        assert torch.equal(D(images), tree["D"](images))


def test_noise_is_the_default_of_files_that_do_not_say(tmp_path: Path) -> None:
    tree, options = image_nets()
    for said in options.values():
        said.get("synthesis_kwargs", {}).pop("use_noise", None)
    description, _ = import_checkpoint(snapshot(tmp_path, tree, options))
    assert description["image_generator"]["networks"]["use_noise"] is True


def test_only_the_average_is_needed(tmp_path: Path) -> None:
    tree, options = image_nets()
    file = snapshot(tmp_path, {"G_ema": tree["G_ema"], "D": None}, {"G_ema": options["G_ema"]})
    assert list(import_modules(file)[1]) == ["G_ema"]


def test_a_discriminator_of_other_widths_is_described(tmp_path: Path) -> None:
    tree, options = image_nets()
    other, other_options = image_nets(channel_base=64)
    file = snapshot(tmp_path, tree | {"D": other["D"]}, options | {"D": other_options["D"]})
    description, tensors = import_checkpoint(file)
    D = build_discriminator(NetworkConfig(**description["discriminator"]["networks"]), 16)
    load_module(D, tensors, "D", file)


def test_tensors_that_do_not_fit_are_listed(tmp_path: Path) -> None:
    tree, options = image_nets()
    del tree["G_ema"].synthesis.b8.conv1.noise_strength
    tree["G_ema"].synthesis.b8.extra = torch.nn.Parameter(torch.zeros(1))
    tree["G_ema"].synthesis.b16.torgb.bias = torch.nn.Parameter(torch.zeros(4))
    with pytest.raises(UserError) as caught:
        import_checkpoint(snapshot(tmp_path, tree, options))
    message = str(caught.value)
    assert "G_ema" in message and "\n" not in message
    assert "missing synthesis.b8.conv1.noise_strength" in message and "surplus synthesis.b8.extra" in message
    assert "synthesis.b16.torgb.bias is [4] instead of [3]" in message


def test_an_unknown_kind(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown kind.*generator"):
        import_checkpoint(snapshot(tmp_path, {"generator": image_nets()[0]["G"]}))


def test_a_failed_import_writes_nothing(tmp_path: Path) -> None:
    file = snapshot(tmp_path, {"generator": 1})
    with pytest.raises(UserError):
        import_file(file, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("protocol", [3, 4])
def test_inversion(protocol: int, tmp_path: Path) -> None:
    tree, options = inversion_nets()
    model, _ = import_file(snapshot(tmp_path, tree, options, protocol=protocol), tmp_path / "out")
    G, description = load_generator_of(model, CPU, name="G")
    assert description["encoder"] == {"widths": [8, 8, 16], "units": [2, 1]}
    psp = PSP(G.img_resolution, G.w_dim, **description["encoder"]).eval()
    load_module(psp, read_model(model)[1], "pSp", model)
    x = torch.randn([2, 3, 16, 16])
    assert torch.equal(psp(x), tree["pSp"](x))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"skip_encoder": True},
        {"input_residual": False},
        {"mapping": {"motion": MOTION, "content_dim": 16, "w_dim": 16, "concat_content": False}},
        {
            "mapping": {
                "motion": MOTION | {"first_frame_aware": False, "kernel_size": 3},
                "content_dim": 16,
                "w_dim": 16,
            }
        },
        {
            "encoder": {
                "w_dim": 16,
                "style_dim": 16,
                "widths": (8, 8, 16),
                "units": (2, 1),
                "adain_mode": "bottleneck",
                "normalize_adain": False,
                "lr_multiplier": 0.5,
            }
        },
    ],
    ids=lambda change: next(iter(change), "default"),
)
def test_styleinv(changes: dict, tmp_path: Path) -> None:
    tree, options = video_nets(**changes)
    model, _ = import_file(snapshot(tmp_path, tree, options), tmp_path / "out")
    generator = load_generator(model, CPU)
    assert generator.fps == 25
    want = StyleInVGenerator(tree["G"], tree["SI_ema"], 25.0)
    times = torch.tensor([0.0, 2.5, 11.0])
    assert torch.equal(generator.videos([0, 1], times), want.videos([0, 1], times))


def test_styleinv_whose_options_are_lost(tmp_path: Path) -> None:
    tree, options = video_nets()
    with pytest.raises(UserError, match="motion_z_distance"):
        import_checkpoint(snapshot(tmp_path, tree, {"G": options["G"]}))


def test_what_is_imported_is_what_is_saved(tmp_path: Path) -> None:
    description, modules = import_modules(snapshot(tmp_path, *image_nets()))
    save_model(tmp_path / "model.safetensors", modules, description)
    again, tensors = read_model(tmp_path / "model.safetensors")
    assert again == description
    want = import_checkpoint(tmp_path / "network-snapshot-000001.pkl")[1]
    assert all(torch.equal(tensors[key], value) for key, value in want.items())


@pytest.mark.parametrize("clamp", [None, 0.25])
@pytest.mark.parametrize("said", [True, False])
def test_a_video_discriminator_keeps_its_clamp(clamp: float | None, said: bool, tmp_path: Path) -> None:
    """It is an option of the network, and an attribute of its layers where the options are not kept."""
    tree, options = video_nets()
    for layer in tree["D"].modules():
        if hasattr(layer, "conv_clamp"):
            layer.conv_clamp = clamp
    if said:
        options["D"] = {"conv_clamp": clamp}
    _, modules = import_modules(snapshot(tmp_path, tree, options))
    clips = 4 * torch.randn([2, 12, 16, 16], generator=torch.Generator().manual_seed(0))
    t = torch.arange(4.0).repeat(2, 1)
    # Where tensors lie in memory, which differs, may change how sums are rounded.
    torch.testing.assert_close(modules["D"](clips, t), tree["D"](clips, t), rtol=1e-4, atol=1e-4)


def test_stylegan_v_keeps_its_clamps() -> None:
    file = next((ROOT / "tests/golden/cases/sgv-pickle").glob("*.pkl"))
    description, modules = import_modules(file)
    assert description["discriminator"]["conv_clamp"] == description["generator"]["synthesis"]["conv_clamp"] == 256
    clamps = [layer.conv_clamp for net in modules.values() for layer in net.modules() if hasattr(layer, "conv_clamp")]
    assert 256 in clamps


@pytest.mark.parametrize("clamp", ["256", True, [256]])
def test_a_clamp_that_is_no_number_is_refused(clamp: Any, tmp_path: Path) -> None:
    tree, options = video_nets()
    with pytest.raises(UserError, match="option of a wrong type"):
        import_modules(snapshot(tmp_path, tree, options | {"D": {"conv_clamp": clamp}}))
