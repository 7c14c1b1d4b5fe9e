"""C8, C9: generator and discriminator against their textbook forms, float32."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from benchmarks import textbook
from benchmarks.networks import LATENT, RESOLUTION, discriminator, generator
from benchmarks.rows import at_least, row
from benchmarks.timing import assert_equal, ratio
from styleinv.training.adversarial import squared_gradient

BATCH = 2


def gradients(result: Tensor, inputs: Sequence[Tensor], grad: Tensor | None = None) -> Tensor:
    """Back-propagate and put the gradients together."""
    return torch.cat([g.flatten() for g in torch.autograd.grad(result, inputs, grad)])


def compared(name: str, peer: Callable[[], Tensor], ours: Callable[[], Tensor], limit: float) -> float:
    """Return the ratio of two calls of equal results."""
    assert_equal(name, ours(), peer(), limit)
    return ratio(peer, ours, 3)


@row(
    "C8",
    "frozen generator, four images of 64², forward and backward to w, against one weight tensor a sample",
    at_least("forward and backward", 1.6, 2.2),
)
def frozen() -> list[float]:
    """Measure the generator as StyleInV and the inversion use it; the peer is one grouped convolution a layer."""
    torch.manual_seed(0)
    net = generator(64).eval().synthesis
    ws = torch.randn(4, net.num_ws, LATENT, requires_grad=True)
    grad = torch.randn(4, 3, 64, 64)
    return [
        compared(
            "frozen generator",
            lambda: gradients(textbook.synthesis(net, ws, True), [ws], grad),
            lambda: gradients(net(ws, noise_mode="const"), [ws], grad),
            1e-3,
        )
    ]


@row(
    "C9",
    f"networks at 256², {BATCH} images, against textbook forms",
    at_least("G forward", 1.1, 1.4),
    at_least("G forward and backward", 1.1, 1.3),
    at_least("D forward", 1.3, 1.5),
    at_least("D forward and backward", 1.05, 1.25),
    at_least("R1", 1.1, 1.3),
    at_least("path length", 1.1, 1.35),
    reason="Dense convolutions are 91 % of D's forward pass and three quarters of G's, and the same in both forms; the"
    " limits suppose that channels-last makes them faster, which it does not on this CPU.",
)
def networks() -> list[float]:
    """Measure as in training: the peer scales inputs and outputs, and forms weights of samples for their norms."""
    torch.manual_seed(0)
    G, D = generator().train().synthesis, discriminator().train()
    ws, images = torch.randn(BATCH, G.num_ws, LATENT), torch.randn(BATCH, 3, RESOLUTION, RESOLUTION)
    direction = torch.randn_like(images) / RESOLUTION
    forms: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
        "G": (lambda w: textbook.synthesis(G, w, False), lambda w: G(w, noise_mode="const")),
        "D": (lambda x: textbook.discriminate(D, x), D),
    }

    def step(net: torch.nn.Module, form: Callable[[Tensor], Tensor], x: Tensor, second: bool) -> Tensor:
        parameters = list(net.requires_grad_(True).parameters())
        if second:
            x = x.detach().requires_grad_()
            y = form(x)
            if net is G:
                lengths = squared_gradient((y * direction).flatten(1).sum(dim=1), x) / G.num_ws
                loss = (lengths.sqrt() - 1).square().sum()
            else:
                loss = squared_gradient(y[:, 0], x).sum()
        else:
            loss = form(x).mean()
        # Biases that are only added have no gradient of the gradient.
        grads = torch.autograd.grad(loss, parameters, allow_unused=True)
        net.requires_grad_(False)
        return torch.cat([g.flatten() for g in grads if g is not None])

    def forward(name: str, x: Tensor) -> float:
        peer, ours = forms[name]
        return compared(f"{name} forward", lambda: peer(x), lambda: ours(x), 1e-4)

    def backward(name: str, x: Tensor, second: bool) -> float:
        (peer, ours), net = forms[name], G if name == "G" else D
        what = f"{name}'s gradients{' of gradients' if second else ''}"
        return compared(what, lambda: step(net, peer, x, second), lambda: step(net, ours, x, second), 0.02)

    return [
        forward("G", ws),
        backward("G", ws, False),
        forward("D", images),
        backward("D", images, False),
        backward("D", images, True),
        backward("G", ws, True),
    ]
