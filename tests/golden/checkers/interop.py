"""Checkers of the kinds `interop/*`: official pickles, read without executing anything in them."""

import tempfile
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import nn

from styleinv.files import read_json, sha256
from styleinv.interop.module_records import Record, plain, tensors_of
from styleinv.interop.reader import Pickle, read_pickle
from styleinv.methods.digan.discriminator import PairDiscriminator, frames_of
from styleinv.methods.digan.generate import load_generator as load_digan
from styleinv.methods.inversion.encoder import PSP
from styleinv.methods.stylegan2.method import NetworkConfig, build_discriminator, load_generator_of
from styleinv.methods.stylegan_v.generate import load_generator as load_stylegan_v
from styleinv.nn.video_discriminator import VideoDiscriminator
from styleinv.stages.importing import import_file
from styleinv.training.checkpoint import load_module, read_model
from tests.golden.case import Case
from tests.interop.checkpoints import import_checkpoint

# L2 norms in the manifests are of float32 tensors, added in another order.
NORM = 1e-5
CPU = torch.device("cpu")


def read(case: Case) -> tuple[Path, Pickle]:
    """The pickle of a case, after comparing all that its manifest says about the file itself."""
    manifest = case.manifest
    file = case.path / manifest["file"]
    pickle = read_pickle(file)
    assert list(pickle.tree) == manifest["keys"]
    if "bytes" in manifest:
        assert file.stat().st_size == manifest["bytes"]
    if "pickle_protocol" in manifest:
        assert pickle.protocol == manifest["pickle_protocol"]
    if "globals_in_pickle" in manifest:
        assert sorted(pickle.globals) == sorted(manifest["globals_in_pickle"])
    if "training_set_kwargs" in manifest:
        assert plain(pickle.tree["training_set_kwargs"]) == manifest["training_set_kwargs"]
    return file, pickle


def check_tables(case: Case, pickle: Pickle, file: Path) -> None:
    """Every tensor by name, order, shape, dtype and norm; in the file and after the import."""
    _, imported = import_checkpoint(file)
    for net, rows in case.manifest["tensors"].items():
        found = tensors_of(pickle.tree[net])
        assert list(found) == [row["name"] for row in rows], net
        for row in rows:
            value = found[row["name"]]
            assert list(value.shape) == row["shape"], (net, row["name"])
            assert str(value.dtype) == f"torch.{row['dtype']}", (net, row["name"])
            norm = float(value.double().norm())
            assert abs(norm - row["l2"]) <= NORM * max(abs(row["l2"]), 1e-6), (net, row["name"], norm)
            if f"{net}.{row['name']}" in imported:
                assert torch.equal(imported[f"{net}.{row['name']}"], value), (net, row["name"])
        if net != "augment_pipe":
            assert sum(key.startswith(f"{net}.") for key in imported) == len(rows), net


def check_options(record: Record, config: dict) -> None:
    """The constructor options that the manifest names."""
    for key, value in config.items():
        assert record.options[key] == value, key


def import_to(folder: str, file: Path) -> tuple[Path, dict, dict]:
    """Import into a folder; (model file, description, tensors)."""
    model, record = import_file(file, Path(folder))
    description, tensors = read_model(model)
    noted = read_json(record)
    assert noted["sha256"] == sha256(file) and noted["source"] == file.name and noted["options"] == description
    return model, description, tensors


def load(net: nn.Module, tensors: dict, name: str, file: Path) -> nn.Module:
    """A network with the imported tensors."""
    load_module(net, tensors, name, file)
    return net.eval().requires_grad_(False)


def check_stylegan2(case: Case) -> dict:
    manifest, (file, pickle) = case.manifest, read(case)
    check_tables(case, pickle, file)
    common = {k: v for k, v in case.config.items() if not isinstance(v, dict)}
    for name, config in (("G", "G"), ("G_ema", "G"), ("D", "D")):
        check_options(pickle.tree[name], case.config.get(config, {}) | common)
    out: dict = {}
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        model, description, tensors = import_to(folder, file)
        if manifest.get("augment_p") is not None:
            assert description["augment_p"] == manifest["augment_p"]
        G, _ = load_generator_of(model, CPU)
        image = description["image_generator"]
        networks = NetworkConfig(**description.get("discriminator", image)["networks"])
        D = load(build_discriminator(networks, image["resolution"]), tensors, "D", model)
        psi = [float(name.removeprefix("w_psi")) for name in case.outputs if name.startswith("w_psi")]
        for value in psi:
            out[f"w_psi{value:g}"] = G.mapping(case.tensor("z"), truncation_psi=value)[:, 0]
        out["img"] = G(case.tensor("z"), truncation_psi=psi[0] if psi else 1.0, noise_mode="const", force_fp32=True)
        out["D_logits_of_img"] = D(out["img"], force_fp32=True)
    return out


