"""Checkers of the kinds `styleinv/*`."""

import random

import numpy as np
import torch

from styleinv.data.time_sampling import TimeSampling
from styleinv.generator import to_uint8
from styleinv.methods.sparse_video import ClipInputs
from styleinv.methods.stylegan2.synthesis import Generator
from styleinv.methods.styleinv.discriminator_ffc import FirstFrameDiscriminator
from styleinv.methods.styleinv.encoder import AdainResBlk, ModulatedEncoder
from styleinv.methods.styleinv.generate import StyleInVGenerator
from styleinv.methods.styleinv.loss import StyleInVLoss
from styleinv.methods.styleinv.mapping import MappingFuse
from styleinv.methods.styleinv.model import StyleInV
from styleinv.nn.augment import AugmentPipe
from styleinv.nn.irse import BottleneckIRSE
from styleinv.nn.motion import EqLRConv1d, MotionMappingNetwork
from styleinv.nn.time_encoder import AlignedTimeEncoder
from styleinv.nn.video_discriminator import TemporalDifferenceEncoder, VideoDiscriminator
from styleinv.training import schedule
from styleinv.training.ada import ada_update
from styleinv.training.ema import ema_beta, update_ema
from tests.golden.case import Case, l2, spans_of, stats
from tests.golden.checkers.stylegan2 import Collector


def motion_options(opts: dict, max_num_frames: int) -> dict:
    """The official `motion` options as ours."""
    enc = opts["time_enc"]
    return {
        "z_dim": opts["z_dim"],
        "v_dim": opts["v_dim"],
        "motion_z_distance": opts["motion_z_distance"],
        "max_num_frames": max_num_frames,
        "kernel_size": opts["kernel_size"],
        "time_dim": enc["dim"],
        "min_period_len": enc["min_period_len"],
        "max_period_len": enc["max_period_len"],
        "first_frame_aware": opts["gen_strategy"] == "conv",
    }


def mapping_options(opts: dict) -> dict:
    """The official `mapping_opts` as ours."""
    return {
        "motion": motion_options(opts["motion"], opts["sampling"]["max_num_frames"]),
        "content_dim": opts["content_dim"],
        "w_dim": opts["w_dim"],
        "layers_after_fuse": opts["layers_after_fuse"],
        "concat_content": opts["concat_content"],
        "lr_multiplier": opts["lr_multiplier"],
    }


def build_styleinv(cfg: dict) -> StyleInV:
    """The StyleInV module of an official configuration."""
    enc = cfg["encoder_opts"]
    return StyleInV(
        mapping_options(cfg["mapping_opts"]),
        {
            "w_dim": cfg["mapping_opts"]["w_dim"],
            "style_dim": cfg["mapping_opts"]["w_dim"],
            "adain_mode": enc["adain_mode"],
            "normalize_adain": enc["normalize_adain"],
            "lr_multiplier": enc["lr_multiplier"],
        },
        skip_encoder=cfg["skip_encoder"],
        input_residual=cfg["input_residual"],
    )


def frames_of(case: Case, name: str, max_num_frames: int = 128) -> torch.Tensor:
    """Normalised times [B, F, 1] -> frames [B, F]."""
    return case.tensor(name)[..., 0] * (max_num_frames - 1)


def params_l2(net: torch.nn.Module, names: list[str]) -> np.ndarray:
    params = dict(net.named_parameters())
    return np.array([l2(params[n].grad, absent=float("nan")) for n in names])


def check_adain_block(case: Case) -> dict:
    cfg = case.config
    assert cfg["dim_in"] == cfg["dim_out"]
    net = case.load(AdainResBlk(cfg["dim_in"], cfg["style_dim"], cfg["lr_multiplier"], cfg["normalize"]))
    x, s = case.tensor("x").requires_grad_(), case.tensor("s").requires_grad_()
    y = net(x, s)
    (y * case.tensor("proj")).sum().backward()
    return {
        "y": y,
        "grad_x": x.grad,
        "grad_s": s.grad,
        "param_grad_l2": params_l2(net, case.manifest["param_order"]),
    }


