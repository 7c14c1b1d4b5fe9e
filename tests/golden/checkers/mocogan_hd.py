"""Checkers of the kinds `mocogan_hd/*`."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from styleinv.interop.mocogan_hd import import_folder
from styleinv.interop.rosinality import from_rosinality
from styleinv.methods.mocogan_hd import cross_domain as cross
from styleinv.methods.mocogan_hd import loss as losses
from styleinv.methods.mocogan_hd import warp as warps
from styleinv.methods.mocogan_hd.contrastive import Memory
from styleinv.methods.mocogan_hd.discriminator import PatchDiscriminator
from styleinv.methods.mocogan_hd.image_discriminator import ImageDiscriminator
from styleinv.methods.mocogan_hd.motion import MotionGenerator, mutual_information_loss
from styleinv.methods.mocogan_hd.pca import principal_components
from styleinv.methods.stylegan2.method import build_generator
from styleinv.training.ema import update_ema
from tests.golden.case import Case, fill


def rows_of(case: Case, net: str | None = None) -> dict[str, torch.Tensor]:
    """Weights of one of several networks (`net` of the entries), or of the only one."""
    found = {}
    for row in case.manifest["state"]:
        if row.get("net") != net:
            continue
        if row.get("keep"):
            keys = [f"state/{net}/{row['name']}", f"state/{row['name']}"]
            value = next(case.arrays[key] for key in keys if key in case.arrays)
        else:
            seed = case.manifest["seed"]
            seed = seed.get(net) if isinstance(seed, dict) else row.get("seed", seed)
            value = fill(row["name"], row["shape"], row, seed)
        found[row["name"]] = torch.from_numpy(np.array(value))
    return found


def gradnorms(case: Case, prefix: str, net: nn.Module) -> dict:
    params = dict(net.named_parameters())
    wanted = [name for name in case.wanted if name.startswith(prefix)]
    norms = {}
    for name in wanted:
        gradient = params[name.removeprefix(prefix)].grad
        norms[name] = torch.zeros([]) if gradient is None else gradient.double().norm()
    return norms


def motion_of(config: dict, z_dim: int) -> MotionGenerator:
    return MotionGenerator(z_dim, config["h_dim"], config["n_pca"], config["w_residual"])


def load_motion(net: MotionGenerator, state: dict, components: torch.Tensor, stdev: torch.Tensor) -> MotionGenerator:
    net.load_state_dict(state, strict=False)
    net.set_components(components, stdev)
    return net


def components_by_rule(width: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Principal components and their deviations where a case gives the rule that fills them."""
    components = fill("pca_comp", [width, width], {"mean": 0, "std": width**-0.5}, seed)
    stdev = fill("pca_stdev", [width], {"mean": 0.05, "std": 0.5, "fill": "abs"}, seed)
    return torch.from_numpy(components), torch.from_numpy(stdev)


def check_motion(case: Case) -> dict:
    z_dim = case.config["z_dim"]
    if case.config.get("pca_by_rule"):
        components = components_by_rule(z_dim, case.manifest["seed"])
    else:
        components = case.tensor("pca_comp"), case.tensor("pca_stdev")
    net = load_motion(motion_of(case.config, z_dim), rows_of(case), *components)
    w0, e = case.tensor("w0").requires_grad_(), case.tensor("e")
    w, recovered = net(w0, e)
    out, told, noise = w.flatten(0, 1), recovered.flatten(0, 1), e.transpose(0, 1).flatten(0, 1)
    scalar = (out * case.tensor("g_out")).sum() + (told * case.tensor("g_rec")).sum()
    scalar.backward()
    got = {"out": out, "e_flat": noise, "e_rec": told, "L": scalar, "grad_w0": w0.grad}
    got["mutual_loss"] = mutual_information_loss(told, noise)
    return got | gradnorms(case, "gradnorm.", net)


def check_pca(case: Case) -> dict:
    x = case.inputs["styles"].astype(np.float64)
    found = principal_components(x.mean(0), x.T @ x / len(x), len(x))
    return {
        "pca_comp_signed": found["components"],
        "pca_stdev": found["stdev"],
        "pca_var_ratio": found["var_ratio"],
        "style_mean": found["mean"],
        "style_var": found["var"],
    }