def check_inversion(case: Case) -> dict:
    file, pickle = read(case)
    check_tables(case, pickle, file)
    cfg = case.config
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        model, description, tensors = import_to(folder, file)
        G, _ = load_generator_of(model, CPU, name="G")
        psp = load(PSP(G.img_resolution, G.w_dim, **description["encoder"]), tensors, "pSp", model)
        if "output_size" in cfg:
            assert G.img_resolution == cfg["output_size"]
        if "strides" in cfg and "channels" in cfg:
            first = {sum(description["encoder"]["units"][:i]) for i in range(len(description["encoder"]["units"]))}
            assert [2 if i in first else 1 for i in range(sum(description["encoder"]["units"]))] == cfg["strides"]
            # The manifest lists each width once per unit, as many as it says.
            assert set(description["encoder"]["widths"]) == set(cfg["channels"])
        codes = psp(case.tensor("x"))
        assert all(torch.equal(codes[:, i], codes[:, 0]) for i in range(codes.shape[1]))
        image = G.synthesis(codes, noise_mode="const", force_fp32=True)
    return {"codes": codes[:, 0], "inversion": image, "latent_avg": np.asarray(psp.latent_avg)}


def check_digan(case: Case) -> dict:
    manifest, (file, _) = case.manifest, read(case)
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        model, description, tensors = import_to(folder, file)
        check_imported(case, tensors)
        G = load_digan(model, CPU).G
        for key in ("z_dim", "w_dim", "mapping_layers"):
            assert description["networks"][key] == case.config[key], key
        D = load(
            PairDiscriminator(G.synthesis.img_resolution, **description["discriminator"] | {"num_fp16_res": 0}),
            tensors,
            "D",
            model,
        )
    z, z_motion, t = (case.tensor(name) for name in ("z", "z_motion", "Ts"))
    img = G.synthesis(G.mapping(z), z_motion, t)
    size = G.synthesis.img_resolution
    rng = np.random.RandomState(zlib.crc32(b"input/vid") ^ manifest["seed"])
    vid = np.clip(rng.standard_normal([4, 7, size, size]).astype(np.float32) * np.float32(0.5), -1, 1)
    pairs = torch.from_numpy(vid)
    stride = manifest["img_stride"]
    return {
        "img": img[:, :, ::stride, ::stride],
        "motion_logits": D.motion(pairs),
        "image_logits": D.images(frames_of(pairs)),
    }


def check_stylegan_v(case: Case) -> dict:
    file, pickle = read(case)
    stats = case.manifest["stats"]
    assert {name: pickle.tree["stats"][name] for name in stats} == stats
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        model, description, tensors = import_to(folder, file)
        G = load_stylegan_v(model, CPU).G
        D = load(VideoDiscriminator(**description["discriminator"]), tensors, "D", model)
    for key in ("channel_base", "channel_max"):
        assert description["generator"]["synthesis"][key] == case.config[key], key
    rows = {
        row["name"]: row for row in case.manifest["tensors"]["G_ema"] if not row["name"].endswith("resample_filter")
    }
    assert len(rows) == sum(not name.endswith("resample_filter") for name in G.state_dict())
    t = case.tensor("t")
    img = G.frames(G.mapping(case.tensor("z")), t, case.tensor("motion_z"), force_fp32=True)
    return {"img": img, "logits": D(img.reshape(t.shape[0], -1, *img.shape[2:]), t, force_fp32=True)}


def check_imported(case: Case, tensors: dict) -> None:
    """Every imported tensor is the one that the manifest describes."""
    for net, rows in case.manifest["tensors"].items():
        by_name = {row["name"]: row for row in rows}
        imported = {key[len(net) + 1 :]: value for key, value in tensors.items() if key.startswith(f"{net}.")}
        assert imported, net
        for name, value in imported.items():
            row = by_name[name]
            assert list(value.shape) == row["shape"], (net, name)
            norm = float(value.double().norm())
            assert abs(norm - row["l2"]) <= NORM * max(abs(row["l2"]), 1e-6), (net, name, norm)
        learned = {row["name"] for row in rows if not row["name"].endswith("resample_filter")}
        assert learned <= imported.keys(), (net, learned - imported.keys())


CHECKERS = {
    "interop/digan_pickle": check_digan,
    "interop/stylegan_v_pickle": check_stylegan_v,
    "interop/stylegan2_pickle": check_stylegan2,
    "interop/inversion_pickle": check_inversion,
}
