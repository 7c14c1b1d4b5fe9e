"""The `rosinality` layout, out and in again."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from styleinv.cli import main
from styleinv.errors import UserError
from styleinv.interop.export import export_generator
from styleinv.methods.stylegan2.method import load_generator_of
from styleinv.stages.importing import import_file
from tests.interop.checkpoints import import_checkpoint
from tests.interop.pickles import image_nets, inversion_nets, official

CPU = torch.device("cpu")


def model_of(tmp_path: Path, nets=image_nets, **changes) -> Path:
    file = tmp_path / "snapshot.pkl"
    file.write_bytes(official(*nets(**changes)))
    return import_file(file, tmp_path / "model")[0]


@pytest.mark.parametrize("use_noise", [True, False])
def test_export_and_import_give_the_same_tensors(use_noise: bool, tmp_path: Path) -> None:
    model = model_of(tmp_path, use_noise=use_noise)
    written = tmp_path / "generator.pt"
    assert main(["export", str(model), "--out", str(written)]) == 0
    back = import_file(written, tmp_path / "back")[0]
    before, description = load_generator_of(model, CPU)
    after, again = load_generator_of(back, CPU)
    assert before.state_dict().keys() == after.state_dict().keys()
    assert all(torch.equal(after.state_dict()[key], value) for key, value in before.state_dict().items())
    sizes = ("z_dim", "w_dim", "mapping_layers", "channel_base", "channel_max", "use_noise")
    was, now = (d["image_generator"]["networks"] for d in (description, again))
    assert {key: was[key] for key in sizes} == {key: now[key] for key in sizes}


def test_the_average_of_w_is_computed_where_it_is_missing(tmp_path: Path) -> None:
    written = export_generator(model_of(tmp_path), tmp_path / "generator.pt")
    state = torch.load(written, weights_only=True)
    torch.save({"g_ema": state["g_ema"]}, tmp_path / "plain.pt")
    first, second = (import_checkpoint(tmp_path / "plain.pt")[1] for _ in range(2))
    assert torch.equal(first["G_ema.mapping.w_avg"], second["G_ema.mapping.w_avg"])
    G, _ = load_generator_of(import_file(tmp_path / "plain.pt", tmp_path / "plain")[0], CPU)
    w = G.mapping(torch.randn([20_000, 16]))[:, 0].mean(dim=0)
    assert torch.allclose(w, first["G_ema.mapping.w_avg"], rtol=0.05, atol=0.05)


def test_the_generator_of_an_inversion_model(tmp_path: Path) -> None:
    model = model_of(tmp_path, inversion_nets)
    _, tensors = import_checkpoint(export_generator(model, tmp_path / "generator.pt"))
    assert torch.equal(tensors["G_ema.synthesis.b4.const"], load_generator_of(model, CPU, "G")[0].synthesis.b4.const)


def test_unknown_layouts(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="rosinality"):
        export_generator(model_of(tmp_path), tmp_path / "x.pkl", "stylegan2-ada")


def test_foreign_files(tmp_path: Path) -> None:
    file = tmp_path / "foreign.pt"
    state = torch.load(export_generator(model_of(tmp_path), tmp_path / "generator.pt"), weights_only=True)
    broken = [{"weights": torch.zeros(1)}, {"g_ema": {"x": torch.zeros(1)}}, [1]]
    for change in (
        {"surplus": torch.zeros(1)},
        {"convs.0.conv.blur.kernel": torch.zeros(4, 4)},
        {"conv1.conv.weight": torch.zeros(2, 8, 8, 3, 3)},
        {"style.2.weight": torch.zeros(3, 3)},
        {"noises.noise_1": None},
        {"conv1.noise.weight": torch.tensor(1.0)},
        {"style.1.weight": torch.zeros(1).expand(2**20, 2**20)},
    ):
        broken.append({"g_ema": state["g_ema"] | change})
    for content in broken:
        for legacy in (True, False):
            torch.save(content, file, _use_new_zipfile_serialization=not legacy)
            with pytest.raises(UserError) as caught:
                import_checkpoint(file)
            assert "\n" not in str(caught.value)


def test_objects_in_torch_files_are_refused(tmp_path: Path) -> None:
    file, ran = tmp_path / "evil.pt", tmp_path / "ran"

    class Evil:
        def __reduce__(self):
            return eval, (f"open({str(ran)!r}, 'w')",)

    for legacy in (True, False):
        torch.save({"g_ema": Evil()}, file, _use_new_zipfile_serialization=not legacy)
        with pytest.raises(UserError) as caught:
            import_checkpoint(file)
        assert "\n" not in str(caught.value) and not ran.exists()


def test_cut_and_compressed_torch_files(tmp_path: Path) -> None:
    written = export_generator(model_of(tmp_path), tmp_path / "generator.pt")
    data = written.read_bytes()
    cut = tmp_path / "cut.pt"
    for end in [4, *(len(data) * k // 20 for k in range(1, 20))]:
        cut.write_bytes(data[:end])
        with pytest.raises(UserError) as caught:
            import_checkpoint(cut)
        assert "\n" not in str(caught.value)
    with zipfile.ZipFile(cut, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", bytes(10_000_000))
    with pytest.raises(UserError, match="compressed"):
        import_checkpoint(cut)


def test_golden_images_of_the_layout(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Images that the layout's own code made from latents, with the stored noise and without."""
    folders = request.config.getoption("golden") or [Path(__file__).parents[1] / "golden" / "cases"]
    files = sorted(f for folder in folders for f in Path(folder).glob("mcg_ckpt*/*-snapshot-*.pt"))
    if not files:
        pytest.skip("no golden cases here")
    for file in files:
        G, _ = load_generator_of(import_file(file, tmp_path / "golden")[0], CPU)
        data = np.load(file.parent / "data.npz")
        w = torch.from_numpy(data["w_traj"])
        assert np.allclose(G.mapping(torch.from_numpy(data["z"]))[:, 0], data["w0"], rtol=1e-3, atol=1e-4)
        for mode, key in (("const", "img_fixed_noise"), ("none", "img_no_noise")):
            images = G.synthesis(w[:, None].repeat(1, G.num_ws, 1), noise_mode=mode)
            assert np.allclose(images, data[key], rtol=1e-3, atol=1e-4)
        exported = torch.load(
            export_generator(tmp_path / "golden" / "model.safetensors", tmp_path / "back.pt"), weights_only=True
        )
        original = torch.load(file, weights_only=True)["g_ema"]
        assert exported["g_ema"].keys() == original.keys()
        assert all(torch.equal(exported["g_ema"][key], value) for key, value in original.items())