def check_augment_clip(case: Case) -> dict:
    cfg = case.config
    pipe = AugmentPipe(**cfg["pipe"])
    x = case.tensor("x").requires_grad_()
    y = pipe(x, debug_percentile=cfg["percentile"])
    (y * case.tensor("proj")).sum().backward()
    with torch.no_grad():
        each = torch.cat([pipe(f, debug_percentile=cfg["percentile"]) for f in x.split(3, dim=1)], dim=1)
    return {"y": y, "grad_x": x.grad, "max_diff_to_frame_by_frame": (y - each).abs().max()}


def check_ema(case: Case) -> dict:
    cfg = case.config
    shapes = {e["name"]: e["shape"] for e in case.manifest["state"] if e["module"] == "SI"}
    depth, cin = shapes["res_layer.1.weight"][:2]
    nets = {m: BottleneckIRSE(cin, depth, 2) for m in ("SI", "SI_ema")}
    for name, net in nets.items():
        case.load(net, module=name)
    beta = ema_beta(cfg["batch_size"], cfg["ema_kimg"], cfg["ema_rampup"], cfg["cur_nimg"])
    update_ema(nets["SI_ema"], nets["SI"], beta)
    out = {f"ema/{k}": v for k, v in nets["SI_ema"].state_dict().items()}
    return out | {"beta": np.array(beta)}


def check_encoder(case: Case) -> dict:
    cfg = case.config
    net = case.load(
        ModulatedEncoder(
            style_dim=cfg["style_dim"], adain_mode=cfg["adain_mode"], normalize_adain=cfg["normalize_adain"]
        )
    ).train(cfg["train"])
    x, s = case.tensor("x").requires_grad_(), case.tensor("s").requires_grad_()
    y = net(x, s)
    (y * case.tensor("proj")).sum().backward()
    out = {
        "y": y,
        "grad_x_stats": stats(x.grad),
        "grad_s": s.grad,
        "param_grad_l2": params_l2(net, cfg["pick"]),
    }
    out |= {f"after/{k}": v.clone() for k, v in net.state_dict().items()}
    with torch.no_grad():
        out["y_ignore_adain"] = net(x, None)
    return out


def check_conv1d(case: Case) -> dict:
    cfg = {k: v for k, v in case.config.items() if k not in ("B", "L")}
    net = case.load(EqLRConv1d(**cfg))
    x = case.tensor("x").requires_grad_()
    y = net(x)
    (y * case.tensor("proj")).sum().backward()
    return {"y": y, "grad_x": x.grad, "grad_weight": net.weight.grad, "grad_bias": net.bias.grad}


def check_full(case: Case) -> dict:
    cfg = case.config
    net = case.load(build_styleinv(cfg["styleinv"])).eval()
    w0 = case.tensor("wc").requires_grad_()
    t = frames_of(case, "Ts")
    w = net(case.tensor("x"), w0, case.tensor("zm"), t)
    (w * case.tensor("proj")).sum().backward()
    residual = w - w0.repeat(t.shape[1], 1)
    with torch.no_grad():
        serial = torch.cat([net(case.tensor("x"), w0, case.tensor("zm"), t[:, i : i + 1]) for i in range(t.shape[1])])
    return {
        "w": w,
        "residual_l2": residual.norm(dim=1),
        "grad_wc_l2": w0.grad.norm(dim=1),
        "param_grad_l2": params_l2(net, cfg["pick"]),
        "w_list_mode_maxdiff": (serial - w).abs().max() / w.abs().max(),
    }


def check_bottleneck(case: Case) -> dict:
    cfg = case.config
    net = case.load(BottleneckIRSE(cfg["in_channel"], cfg["depth"], cfg["stride"])).train(cfg["train"])
    x = case.tensor("x").requires_grad_()
    y = net(x)
    (y * case.tensor("proj")).sum().backward()
    return {"y": y, "grad_x": x.grad} | {f"after/{k}": v for k, v in net.state_dict().items()}


