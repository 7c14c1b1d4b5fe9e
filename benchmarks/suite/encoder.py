"""C5, C6: the modulated encoder on one video of four frames, against one that sees the image once for every frame."""

from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.networks import FRAMES, LATENT, RESOLUTION, motion_generator
from benchmarks.rows import at_least, row
from benchmarks.textbook import encode
from benchmarks.timing import assert_equal, ratio
from styleinv.nn.precision import Precision, computing


def compare(precision: Precision, limit: float, limit_of_gradients: float) -> list[float]:
    """Return the ratios of the forward pass, and of forward and backward in training mode, to float32 textbook form."""
    torch.manual_seed(0)
    net = motion_generator().encoder.train()
    # Backward passes begin with a gradient of the size that losses give.
    x, s, grad = torch.randn(1, 3, RESOLUTION, RESOLUTION), torch.randn(FRAMES, LATENT), torch.randn(FRAMES, LATENT)
    parameters = list(net.parameters())

    def ours() -> Tensor:
        with computing(precision, x.device):
            return net(x, s)

    def peer() -> Tensor:
        return encode(net, x, s)

    def backward(forward: Callable[[], Tensor]) -> Tensor:
        net.requires_grad_(True)
        grads = torch.autograd.grad(forward(), parameters, grad)
        net.requires_grad_(False)
        return torch.cat([g.flatten() for g in grads])

    assert_equal("encoder", ours(), peer(), limit)
    assert_equal("encoder's gradients", backward(ours), backward(peer), limit_of_gradients)
    return [ratio(peer, ours, 3), ratio(lambda: backward(peer), lambda: backward(ours), 3)]


@row(
    "C5",
    "modulated encoder, one video of four frames at 256², float32, against the repeated image",
    at_least("forward", 1.25, 1.45),
    at_least("forward and backward", 1.2, 1.4),
)
def float32() -> list[float]:
    """Measure in float32; gradients of both forms are 0.0018 from those in float64, by rounding."""
    return compare("float32", 1e-5, 5e-3)


@row(
    "C6",
    "the same in bfloat16, against the repeated image in float32",
    at_least("forward", 2.4, 3),
    at_least("forward and backward", 1.9, 2.4),
)
def bfloat16() -> list[float]:
    """Measure with products in bfloat16, whose rounding the limits allow."""
    return compare("bfloat16", 0.02, 0.15)
