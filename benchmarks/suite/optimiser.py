"""C14: what follows the gradients of a step: replacing what is not finite, Adam, the average of the weights."""

import copy

import torch
from torch import nn

from benchmarks.networks import generator
from benchmarks.rows import at_least, at_most, row
from benchmarks.timing import assert_equal, median_seconds, ratio
from styleinv.training.ema import update_ema
from styleinv.training.method import Parts, Phase
from styleinv.training.schedule import adam
from styleinv.training.update import step_optimizer

BETA = 0.998


def _parts(net: nn.Module) -> Parts:
    optimizer = adam(net.parameters(), 2e-3, (0.0, 0.99))
    return Parts(modules={"G": net}, averages={}, optimizers={"G": optimizer})


@row(
    "C14",
    "gradients made finite, Adam and the average of G's 24.8 million weights, against loops over tensors",
    at_least("against loops", 2.2, 2.7),
    at_most("time", 22, 18, "ms"),
    reason="The milliseconds are those of a quiet machine on which the loops took 49; the ratio is what carries over.",
)
def update() -> list[float]:
    """Measure the three together, as they follow each other in a step."""
    torch.manual_seed(0)
    ours, peer = generator().requires_grad_(True), generator().requires_grad_(True)
    peer.load_state_dict(ours.state_dict())
    for a, b in zip(ours.parameters(), peer.parameters(), strict=True):
        a.grad = torch.randn_like(a) / 100
        b.grad = a.grad.clone()
    averages = [copy.deepcopy(net).requires_grad_(False) for net in (ours, peer)]
    parts, phase = _parts(ours), Phase("Gmain", "G", lambda *_: iter(()))
    loops = torch.optim.Adam(peer.parameters(), lr=2e-3, betas=(0.0, 0.99), eps=1e-8, foreach=False, fused=False)

    def fast() -> None:
        step_optimizer(parts, phase, [p.grad for p in ours.parameters() if p.grad is not None])
        update_ema(averages[0], ours, BETA)

    @torch.no_grad()
    def textbook() -> None:
        for p in peer.parameters():
            assert p.grad is not None
            torch.nan_to_num(p.grad, nan=0, posinf=1e5, neginf=-1e5, out=p.grad)
        loops.step()
        for kept, current in zip(averages[1].parameters(), peer.parameters(), strict=True):
            kept.copy_(current.lerp(kept, BETA))
        for kept, current in zip(averages[1].buffers(), peer.buffers(), strict=True):
            kept.copy_(current)

    fast()
    textbook()
    for a, b in zip(
        [*ours.parameters(), *averages[0].parameters()], [*peer.parameters(), *averages[1].parameters()], strict=True
    ):
        assert_equal("weights", a.detach(), b.detach(), 1e-4)
    return [ratio(textbook, fast, 15), 1000 * median_seconds(fast, 15)]