def check_mapping_fuse(case: Case) -> dict:
    net = case.load(MappingFuse(**mapping_options(case.config)))
    w0 = case.tensor("wc").requires_grad_()
    styles = net(w0, case.tensor("zm"), frames_of(case, "Ts", case.config["sampling"]["max_num_frames"]))
    (styles * case.tensor("proj")).sum().backward()
    out = {"styles": styles, "param_grad_l2": params_l2(net, case.manifest["param_order"])}
    out["grad_wc"] = torch.zeros_like(w0) if w0.grad is None else w0.grad
    return out


def check_motion(case: Case) -> dict:
    cfg = case.config
    net = case.load(MotionMappingNetwork(**motion_options(cfg["motion"], cfg["sampling"]["max_num_frames"])))
    z = case.tensor("motion_z")
    if "max_t" in cfg:
        return _first_frame_property(net, z, cfg)
    z.requires_grad_()
    t = case.tensor("t")
    need = net.traj_len(float(t.max()))
    v, anchors = net.at_times(net.tokens(z[:, :need]), t)
    (v * case.tensor("proj")).sum().backward()
    return {
        "motion_v": v,
        "motion_u_left": anchors["u_left"],
        "motion_u_right": anchors["u_right"],
        "t_left": anchors["t_left"],
        "interp_weights": anchors["weight"],
        "traj_len": np.array(need),
        "grad_motion_z_l2_per_anchor": z.grad.norm(dim=2),
        "param_grad_l2": params_l2(net, case.manifest["param_order"]),
    } | _stats_outputs(case, {"motion_v": v, "motion_u_left": anchors["u_left"], "motion_u_right": anchors["u_right"]})


def _stats_outputs(case: Case, tensors: dict) -> dict:
    """Large outputs are stored as their statistics."""
    return {k: stats(v) for k, v in tensors.items() if case.outputs[k].shape == (69,) and v.ndim > 1}


@torch.no_grad()
def _first_frame_property(net: MotionMappingNetwork, z: torch.Tensor, cfg: dict) -> dict:
    zero, one = torch.zeros(z.shape[0], 1), torch.ones(z.shape[0], 1)
    v0, v1, u0 = net(zero, z), net(one, z), net.tokens(z)[:, 0]
    other = torch.randn(z.shape, generator=torch.Generator().manual_seed(1))
    return {
        "v0": v0[0],
        "u0": u0[0],
        "v0_closed_form": net.time_encoder.aligners_predictor(u0)[0],
        "v0_same_for_other_noise_maxdiff": (net(zero, other) - v0).abs().max(),
        "v1_differs_maxdiff": (v1 - v0).abs().max(),
        "traj_len": np.array([net.traj_len(t) for t in cfg["max_t"]]),
    }


def check_time_encoder(case: Case) -> dict:
    cfg = case.config
    enc = cfg["time_enc"]
    net = case.load(AlignedTimeEncoder(cfg["latent_dim"], enc["dim"], enc["min_period_len"], enc["max_period_len"]))
    fresh = AlignedTimeEncoder(cfg["latent_dim"], enc["dim"], enc["min_period_len"], enc["max_period_len"])
    left, right = case.tensor("motion_u_left").requires_grad_(), case.tensor("motion_u_right").requires_grad_()
    y = net(case.tensor("t"), left, right, case.tensor("t_left"), case.tensor("t_right"), case.tensor("interp_weights"))
    (y * case.tensor("proj")).sum().backward()
    return {
        "time_embs": y,
        "grad_u_left": left.grad,
        "grad_u_right": right.grad,
        "freqs": fresh.freqs,
        "phase_scales": fresh.phase_scales,
    }


