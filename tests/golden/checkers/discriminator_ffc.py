"""Checker of the kind `styleinv/discriminator_ffc`."""

import numpy as np
import torch
import torch.nn.functional as F

from styleinv.methods.styleinv.discriminator_ffc import FirstFrameDiscriminator
from tests.golden.case import Case, l2, stats
from tests.golden.checkers.styleinv import discriminator_options


def check_discriminator(case: Case) -> dict:
    cfg = case.config
    net = case.load(FirstFrameDiscriminator(**discriminator_options(cfg["res"], cfg["cfg"], cfg["kw"])))
    t, img = case.tensor("t") * (cfg["cfg"]["sampling"]["max_num_frames"] - 1), case.tensor("img")
    clips = img.reshape(t.shape[0], -1, *img.shape[2:]).requires_grad_()
    params, order = dict(net.named_parameters()), case.manifest["param_order"]

    def norms(loss: torch.Tensor, absent: float) -> np.ndarray:
        grads = torch.autograd.grad(loss, list(params.values()), allow_unused=True, retain_graph=True)
        by_name = dict(zip(params, grads, strict=True))
        return np.array([l2(by_name[n], absent) for n in order])

    logits = net(clips, t)
    (grad,) = torch.autograd.grad(logits.sum(), clips, create_graph=True)
    r1 = grad.square().sum(dim=[1, 2, 3])
    return {
        "logits": logits,
        "softplus_param_grad_l2": norms(F.softplus(logits).mean(), float("nan")),
        "r1_param_grad_l2": norms(r1.mean(), 0.0),
        "r1_per_video": r1,
        "grad_img_stats": stats(grad.reshape(img.shape)),
    }


CHECKERS = {"styleinv/discriminator_ffc": check_discriminator}