def check_generator(case: Case) -> dict:
    cfg, rows = case.config, rows_of(case)
    motion = {name.removeprefix("modelR."): value for name, value in rows.items() if name.startswith("modelR.")}
    image = {name: value for name, value in rows.items() if not name.startswith("modelR.")}
    config, resolution, tensors = from_rosinality({"g_ema": image})
    G = build_generator(config, resolution)
    G.load_state_dict(tensors)
    G.eval()
    components = components_by_rule(cfg["style_dim"], int(case.inputs["pca_seed"]))
    R = load_motion(motion_of(cfg, cfg["style_dim"]), motion, *components).eval()
    with torch.no_grad():
        w0 = G.mapping(case.tensor("z"))[:, 0]
        w, _ = R(w0, case.tensor("e"))
        between = torch.stack([w[:, :-1], (w[:, :-1] + w[:, 1:]) / 2], dim=2).flatten(1, 2)
        interp = torch.cat([between, w[:, -1:]], dim=1)

        def frames(path: torch.Tensor, noise_mode: str) -> torch.Tensor:
            return G.synthesis(path.flatten(0, 1)[:, None].expand(-1, G.num_ws, -1), noise_mode=noise_mode)

        out = {"w0": w0, "w_traj": w.flatten(0, 1), "w_interp": interp.flatten(0, 1)}
        out["img_no_noise"] = frames(w, "none")
        out["img_fixed_noise"] = frames(w, "const")
        return out | {"img_interp": frames(interp, "none")}


def check_discriminator(case: Case) -> dict:
    cfg = case.config
    dims = 3 if cfg["kind"] == "3d" else 2
    frames = cfg["n_frames_G"] - (0 if cfg["cross_domain"] else 1)
    channels = cfg["nc"] * (1 if cfg["cross_domain"] and dims == 3 else 2)
    D = PatchDiscriminator(dims, channels, cfg.get("ndf", 64), cfg["num_D"], frames > 16, cfg["norm_D_3d"])
    D.load_state_dict(rows_of(case))
    x, seed = case.tensor("x").requires_grad_(), int(case.inputs["gseed"])
    out: dict = {}
    scalar = torch.zeros([])
    for i, maps in enumerate(D(x)):
        for j, y in enumerate(maps):
            if f"train.s{i}.l{j}" in case.wanted:
                out[f"train.s{i}.l{j}"] = y
        g = torch.from_numpy(fill(f"input:g{i}", list(maps[-1].shape), {"mean": 0, "std": 1}, seed))
        scalar = scalar + (maps[-1] * g).sum()
    scalar.backward()
    out |= {"L": scalar, "grad_x": x.grad} | gradnorms(case, "gradnorm.", D)
    state = D.state_dict()
    for name in case.wanted:
        if name.startswith("buffer_after."):
            out[name] = state[name.removeprefix("buffer_after.")].double().norm()
    D.eval()
    for i, score in enumerate(D.scores(x.detach())):
        out[f"eval.s{i}.last"] = score
    return out