def discriminator_options(res: int, cfg: dict, kw: dict) -> dict:
    """The official discriminator options as ours."""
    return {
        "img_resolution": res,
        "num_frames": cfg["sampling"]["num_frames_per_video"],
        "max_num_frames": cfg["sampling"]["max_num_frames"],
        "concat_res": cfg["concat_res"],
        "num_frames_div_factor": cfg["num_frames_div_factor"],
        "channel_base": kw["channel_base"],
        "channel_max": kw["channel_max"],
        "mbstd_group_size": kw["mbstd"],
        "use_const_embed": cfg["pe"]["use_const_embed"],
        "dummy_c": cfg["dummy_c"],
    }


def check_discriminator(case: Case) -> dict:
    cfg = case.config
    net = case.load(VideoDiscriminator(**discriminator_options(cfg["res"], cfg["cfg"], cfg["kw"])))
    img = case.tensor("img") if "img" in case.inputs else None
    assert img is not None
    t = case.tensor("t") * (cfg["cfg"]["sampling"]["max_num_frames"] - 1)
    clips = img.reshape(t.shape[0], -1, *img.shape[2:]).requires_grad_()
    logits = net(clips, t)
    params = dict(net.named_parameters())
    order = case.manifest.get("param_order", [])
    out = {"logits": logits}
    options = {"allow_unused": True, "retain_graph": True}
    grads = torch.autograd.grad(torch.nn.functional.softplus(logits).mean(), list(params.values()), **options)
    by_name = dict(zip(params, grads, strict=True))
    out["softplus_param_grad_l2"] = np.array([l2(by_name[n], float("nan")) for n in order])
    (grad,) = torch.autograd.grad(logits.sum(), clips, create_graph=True)
    r1 = grad.square().sum(dim=[1, 2, 3])
    grads = torch.autograd.grad(r1.mean(), list(params.values()), allow_unused=True)
    by_name = dict(zip(params, grads, strict=True))
    out["r1_param_grad_l2"] = np.array([l2(by_name[n]) for n in order])
    out["r1_per_video"] = r1
    out["grad_img_stats"] = stats(grad.reshape(img.shape))
    return out


def check_discriminator_names(case: Case) -> dict:
    for key, build in {"stylegan_v": VideoDiscriminator, "ffc": FirstFrameDiscriminator}.items():
        net = build(img_resolution=256, num_fp16_res=4, conv_clamp=256)
        table = case.manifest[key]
        want = {e["name"]: e["shape"] for e in table["state"]}
        assert {k: list(v.shape) for k, v in net.state_dict().items()} == want, key
        assert sum(p.numel() for p in net.parameters()) == table["n_parameters"], key
        half = {name for name, block in net.named_children() if getattr(block, "half_dtype", None) is not None}
        assert half == set(table["fp16_blocks"]), (key, half)
    return {}


def check_time_difference(case: Case) -> dict:
    cfg = case.config["cfg"]
    sampling = cfg["sampling"]
    net = case.load(
        TemporalDifferenceEncoder(
            sampling["num_frames_per_video"],
            sampling["max_num_frames"],
            use_const_embed=cfg["pe"]["use_const_embed"],
        )
    )
    t = case.tensor("t") * case.config["div"]
    return {"embs": net(t), "dim": np.array(net.dim), "fourier_coefs": net.time_encoder.fourier_coefs}


