"""Checkers of the kinds `digan/*`."""

import numpy as np
import torch

from styleinv.interop.networks import without_filters
from styleinv.methods.digan.discriminator import PairDiscriminator, frames_of
from styleinv.methods.digan.generator import Generator
from styleinv.methods.digan.loss import DIGANLoss
from styleinv.methods.digan.method import draw_times, frames_at
from tests.golden.case import Case, fill, l2
from tests.golden.checkers.diffaugment import digan_draws


def generator_of(config: dict) -> Generator:
    """The generator of a manifest's configuration."""
    cfg, coords = config["cfg"], config["cfg"]["coords"]
    sizes = {
        int(r): coords[reference.strip("${}").removeprefix("coords.")]["predictable_emb_size"]
        for r, reference in coords["res_configs"].items()
    }
    return Generator(
        config["z_dim"],
        config["w_dim"],
        config["img_resolution"],
        config["mapping_layers"],
        channel_base=config["channel_base"],
        channel_max=config["channel_max"],
        input_resolution=cfg["input"]["resolution"],
        num_extra_convs={int(r): n for r, n in cfg["num_extra_convs"].items()},
        rank=cfg["fmm"]["rank"],
        emb_size=sizes,
        motion_sigma=coords["motion_sigma"],
    )


def discriminator_of(config: dict) -> PairDiscriminator:
    names = ("channel_base", "channel_max", "conv_clamp", "mbstd_group_size")
    return PairDiscriminator(config["img_resolution"], **{name: config[name] for name in names})


def entries(case: Case, module: str | None = None) -> dict[str, torch.Tensor]:
    """Weights by official name; `state` is a list, or a list for each of several modules."""
    state = case.manifest["state"]
    rows = state if module is None else state[module]
    found = {}
    for row in rows:
        if row.get("derive"):
            continue
        if row.get("keep"):
            keys = tuple(f"state/{module}{mark}{row['name']}" for mark in "/:.") + (f"state/{row['name']}",)
            value = next(case.arrays[key] for key in keys if key in case.arrays)
        else:
            seeds = case.manifest.get("module_seeds", {})
            value = fill(row["name"], row["shape"], row, seeds.get(module, case.manifest["seed"]))
        found[row["name"]] = torch.from_numpy(np.array(value))
    return found


def probe(case: Case, name: str, value: torch.Tensor) -> torch.Tensor:
    """The weights with which an output enters the scalar whose gradients are stored."""
    return torch.from_numpy(fill(f"probe/{name}", list(value.shape), {"std": 1, "mean": 0}, case.manifest["seed"]))


def gradients(net: torch.nn.Module, names: list[str]) -> np.ndarray:
    params = dict(net.named_parameters())
    return np.array([l2(params[name].grad, float("nan")) for name in names])


def check_generator(case: Case) -> dict:
    G = generator_of(case.config)
    G.load_state_dict(without_filters(entries(case), G))
    G.eval()
    z, z_motion, t = (case.tensor(name).requires_grad_() for name in ("z", "z_motion", "Ts"))
    ws = G.mapping(z)
    x = G.synthesis.b4.coordinates(*(v.repeat_interleave(t.shape[1], dim=0) for v in (ws[:, 0], z_motion)), t.flatten())
    img = G.synthesis(ws, z_motion, t)
    scalar = (img * probe(case, "img", img)).sum()
    scalar.backward()
    stride, coarse = case.manifest["img_stride"], case.manifest["coord_input_stride"]
    frames = img.detach().double().flatten(1)
    out = {
        "ws0": ws[:, 0],
        "num_ws": np.array(ws.shape[1]),
        "ws_psi07": G.mapping(z, truncation_psi=0.7)[:, 0],
        "coord_input_sub": x[:, :, ::coarse, ::coarse],
        "img": img[:, :, ::stride, ::stride],
        "img_mean_std_per_frame": torch.stack([frames.mean(1), frames.std(1, correction=0)]),
        "img_probe": scalar,
        "grad_z": z.grad,
        "grad_z_motion": z_motion.grad,
        "grad_Ts": t.grad,
        "param_grad_l2": gradients(G, case.manifest["grad_norm_names"]),
    }
    return out


