"""Checkers of the kinds `inversion/*`."""

import numpy as np
import torch

from styleinv.methods.inversion.encoder import PSP
from styleinv.methods.inversion.ranger import Ranger
from styleinv.nn.identity import IDLoss
from styleinv.nn.perceptual import LAYERS, LPIPS
from tests.golden.case import Case, l2, stats


def enlarge(x: torch.Tensor, factor: int) -> torch.Tensor:
    """Pixel repetition."""
    return x.repeat_interleave(factor, dim=2).repeat_interleave(factor, dim=3)


def check_encoder(case: Case) -> dict:
    net = case.load(PSP(case.config["output_size"]))
    net.train(case.config["train"])
    seen: list[torch.Tensor] = []
    for module in [net.encoder.input_layer, *net.encoder.body]:
        module.register_forward_hook(lambda m, a, y: seen.append(y.detach()))
    x = enlarge(case.tensor("img_lowres"), case.config["nearest_up"])
    x.requires_grad_("grad_img_sub" in case.outputs)
    codes = net(x)
    out = {
        "codes_shape": np.array(codes.shape),
        "w": codes[:, 0],
        "block_mean": np.array([float(y.mean()) for y in seen]),
        "block_std": np.array([float(y.std()) for y in seen]),
        "block_shapes": np.array([y.shape for y in seen]),
    }
    names = case.manifest.get("vector_names", {})
    if "bn_running_mean_l2" in case.outputs:
        modules = dict(net.named_modules())
        out["bn_running_mean_l2"] = np.array([l2(modules[n].running_mean) for n in names["bn"]])
        out["bn_running_var_l2"] = np.array([l2(modules[n].running_var) for n in names["bn"]])
        out["bn_num_batches_tracked"] = np.array([int(modules[n].num_batches_tracked) for n in names["bn"]])
    if case.config.get("grad"):
        (codes * case.tensor("r")).sum().backward()
        params = dict(net.named_parameters())
        out["param_grad_l2"] = np.array([l2(params[n].grad) for n in names["param_grad_l2"]])
        if x.requires_grad:
            out |= _summary("grad_img", x.grad, case.outputs["grad_img_sub"])
    return out


def _summary(name: str, x: torch.Tensor, sub: np.ndarray) -> dict:
    stride = -(-x.shape[2] // sub.shape[2])
    mean, std, norm = stats(x)[:3]
    return {
        f"{name}_mean": np.array(mean),
        f"{name}_std": np.array(std),
        f"{name}_l2": np.array(norm),
        f"{name}_sub": x[:, :, ::stride, ::stride],
    }


def check_identity(case: Case) -> dict:
    net = case.load(IDLoss())
    up = case.config["nearest_up"]
    y = enlarge(case.tensor("y_lowres"), up)
    y_hat = enlarge(case.tensor("y_hat_lowres"), up).requires_grad_()
    loss = net(y_hat, y)
    loss.backward()
    assert y_hat.grad is not None
    out = {"emb_y": net.embed(y), "emb_yhat": net.embed(y_hat), "loss": loss}
    return out | _summary("grad_yhat", y_hat.grad, case.outputs["grad_yhat_sub"])


def load_lpips(case: Case, net: str, prefix: str = "") -> LPIPS:
    """LPIPS under either of its official naming schemes."""
    model = LPIPS(net)
    state = case.state(prefix=prefix)
    convs = [(i, m) for i, m in enumerate(model.features) if isinstance(m, torch.nn.Conv2d)]
    trunk = {name: value for name, value in state.items() if value.ndim in (1, 4) and "lin" not in name}
    weights = [(n, v) for n, v in trunk.items() if n.endswith("weight") and v.shape[0] > 1]
    biases = [(n, v) for n, v in trunk.items() if n.endswith("bias")]
    lins = [v for n, v in state.items() if v.ndim == 4 and v.shape[0] == 1 and v.shape[1] > 3]
    shifts = [v for n, v in state.items() if v.ndim == 4 and v.shape[:2] == (1, 3)]
    # The official VGG loss registers its linear layers twice; the second registration wins on loading.
    lins = lins[-len(LAYERS[net][1]) :]
    assert len(weights) == len(biases) == len(convs) and len(lins) == len(LAYERS[net][1]), sorted(state)
    with torch.no_grad():
        for (_, conv), (_, weight), (_, bias) in zip(convs, weights, biases, strict=True):
            conv.weight.copy_(weight)
            conv.bias.copy_(bias)
        for lin, weight in zip(model.lin, lins, strict=True):
            lin.weight.copy_(weight)
    torch.testing.assert_close(model.shift, shifts[0])
    torch.testing.assert_close(model.scale, shifts[1])
    return model


def check_lpips(case: Case) -> dict:
    net = load_lpips(case, case.config["net"])
    y_hat = case.tensor("y_hat").requires_grad_()
    value = net(y_hat, case.tensor("y"))
    value.mean().backward()
    assert y_hat.grad is not None
    shaped = value.reshape(case.outputs["value"].shape) if case.outputs["value"].ndim else value.mean()
    out = {"value": shaped, "loss": value.mean()}
    return out | _summary("grad", y_hat.grad, case.outputs["grad_sub"])


def check_loss(case: Case) -> dict:
    from styleinv.methods.inversion.loss import InversionLoss
    from styleinv.methods.stylegan2.synthesis import SynthesisNetwork

    psp = case.load(PSP(case.config["G"]["img_resolution"]), prefix="pSp.").train()
    synthesis = case.load(SynthesisNetwork(**case.config["G"]), prefix="G.").eval().requires_grad_(False)
    identity = case.load(IDLoss(), prefix="arcface.")
    lpips = load_lpips(case, "alex", prefix="lpips.")
    lam = case.config["lambdas"]
    loss = InversionLoss(
        psp,
        synthesis,
        l2_lambda=lam["l2_lambda"],
        lpips_lambda=lam["lpips_lambda"],
        id_lambda=lam["id_lambda"],
        lpips=lpips,
        identity=identity,
        noise_mode=case.config["noise_mode"],
    )
    x = enlarge(case.tensor("img_lowres"), case.config["nearest_up"])
    total, terms = loss(x)
    total.backward()
    params = dict(psp.named_parameters())
    return {
        "stat_l2": terms["l2"],
        "stat_lpips": terms["lpips"],
        "stat_id": terms["id"],
        "total": total,
        "param_grad_l2": np.array([l2(params[n].grad) for n in case.manifest["vector_names"]["param_grad_l2"]]),
        "grad_linear_bias": psp.encoder.linear.bias.grad,
    }


def check_ranger(case: Case) -> dict:
    names = case.config["params"]
    params = {n: torch.nn.Parameter(case.tensor(f"p0/{n}")) for n in names}
    optimizer = Ranger(params.values(), **case.config["kwargs"])
    path: dict[str, list] = {n: [] for n in names}
    for t in range(case.config["steps"]):
        for n, p in params.items():
            if case.config["mode"] == "given":
                p.grad = case.tensor(f"g/{n}")[t].clone()
            else:
                p.grad = case.tensor(f"A/{n}") * (p.detach() - case.tensor(f"b/{n}"))
        optimizer.step()
        for n, p in params.items():
            path[n].append(p.detach().numpy().copy())
    return {f"p/{n}": np.stack(v) for n, v in path.items()}


CHECKERS = {
    "inversion/encoder": check_encoder,
    "inversion/identity_loss": check_identity,
    "inversion/lpips": check_lpips,
    "inversion/loss": check_loss,
    "inversion/ranger": check_ranger,
}
