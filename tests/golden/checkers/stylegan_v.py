"""Checkers of the kinds `stylegan_v/*`."""

import random

import numpy as np
import torch

from styleinv.data.time_sampling import TimeSampling
from styleinv.interop.stylegan_v import rename
from styleinv.methods.sparse_video import ClipInputs
from styleinv.methods.stylegan_v.generator import Generator
from styleinv.methods.stylegan_v.loss import StyleGANVLoss
from styleinv.nn.augment import AugmentPipe
from styleinv.nn.motion import MotionMappingNetwork
from styleinv.nn.video_discriminator import VideoDiscriminator
from tests.golden.case import Case, spans_of
from tests.golden.checkers.digan import entries, gradients, probe


def motion_options(cfg: dict) -> dict:
    """The official options as ours."""
    motion, time = cfg["motion"], cfg["time_enc"]
    return {name: motion[name] for name in ("z_dim", "v_dim", "motion_z_distance", "kernel_size")} | {
        "max_num_frames": cfg["sampling"]["max_num_frames"],
        "time_dim": time["dim"],
        "min_period_len": time["min_period_len"],
        "max_period_len": time["max_period_len"],
    }


def generator_of(config: dict) -> Generator:
    synthesis = {name: config[name] for name in ("channel_base", "channel_max", "conv_clamp")}
    return Generator(
        config["cfg"]["z_dim"],
        config["w_dim"],
        config["img_resolution"],
        config["mapping_layers"],
        motion_options(config["cfg"]),
        synthesis,
    )


def discriminator_of(config: dict) -> VideoDiscriminator:
    cfg = config["cfg"]
    return VideoDiscriminator(
        config["img_resolution"],
        cfg["sampling"]["num_frames_per_video"],
        max_num_frames=cfg["sampling"]["max_num_frames"],
        dummy_c=cfg["dummy_c"],
        **{name: cfg[name] for name in ("concat_res", "num_frames_div_factor")},
        **{name: config[name] for name in ("channel_base", "channel_max", "conv_clamp", "mbstd_group_size")},
    )


def official(names: list[str]) -> list[str]:
    return [next(iter(rename({name: torch.zeros(1)}))) for name in names]


def check_motion(case: Case) -> dict:
    net = MotionMappingNetwork(**motion_options(case.config), first_frame_aware=False)
    net.load_state_dict(entries(case))
    z, t = case.tensor("motion_z").requires_grad_(), case.tensor("t")
    u = net.tokens(z)
    v, anchors = net.at_times(u, t)
    (v * probe(case, "motion_v", v)).sum().backward()
    weight = anchors["weight"]
    return {
        "motion_v": v,
        "u_left": anchors["u_left"],
        "u_right": anchors["u_right"],
        "interp_weights": weight,
        "t_left": anchors["t_left"],
        "motion_u": torch.lerp(anchors["u_left"], anchors["u_right"], weight).flatten(0, 1),
        "grad_motion_z": z.grad,
        "max_traj_len_total": np.array(net.traj_len(float(t.max()))),
        "param_grad_l2": gradients(net, case.manifest["grad_norm_names"]),
    }


def check_generator(case: Case) -> dict:
    G = generator_of(case.config)
    G.load_state_dict(rename(entries(case)))
    G.eval()
    z, motion_z = (case.tensor(name).requires_grad_() for name in ("z", "motion_z"))
    t = case.tensor("t")
    ws = G.mapping(z)
    img = G.frames(ws, t, motion_z)
    scalar = (img * probe(case, "img", img)).sum()
    scalar.backward()
    stride, coarse = case.manifest["img_stride"], case.manifest["img_psi_stride"]
    frames = img.detach().double().flatten(1)
    cut = G.mapping(z, truncation_psi=0.7, truncation_cutoff=3)
    return {
        "ws0": ws[:, 0],
        "num_ws": np.array(ws.shape[1]),
        "ws_psi07_cut3": cut,
        "motion_v": G.motion_encoder(t, motion_z),
        "img": img[:, :, ::stride, ::stride],
        "img_probe": scalar,
        "img_mean_std_per_frame": torch.stack([frames.mean(1), frames.std(1, correction=0)]),
        "img_psi07": G.frames(G.mapping(z, truncation_psi=0.7), t, motion_z)[:, :, ::coarse, ::coarse],
        "grad_z": z.grad,
        "grad_motion_z": motion_z.grad,
        "param_grad_l2": gradients(G, official(case.manifest["grad_norm_names"])),
    }