def check_discriminator(case: Case) -> dict:
    D = discriminator_of(case.config)
    D.load_state_dict(entries(case))
    names = case.manifest["grad_norm_names"]
    vid = case.tensor("vid").requires_grad_()
    frames = frames_of(vid)
    motion, image = D.motion(vid), D.images(frames)
    out = {"motion_logits": motion, "image_logits": image}
    (of_vid,) = torch.autograd.grad(motion.sum(), vid, create_graph=True)
    (of_frames,) = torch.autograd.grad(image.sum(), frames, create_graph=True)
    out |= {"r1_motion_sqnorm": of_vid.square().sum([1, 2, 3]), "r1_image_sqnorm": of_frames.square().sum([1, 2, 3])}
    out |= {"grad_vid_sub": of_vid[:, :, ::2, ::2], "grad_frames_sub": of_frames[:, :, ::2, ::2]}
    probes = [probe(case, "motion_logits", motion), probe(case, "image_logits", image)]
    ((motion * probes[0]).sum() + (image * probes[1]).sum()).backward(retain_graph=True)
    out["param_grad_l2_logits"] = gradients(D, names)
    D.zero_grad()
    (out["r1_motion_sqnorm"].sum() + out["r1_image_sqnorm"].sum()).backward()
    out["param_grad_l2_r1"] = gradients(D, names)
    return out


def check_frame_pairs(case: Case) -> dict:
    out = {}
    draws = case.inputs["beta_draws"]
    rng = np.random.default_rng(case.manifest["seed"])
    limits = case.manifest["tolerance"]
    times = np.stack([draw_times(rng) for _ in range(case.config["draws"] // 4)])
    for n in case.config["nframes"]:
        mapped = frames_at(draws, n)
        out |= {f"map{n}/i_j": mapped, f"map{n}/dt": np.diff(mapped)[..., 0] / (n - 1)}
        pairs = frames_at(times, n)
        want = {name: case.outputs[f"real{n}/{name}"] for name in ("p_first", "p_second", "p_gap")}
        for name, values in zip(want, (pairs[:, 0], pairs[:, 1], pairs[:, 1] - pairs[:, 0]), strict=True):
            have = np.bincount(values, minlength=n) / len(pairs)
            assert np.abs(have - want[name]).max() < 2 * limits["prob_abs"], (n, name)
        gaps = np.diff(pairs)[..., 0] / (n - 1)
        have = np.array([gaps.mean(), gaps.std()])
        assert np.abs(have - case.outputs[f"real{n}/dt_mean_std"]).max() < 2 * limits["mean_abs"]
    made = np.column_stack([times, times[:, 1] - times[:, 0]])
    assert np.abs(made.mean(0) - case.outputs["fake/t0_t1_dt_mean"]).max() < 2 * limits["mean_abs"]
    assert np.abs(made.std(0) - case.outputs["fake/t0_t1_dt_std"]).max() < 2 * limits["mean_abs"]
    for name in out:
        np.testing.assert_allclose(out[name], case.outputs[name], rtol=1e-12, err_msg=name)
    return out


def check_loss(case: Case) -> dict:
    config, options = case.config, case.manifest["loss_kwargs"]
    G, D = generator_of(config["G"]).train(), discriminator_of(config["D"]).train()
    G.load_state_dict(without_filters(entries(case, "G"), G))
    D.load_state_dict(entries(case, "D"))
    loss = DIGANLoss(G, D, options["diffaugment"], options["r1_gamma"])
    z, z_motion, t, real = (case.tensor(name) for name in ("z", "z_motion", "Ts", "real"))
    out: dict = {}

    def draws(phase: str, call: int):
        return digan_draws(case, f"draw/{phase}/{call}", len(z)) if options["diffaugment"] else None

    for phase in case.manifest["phase_order"]:
        net = G if phase.startswith("G") else D
        G.requires_grad_(net is G)
        D.requires_grad_(net is D)
        net.zero_grad(set_to_none=True)

        def report(name: str, value: torch.Tensor, phase: str = phase) -> None:
            out[f"{phase}/report/{name}"] = value.detach().double().flatten()

        terms = {
            "Gmain": lambda report=report: loss.generator_main(z, z_motion, t, draws("Gmain", 0), report),
            "Greg": lambda report=report: iter(()),
            "Dmain": lambda report=report: loss.discriminator_main(
                real, z, z_motion, t, draws("Dmain", 0), draws("Dmain", 1), report
            ),
            "Dreg": lambda report=report: loss.discriminator_reg(real, draws("Dreg", 0), report),
        }[phase]()
        for term in terms:
            (term * case.manifest["gains"][phase]).backward()
        out[f"{phase}/param_grad_l2"] = gradients(net, [name for name, _ in net.named_parameters()])
    out["w_avg_after_all"] = G.mapping.w_avg
    return out


CHECKERS = {
    "digan/generator": check_generator,
    "digan/discriminator": check_discriminator,
    "digan/frame_pairs": check_frame_pairs,
    "digan/loss": check_loss,
}