def check_steps(case: Case) -> dict:
    cfg = case.config
    if cfg["cross_domain"]:
        return check_cross_domain_steps(case)
    D3 = PatchDiscriminator(3, 6, cfg["ndf"], 2, cfg["n_frames_G"] - 1 > 16)
    D2 = PatchDiscriminator(2, 6, cfg["ndf"], 2)
    D3.load_state_dict(rows_of(case, "D_3d"))
    D2.load_state_dict(rows_of(case, "D_img"))
    real = case.tensor("x")
    big = case.tensor("x_fake").requires_grad_()
    told = case.tensor("rand_rec").requires_grad_()
    noise = case.tensor("rand_in")

    def small(frames: torch.Tensor) -> torch.Tensor:
        pooled = F.avg_pool2d(frames, cfg["style_gan_size"] // cfg["video_frame_size"])
        return pooled.unflatten(0, (cfg["batch"], cfg["n_frames_G"]))

    def flipped(clip: torch.Tensor, name: str) -> torch.Tensor:
        return clip.flip(2) if int(case.inputs[name]) == 0 else clip

    fake = small(big.detach())
    clips = [losses.clip_input(frames) for frames in (real, fake)]
    of_fake_clip = D3.scores(flipped(clips[1], "D_flip_fake"))
    of_real_clip = D3.scores(flipped(clips[0], "D_flip_real"))
    real_3d, fake_3d = losses.discriminator_loss(of_real_clip, of_fake_clip)
    penalty = losses.gradient_penalty(D3, *clips, case.tensor("gp_alpha"))
    (0.5 * (real_3d + fake_3d) + penalty).backward()
    k = int(case.inputs["D_frame_id"])
    pairs = [losses.image_input(frames, k) for frames in (real, fake)]
    fake_scores = D2.scores(pairs[1])
    real_2d, fake_2d = losses.discriminator_loss(D2.scores(pairs[0]), fake_scores)
    (0.5 * (real_2d + fake_2d)).backward()
    out = {"D_loss_real": real_2d, "D_loss_fake": fake_2d, "D_loss_real_3d": real_3d, "D_loss_fake_3d": fake_3d}
    out |= {"gp_3d": penalty} | gradnorms(case, "Dgrad_3d.", D3) | gradnorms(case, "Dgrad_img.", D2)

    fake, k = small(big), int(case.inputs["G_frame_id"])
    of_real = D3.scores(flipped(losses.clip_input(real), "G_flip_first"))
    of_clips = losses.generator_loss(of_real, D3.scores(flipped(losses.clip_input(fake), "G_flip_second")))
    pairs = [losses.image_input(frames, k) for frames in (real, fake)]
    of_images = losses.generator_loss(D2.scores(pairs[0]), D2.scores(pairs[1]))
    mutual = mutual_information_loss(told, noise)
    (of_clips + of_images + mutual).backward()
    out |= {"G_loss_2d": of_images, "G_loss_3d": of_clips, "l_mutual": mutual}
    out["G_grad_x_fake"] = big.grad
    return out | {"G_grad_rand_rec": told.grad}


def check_checkpoint(case: Case) -> dict:
    """All files of a folder, imported; the case has no limits of its own, so they are compared here."""
    cfg, data = case.config, case.arrays
    _, modules = import_folder(case.path)
    G, R = modules["G"], modules["R"]
    close = dict(case.manifest["tolerance"])
    z, e = (torch.from_numpy(data[name]) for name in ("z", "e"))
    with torch.no_grad():
        w0 = G.mapping(z)[:, 0]
        w, told = R(w0, e)
        ws = w.flatten(0, 1)[:, None].expand(-1, G.num_ws, -1)
        got = {"w0": w0, "w_traj": w.flatten(0, 1), "e_rec": told.flatten(0, 1)}
        got |= {
            "img_no_noise": G.synthesis(ws, noise_mode="none"),
            "img_fixed_noise": G.synthesis(ws, noise_mode="const"),
        }
        for name, key in (("D_3d", "d3"), ("D_img", "d2")):
            x = torch.from_numpy(data["x3" if name == "D_3d" else "x2"])
            for scale, score in enumerate(modules[name].eval().scores(x)):
                got[f"{key}_eval_scale{scale}"] = score
    assert G.img_resolution == cfg["size"] and R.n_pca == cfg["n_pca"]
    for name, value in got.items():
        np.testing.assert_allclose(value.numpy(), data[name], **close, err_msg=name)
    assert set(got) == {name for name in data if name not in ("z", "e", "x3", "x2")}
    return {}


def check_warp(case: Case) -> dict:
    x, draws = case.tensor("x"), case.inputs
    out = {}
    for i, (ratio, kind, across, along) in enumerate(draws["cutout_draws"]):
        out[f"cutout.{i}"] = warps.cutout(x, float(ratio), int(kind), float(across), float(along))
    for i, (u, kind) in enumerate(draws["color_draws"]):
        out[f"color.{i}"] = warps.colour(x, float(u), int(kind))
    for i, row in enumerate(draws["affine_draws"]):
        out[f"affine.{i}"] = warps.affine(x, *(float(v) for v in row))
    flips = {int(name.rpartition(".")[2]) for name in case.wanted if name.startswith("flip.")}
    return out | {f"flip.{k}": warps.flip(x, k == 1) for k in flips}


def check_contrastive(case: Case) -> dict:
    memory = Memory(*case.inputs["q_real"].shape, case.config["world_batch"])
    memory.load_state_dict({name: case.tensor(name) for name in ("q_real", "q_fake", "q_ptr")})
    names = ("logits_real", "logits_real2", "logits_fake", "logits_fake2")
    views = {name: case.tensor(name).requires_grad_() for name in names}
    real, real2, fake, fake2 = views.values()
    loss = memory.loss((real, real2), (fake, fake2))
    loss.backward()
    memory.add(case.tensor("new_real"), case.tensor("new_fake"))
    out = {"loss": loss} | {f"grad.{name}": value.grad for name, value in views.items()}
    return out | {f"{name}_after": value for name, value in memory.state_dict().items()}


def check_image_discriminator(case: Case) -> dict:
    cfg = case.config
    D = ImageDiscriminator(cfg["resolution"], cfg["D_ch"], cfg["proj_dim"])
    D.load_state_dict(rows_of(case))
    x = case.tensor("x").requires_grad_()
    score, projection = D(x)
    total = (score * case.tensor("g_out")).sum() + (projection * case.tensor("g_proj")).sum()
    total.backward()
    out = {"out": score, "proj": projection, "L": total, "grad_x": x.grad} | gradnorms(case, "gradnorm.", D)
    state = D.state_dict()
    out |= {name: state[name.removeprefix("after.")].clone() for name in case.wanted if name.startswith("after.")}
    D.eval()
    with torch.no_grad():
        out["eval.out"], out["eval.proj"] = D(x)
        out["eval.proj_only"] = D.project(x)
    return out


def check_cross_domain_steps(case: Case) -> dict:
    """Without augmentation: both views of an image are the same."""
    cfg, rows = case.config, rows_of(case, "D_img")
    D3 = PatchDiscriminator(3, 3, cfg["ndf"], 2, cfg["n_frames_G"] > 16)
    D3.load_state_dict(rows_of(case, "D_3d"))
    D, D_ema = (ImageDiscriminator(cfg["video_frame_size"], cfg["D_ch"], cfg["l_len"]) for _ in range(2))
    for name, net in (("modelD", D), ("modelD_ema", D_ema)):
        prefix = f"{name}."
        net.load_state_dict({k.removeprefix(prefix): v for k, v in rows.items() if k.startswith(prefix)})
    memory = Memory(cfg["q_len"], cfg["l_len"], cfg["batch"])
    memory.load_state_dict({name: rows[name] for name in ("q_real", "q_fake", "q_ptr")})
    real, told, noise = case.tensor("x"), case.tensor("rand_rec").requires_grad_(), case.tensor("rand_in")
    big = case.tensor("x_fake").requires_grad_()

    def small(frames: torch.Tensor) -> torch.Tensor:
        pooled = F.avg_pool2d(frames, cfg["style_gan_size"] // cfg["video_frame_size"])
        return pooled.unflatten(0, (cfg["batch"], cfg["n_frames_G"]))

    def flipped(clip: torch.Tensor, name: str) -> torch.Tensor:
        return clip.flip(2) if int(case.inputs[name]) == 0 else clip

    fake = small(big.detach())
    clips = [frames.transpose(1, 2) for frames in (real, fake)]
    of_fake_clip = D3.scores(flipped(clips[1], "D_flip_fake"))
    real_3d, fake_3d = losses.discriminator_loss(D3.scores(flipped(clips[0], "D_flip_real")), of_fake_clip)
    penalty = losses.gradient_penalty(D3, *clips, case.tensor("gp_alpha"))
    (0.5 * (real_3d + fake_3d) + penalty).backward()
    first, later = fake[:, 0], fake[:, int(case.inputs["D_frame_id"])]
    of_first, of_later, contrast = cross.discriminator_terms(D, memory, (first, first), (later, later))
    (of_first + of_later + cross.CONTRASTIVE_WEIGHT * contrast).backward()
    update_ema(D_ema, D, 0.999, "keep")
    out = {"D_loss_real": of_first, "D_loss_fake": of_later, "cntr_loss": contrast, "gp_3d": penalty}
    out |= {"D_loss_real_3d": real_3d, "D_loss_fake_3d": fake_3d}
    out |= gradnorms(case, "Dgrad_3d.", D3) | gradnorms(case, "Dgrad_img.modelD.", D)
    out["ema_after_norm"] = torch.stack([p.detach().norm() for p in D_ema.parameters()])

    fake, k = small(big), int(case.inputs["G_frame_id"])
    of_real = D3.scores(flipped(real.transpose(1, 2), "G_flip_first"))
    of_clips = losses.generator_loss(of_real, D3.scores(flipped(fake.transpose(1, 2), "G_flip_second")))
    score, match = cross.generator_terms(D, fake[:, 0], fake[:, k])
    mutual = mutual_information_loss(told, noise)
    (of_clips + score + cfg["w_match"] * match + mutual).backward()
    with torch.no_grad():
        memory.add(D_ema.project(fake[:, 0]), D_ema.project(fake[:, k]))
    out |= {
        "G_loss_2d": score,
        "G_loss_3d": of_clips,
        "l_match": match,
        "l_mutual": mutual,
        "q_ptr_after": memory.q_ptr,
    }
    for name in ("q_real", "q_fake"):
        out[f"{name}_head"] = getattr(memory, name)[: len(case.outputs[f"{name}_head"])]
    out["G_grad_x_fake"] = big.grad
    return out | {"G_grad_rand_rec": told.grad}


CHECKERS = {
    "mocogan_hd/warp": check_warp,
    "mocogan_hd/contrastive": check_contrastive,
    "mocogan_hd/biggan_discriminator": check_image_discriminator,
    "mocogan_hd/motion_lstm": check_motion,
    "mocogan_hd/pca": check_pca,
    "mocogan_hd/generator": check_generator,
    "mocogan_hd/discriminator_2d": check_discriminator,
    "mocogan_hd/discriminator_3d": check_discriminator,
    "mocogan_hd/steps": check_steps,
    "mocogan_hd/checkpoint": check_checkpoint,
}
