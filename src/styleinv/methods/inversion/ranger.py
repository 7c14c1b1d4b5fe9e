"""Ranger: rectified Adam with look-ahead and gradient centralisation, the optimiser of pSp's encoder."""

import math

import torch
from torch.optim import Optimizer


class Ranger(Optimizer):
    """RAdam (Liu et al. 2020) + Lookahead (Zhang et al. 2019) + gradient centralisation (Yong et al. 2020).

    Args:
        alpha, k: every k-th step the slow weights move by alpha towards the fast ones, which restart there.
        N_sma_threshhold: below it the adaptive denominator is left out.
    """

    def __init__(
        self,
        params,
        lr: float = 1e-3,
        alpha: float = 0.5,
        k: int = 6,
        N_sma_threshhold: float = 5,
        betas: tuple[float, float] = (0.95, 0.999),
        eps: float = 1e-5,
        weight_decay: float = 0,
        gc_conv_only: bool = False,
    ):
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, defaults)
        self.alpha, self.k, self.threshold = alpha, k, N_sma_threshhold
        self.min_ndim = 3 if gc_conv_only else 1

    @torch.no_grad()
    def step(self, closure=None):
        """One update of every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._update(p, p.grad, group)
        return loss

    def _update(self, p: torch.Tensor, grad: torch.Tensor, group: dict) -> None:
        state = self.state[p]
        if not state:
            state["step"] = 0
            state["exp_avg"] = torch.zeros_like(p)
            state["exp_avg_sq"] = torch.zeros_like(p)
            state["slow_buffer"] = p.clone()
        if grad.ndim > self.min_ndim:
            grad = grad - grad.mean(dim=tuple(range(1, grad.ndim)), keepdim=True)
        state["step"] += 1
        t, (beta1, beta2), lr = state["step"], group["betas"], group["lr"]
        m = state["exp_avg"].mul_(beta1).add_(grad, alpha=1 - beta1)
        v = state["exp_avg_sq"].mul_(beta2).addcmul_(grad, grad, value=1 - beta2)

        n_max = 2 / (1 - beta2) - 1
        n = n_max - 2 * t * beta2**t / (1 - beta2**t)
        if group["weight_decay"]:
            p.add_(p, alpha=-group["weight_decay"] * lr)
        if n > self.threshold:
            rectify = math.sqrt((1 - beta2**t) * (n - 4) / (n_max - 4) * (n - 2) / n * n_max / (n_max - 2))
            p.addcdiv_(m, v.sqrt().add_(group["eps"]), value=-lr * rectify / (1 - beta1**t))
        else:
            p.add_(m, alpha=-lr / (1 - beta1**t))
        if t % self.k == 0:
            slow = state["slow_buffer"]
            slow.add_(p - slow, alpha=self.alpha)
            p.copy_(slow)