def check_discriminator(case: Case) -> dict:
    D = discriminator_of(case.config)
    D.load_state_dict(entries(case))
    names, t = case.manifest["grad_norm_names"], case.tensor("t")
    img = case.tensor("img").requires_grad_()
    clips = img.reshape(t.shape[0], -1, *img.shape[2:])
    logits = D(clips, t)
    (gradient,) = torch.autograd.grad(logits.sum(), img, create_graph=True)
    penalty = gradient.square().sum([1, 2, 3])
    out = {"t_embs": D.time_encoder(t), "logits": logits, "logits_t2": D(clips, case.tensor("t2"))}
    out |= {"r1_sqnorm_per_frame": penalty, "grad_img_sub": gradient[:, :, ::2, ::2]}
    (logits * probe(case, "logits", logits)).sum().backward(retain_graph=True)
    out["param_grad_l2_logits"] = gradients(D, names)
    D.zero_grad()
    penalty.sum().backward()
    out["param_grad_l2_r1"] = gradients(D, names)
    return out


def check_augment(case: Case) -> dict:
    pipe = AugmentPipe(**case.config["spec"])
    pipe.p = case.config["p"]
    return {f"img_pct{q}": pipe(case.tensor("img"), debug_percentile=q) for q in case.config["percentiles"]}


def check_frame_sampling(case: Case) -> dict:
    limit = case.manifest["tolerance"]["freq_abs"]
    for number, cfg in enumerate(case.config):
        sampler = TimeSampling(
            num_sample=cfg["f"],
            add_0=False,
            max_num_frames=1024,
            max_dist=cfg["max_dist"],
            fractional=cfg["frac"],
            spans=spans_of(cfg["total_dists"]),
        )
        want = {name[:-1]: value for name, value in case.outputs.items() if name.endswith(str(number))}
        assert sampler.allowed_spans(cfg["len"]) == want["span_values"].tolist()
        rng = random.Random(cfg["python_seed"])
        exact = np.stack([sampler.draw(rng, cfg["len"]) for _ in range(len(want["seq"]))])
        np.testing.assert_allclose(exact, want["seq"], rtol=1e-6)
        times = np.stack([sampler.draw(rng, cfg["len"]) for _ in range(40_000)]).astype(np.float64)
        spans = np.round(times[:, -1] - times[:, 0]).astype(int)
        have = [(spans == span).mean() for span in want["span_values"]]
        assert np.abs(np.array(have) - want["span_freq"]).max() < limit
        offsets = times[:, 0]
        low, high, mean = want["offset_min_max_mean"]
        assert abs(offsets.mean() - mean) <= limit * (high - low) and offsets.min() >= 0 and times.max() < cfg["len"]
        if "mid_values_at_max_span" not in want:
            # Two frames of a video have none between them.
            assert cfg["f"] == 2
            continue
        longest = spans == want["span_values"][-1]
        middle = np.round(times[longest, 1] - times[longest, 0]).astype(int)
        assert set(middle) <= set(want["mid_values_at_max_span"].tolist())
        have = [(middle == value).mean() for value in want["mid_values_at_max_span"]]
        assert np.abs(np.array(have) - want["mid_freq_at_max_span"]).max() < limit
    return {}


def check_loss(case: Case) -> dict:
    G, D = generator_of(case.config["G"]).train(), discriminator_of(case.config["D"]).train()
    G.load_state_dict(rename(entries(case, "G")))
    D.load_state_dict(entries(case, "D"))
    loss = StyleGANVLoss(G, D, None, case.manifest["loss_kwargs"]["r1_gamma"])
    fake = ClipInputs(case.tensor("z"), case.tensor("motion_z"), case.tensor("t_gen"))
    real, real_t = case.tensor("real_img"), case.tensor("t_real")
    out: dict = {}
    for phase in case.manifest["phase_order"]:
        net = G if phase.startswith("G") else D
        G.requires_grad_(net is G)
        D.requires_grad_(net is D)
        net.zero_grad(set_to_none=True)

        def report(name: str, value: torch.Tensor, phase: str = phase) -> None:
            out[f"{phase}/report/{name}"] = value.detach().double().flatten()

        terms = {
            "Gmain": lambda report=report: loss.generator_main(fake, report),
            "Greg": lambda report=report: iter(()),
            "Dmain": lambda report=report: loss.discriminator_main(fake, real, real_t, None, report),
            "Dreg": lambda report=report: loss.discriminator_reg(real, real_t, None, report),
        }[phase]()
        for term in terms:
            (term * case.manifest["gains"][phase]).backward()
        names = case.manifest.get("grad_norm_names", {}).get(phase[0])
        names = official(names) if names else [name for name, _ in net.named_parameters()]
        out[f"{phase}/param_grad_l2"] = gradients(net, names)
        if phase == "Gmain":
            out["w_avg_after_Gmain"] = G.mapping.w_avg.clone()
    out["w_avg_after_all"] = G.mapping.w_avg
    return out


CHECKERS = {
    "stylegan_v/motion": check_motion,
    "stylegan_v/generator": check_generator,
    "stylegan_v/discriminator": check_discriminator,
    "stylegan_v/augment": check_augment,
    "stylegan_v/frame_sampling": check_frame_sampling,
    "stylegan_v/loss": check_loss,
}
