"""Ranger: rectified Adam with look-ahead and gradient centralisation, the optimiser of pSp's encoder."""

import math
from collections import defaultdict

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
            # In lists, each operation of which is one launch on a GPU; parameters of one list took equally many steps.
            alike = defaultdict(list)
            for p in group["params"]:
                if p.grad is not None:
                    alike[self._state_of(p)["step"]].append(p)
            for params in alike.values():
                self._update(params, group)
        return loss

    def _state_of(self, p: torch.Tensor) -> dict:
        state = self.state[p]
        if not state:
            state["step"] = 0
            state["exp_avg"] = torch.zeros_like(p)
            state["exp_avg_sq"] = torch.zeros_like(p)
            state["slow_buffer"] = p.clone()
        return state

    def _centred(self, grad: torch.Tensor) -> torch.Tensor:
        if grad.ndim <= self.min_ndim:
            return grad
        return grad - grad.mean(dim=tuple(range(1, grad.ndim)), keepdim=True)

    def _update(self, params: list[torch.Tensor], group: dict) -> None:
        states = [self.state[p] for p in params]
        for state in states:
            state["step"] += 1
        t, (beta1, beta2), lr = states[0]["step"], group["betas"], group["lr"]
        m, v, slow = ([state[name] for state in states] for name in ("exp_avg", "exp_avg_sq", "slow_buffer"))
        grads = [self._centred(p.grad) for p in params if p.grad is not None]
        torch._foreach_mul_(m, beta1)
        torch._foreach_add_(m, grads, alpha=1 - beta1)
        torch._foreach_mul_(v, beta2)
        torch._foreach_addcmul_(v, grads, grads, value=1 - beta2)

        n_max = 2 / (1 - beta2) - 1
        n = n_max - 2 * t * beta2**t / (1 - beta2**t)
        if group["weight_decay"]:
            torch._foreach_add_(params, params, alpha=-group["weight_decay"] * lr)
        if n > self.threshold:
            rectify = math.sqrt((1 - beta2**t) * (n - 4) / (n_max - 4) * (n - 2) / n * n_max / (n_max - 2))
            scale = torch._foreach_sqrt(v)
            torch._foreach_add_(scale, group["eps"])
            torch._foreach_addcdiv_(params, m, scale, value=-lr * rectify / (1 - beta1**t))
        else:
            torch._foreach_add_(params, m, alpha=-lr / (1 - beta1**t))
        if t % self.k == 0:
            torch._foreach_add_(slow, torch._foreach_sub(params, slow), alpha=self.alpha)
            torch._foreach_copy_(params, slow)