def check_time_sampling(case: Case) -> dict:
    out = {}
    for entry in case.manifest["configs"]:
        cfg = entry["config"]
        sampler = TimeSampling(
            num_sample=cfg["num_sample"],
            add_0=cfg["add_0"],
            max_num_frames=cfg["max_num_frames"],
            max_dist=cfg["max_dist"],
            fractional=cfg["use_fractional_t"],
            spans=spans_of(cfg["total_dists"] if entry["total_dists_type"] == "list" else None),
        )
        limit = entry["max_limit"] or cfg["max_num_frames"]
        assert sampler.allowed_spans(limit) == entry["span_support"], entry["npz"]
        exact = [
            sampler.draw(rng, limit)
            for rng in map(random.Random, entry["seeds"])
            for _ in range(entry["draws_per_seed"])
        ]
        out[entry["npz"].removeprefix("out/")] = np.stack(exact).reshape(case.arrays[entry["npz"]].shape) / np.float32(
            cfg["max_num_frames"] - 1
        )
        rng = random.Random(0)
        draws = np.stack([sampler.draw(rng, limit) for _ in range(4000)])
        official = case.arrays[entry["npz"]].reshape(-1, cfg["num_frames_per_video"]) * (cfg["max_num_frames"] - 1)
        start = int(cfg["add_0"])
        assert draws.shape[1] == official.shape[1]
        if start:
            assert (draws[:, 0] == 0).all() and (official[:, 0] == 0).all()
        for drawn in (draws, official):
            spans = drawn[:, -1] - drawn[:, start]
            assert set(np.round(spans).astype(int)) <= set(entry["span_support"])
            assert (np.diff(drawn[:, start:], axis=1) > 0.99).all() and drawn.max() <= limit - 1
        spans = np.round(draws[:, -1] - draws[:, start]).astype(int)
        counts = np.array([(spans == s).sum() for s in entry["span_support"]])
        expected = len(draws) / len(counts)
        assert np.abs(counts - expected).max() < 6 * np.sqrt(expected), "spans are not uniform"
        if not cfg["use_fractional_t"]:
            assert (draws == np.round(draws)).all()
            share = (draws[:, start] == 0).mean()
            want = entry["prob_first_sampled_frame_is_0"]
            assert abs(share - want) < 5 * np.sqrt(want * (1 - want) / len(draws)) + 1e-9
        for mean in (draws[:, start].mean() - official[:, start].mean(),):
            assert abs(mean) < 5 * official[:, start].std() / np.sqrt(len(official))
    return out


def check_state_names(case: Case) -> dict:
    torch.manual_seed(0)
    net = StyleInV({"motion": {}}, {})
    own = {k: list(v.shape) for k, v in net.state_dict().items()}
    want = {e["name"]: e["shape"] for e in case.manifest["state"]}
    assert own == want, sorted(set(own) ^ set(want))[:10]
    parameters = {e["name"] for e in case.manifest["state"] if e["parameter"]}
    assert {n for n, _ in net.named_parameters()} == parameters
    assert sum(p.numel() for p in net.parameters()) == case.manifest["n_parameters"]
    assert net.encoder.adain_index == case.manifest["adain_index"]
    loaded = {n.removeprefix("encoder.") for n in case.manifest["loaded_from_psp_encoder"]}
    assert loaded == {n for n in net.encoder.state_dict() if not n.startswith("adains.")}
    for name, (mean, std) in case.manifest["fresh_init_mean_std"].items():
        value = net.state_dict()[name].double()
        spread = 6 * max(std, 1e-9) / value.numel() ** 0.5
        assert abs(float(value.mean()) - mean) <= spread + 1e-4 + 0.01 * abs(mean), name
        got = float(value.std(unbiased=False)) if value.numel() > 1 else 0.0
        assert abs(got - std) <= 0.05 * std + 6 * std / value.numel() ** 0.5 + 1e-4, (name, got, std)
    return {}


def check_loss(case: Case) -> dict:
    cfg = case.config
    table = {e["name"]: e["shape"] for e in case.manifest["state"] if e.get("module") == "G"}
    build_D = {"stylegan-v": VideoDiscriminator, "ffc": FirstFrameDiscriminator}[cfg["D"]["type"]]
    D_options = discriminator_options(64, cfg["D"]["cfg"], cfg["D"]["kw"])
    add_0 = cfg["g_sampling"]["add_0"]
    out: dict = {}
    for phase in ("SImain", "Dmain", "Dreg"):
        G = case.load(generator_from(table), module="G").eval().requires_grad_(False)
        D_options["img_resolution"] = G.img_resolution
        SI = case.load(build_styleinv(cfg["styleinv"]), module="SI").train()
        D = case.load(build_D(**D_options), module="D").train()
        loss = StyleInVLoss(G, SI, D, **_loss_options(cfg["loss"], add_0))
        fake = ClipInputs(case.tensor("gen_zc"), case.tensor("gen_zm"), frames_of(case, "g_ts"))
        real = case.tensor("real_imgs").float() / 127.5 - 1
        real = real.unflatten(1, (-1, 3))
        real_t = frames_of(case, "real_ts")
        report = Collector()
        active = SI if phase == "SImain" else D
        for net in (SI, D):
            net.requires_grad_(net is active)
        terms = {
            "SImain": loss.generator_main(fake, report),
            "Dmain": loss.discriminator_main(fake, real, real_t, None, report),
            "Dreg": loss.discriminator_reg(real, real_t, None, report),
        }[phase]
        for term in terms:
            (term * (16 if phase == "Dreg" else 1)).backward()
        params = dict(active.named_parameters())
        order = case.manifest["simain_params" if phase == "SImain" else "d_params"]
        out |= {f"{phase}|{key}": value for key, value in report.arrays().items()}
        out[f"{phase}|param_grad_l2"] = np.array([l2(params[n].grad) for n in order if n in params])
        grads = [p.grad for p in params.values() if p.grad is not None]
        out[f"{phase}|total_grad_l2"] = np.sqrt(sum(l2(g) ** 2 for g in grads))
        out[f"{phase}|n_params_with_grad"] = np.array(len(grads))
        if phase == "SImain":
            out |= {f"after_SImain/{k}": v.clone() for k, v in SI.state_dict().items()}
    out["num_ws"] = np.array(G.num_ws)
    # The official code has one word for all cases in which it changes nothing.
    changed = loss.first_frame == "append" or loss.hides_0
    out["input_skip_to_D"] = np.frombuffer((loss.first_frame if changed else "no").encode().ljust(8), dtype=np.uint8)
    # The official loop counted one image too many for `append` and one too few for `remove`; ours counts what it shows.
    official = {"append": 1, "remove": -1}.get(loss.first_frame, 0) if changed else 0
    out["n_sparse"] = np.array(cfg["real_sampling"]["num_frames_per_video"] + official)
    return out


def _loss_options(cfg: dict, add_0: bool) -> dict:
    """The official loss options as ours: what the discriminator sees of the first frame followed from three of them."""
    if not cfg["first_frame_in_D"]:
        first_frame = "remove"
    elif cfg["first_frame_use_gen"]:
        first_frame = "generated"
    else:
        first_frame = "replace" if add_0 else "append"
    left_out = ("lambda_mutual", "first_frame_in_D", "first_frame_use_gen")
    kept = {key: value for key, value in cfg.items() if key not in left_out}
    return kept | {"first_frame": first_frame, "add_0": add_0}


def generator_from(table: dict[str, list[int]]) -> Generator:
    """A generator of the widths in a table of official tensor names."""
    resolution = max(int(n.split(".")[1][1:]) for n in table if n.startswith("synthesis.b"))
    w_dim = table["mapping.w_avg"][0]
    widths = {r: table[f"synthesis.b{r}.conv1.weight"][0] for r in [2**i for i in range(2, 11)] if r <= resolution}
    base = max(width * r for r, width in widths.items() if width < max(widths.values()) or r == resolution)
    return Generator(
        table["mapping.fc0.weight"][1],
        w_dim,
        resolution,
        mapping_kwargs={"num_layers": sum(n.startswith("mapping.fc") and n.endswith("weight") for n in table)},
        synthesis_kwargs={
            "channel_base": base,
            "channel_max": max(widths.values()),
            "use_noise": "synthesis.b4.conv1.noise_const" in table,
        },
    )


def check_generate(case: Case) -> dict:
    cfg = case.config
    table = {e["name"]: e["shape"] for e in case.manifest["state"] if e.get("module") == "G"}
    G = case.load(generator_from(table), module="G").eval()
    SI = case.load(build_styleinv(cfg["styleinv"]), module="SI").eval()
    generator = StyleInVGenerator(G, SI, 30, cfg["noise_mode"])
    frames = cfg["time_offset"] + torch.arange(cfg["video_len"]) / cfg["slowmo"]
    with torch.no_grad():
        w0 = G.mapping(case.tensor("zc"))[:, 0]
        initial = generator.decode(w0)
        latents = [
            generator.latents(w0[b : b + 1], initial[b : b + 1], case.tensor("motion_z")[b : b + 1], frames)
            for b in range(len(w0))
        ]
        videos = torch.stack([generator.decode(w) for w in latents])
    cut = to_uint8(videos).permute(0, 1, 3, 4, 2)
    scaled = (videos * 0.5 + 0.5).clamp(0, 1) * 255
    in_training = (videos * 127.5 + 128).clamp(0, 255).to(torch.uint8)
    span = cfg["styleinv"]["mapping_opts"]["sampling"]["max_num_frames"] - 1
    return {
        "w0": w0,
        "latents_video0": latents[0],
        "Ts": (frames / span).float()[None].repeat(len(w0), 1),
        "video_stats": np.stack([[stats(f) for f in video] for video in scaled / 255]),
        "uint8_video0_frame0": cut[0, 0],
        "uint8_video0_last": cut[0, -1],
        "uint8_mean": cut.double().mean(dim=[2, 3, 4]),
        "metric_in_training_uint8_mean_video0": in_training[0].double().mean(dim=[1, 2, 3]),
        "saturated_fraction": ((scaled == 0) | (scaled == 255)).double().mean(),
    }


def check_bookkeeping(case: Case) -> dict:
    cfg, want = case.config, dict(case.manifest["results"])
    p, path = 0.0, []
    for sign in cfg["sign_means"]:
        p = ada_update(p, sign, cfg["ada_target"], cfg["batch_size"], cfg["ada_interval"], cfg["ada_kimg"])
        path.append(p)
    images = cfg["batch_size"] * cfg["n_sparse"]
    d_lr, d_betas = schedule.lazy_regularization(cfg["lrD"], (0, 0.99), 16)
    si_lr, si_betas = schedule.lazy_regularization(cfg["lrSI"], (0, 0.99), None)
    got = {
        "augment_p_after_each_update": path,
        "iterations_total": schedule.total_steps(cfg["total_kimg"], images),
        "nimg_per_iteration": images,
        "ema_beta": ema_beta(cfg["batch_size"], cfg["ema_kimg"]),
        "D_lr": d_lr,
        "D_betas": d_betas,
        "SI_lr": si_lr,
        "SI_betas": si_betas,
        "iterations_per_tick": round(4000 / images),
    }
    for name, value in got.items():
        np.testing.assert_allclose(value, want[name], rtol=1e-6, atol=1e-12, err_msg=name)
    return {}


CHECKERS = {
    "styleinv/loss": check_loss,
    "styleinv/generate": check_generate,
    "styleinv/loop_bookkeeping": check_bookkeeping,
    "styleinv/adain_block": check_adain_block,
    "styleinv/augment_clip": check_augment_clip,
    "styleinv/ema": check_ema,
    "styleinv/encoder": check_encoder,
    "styleinv/eqlr_conv1d": check_conv1d,
    "styleinv/full": check_full,
    "styleinv/irse_bottleneck": check_bottleneck,
    "styleinv/mapping_fuse": check_mapping_fuse,
    "styleinv/motion": check_motion,
    "styleinv/time_encoder": check_time_encoder,
    "styleinv/discriminator": check_discriminator,
    "styleinv/discriminator_names": check_discriminator_names,
    "styleinv/time_difference_encoder": check_time_difference,
    "styleinv/time_sampling": check_time_sampling,
    "styleinv/state_names": check_state_names,
}
