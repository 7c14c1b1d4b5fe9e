"""Convolutions in channels-last against PyTorch's, with their gradients of first and second order."""

import pytest
import torch
from torch import Tensor, nn

from styleinv.nn import channels_last
from styleinv.nn.channels_last import Conv2d

# Inputs, outputs, height, width, kernel, stride, padding.
CASES = [
    (3, 4, 7, 9, 3, 1, 1),
    (3, 4, 7, 9, 3, 2, 0),
    (3, 4, 8, 8, 3, 2, 1),
    (3, 4, 7, 9, 3, 1, (0, 1)),
    (3, 4, 8, 11, 4, 2, (1, 0)),
    (3, 4, 10, 11, 3, 3, 0),
    (5, 4, 9, 9, 5, 3, 2),
    (3, 2, 6, 7, 1, 1, 0),
    (3, 2, 6, 7, 1, 2, 0),
]


def everything(net: nn.Conv2d, x: Tensor) -> list[Tensor]:
    """Return what a convolution gives, its gradients, and the gradients of a function of these."""
    y = net(x)
    numbers = torch.arange(y.numel(), dtype=y.dtype).cos().reshape(y.shape)
    first = torch.autograd.grad((y.square() * numbers).sum(), [x, net.weight, net.bias], create_graph=True)
    second = torch.autograd.grad(sum(g.square().sum() for g in first), [x, net.weight, net.bias])
    return [y, *first, *second]


@pytest.mark.parametrize("large", [0, channels_last.LARGE], ids=["products", "oneDNN"])
@pytest.mark.parametrize(("inputs", "outputs", "height", "width", "kernel", "stride", "padding"), CASES)
def test_values_and_gradients_are_those_of_pytorch(
    monkeypatch: pytest.MonkeyPatch,
    large: int,
    inputs: int,
    outputs: int,
    height: int,
    width: int,
    kernel: int,
    stride: int,
    padding: int | tuple[int, int],
) -> None:
    monkeypatch.setattr(channels_last, "LARGE", large)
    torch.manual_seed(0)
    ours = Conv2d(inputs, outputs, kernel, stride, padding)
    exact = nn.Conv2d(inputs, outputs, kernel, stride, padding).double()
    exact.load_state_dict(ours.state_dict())
    x = torch.randn(2, inputs, height, width, requires_grad=True)
    got, want = everything(ours, x), everything(exact, x.detach().double().requires_grad_())
    for a, b in zip(got, want, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-5, atol=1e-5 * float(b.detach().abs().max()))
    assert got[0].is_contiguous(memory_format=torch.channels_last)


def test_large_gradients_are_exact_to_rounding() -> None:
    torch.manual_seed(0)
    ours, x, g = Conv2d(16, 16, 3, padding=1), torch.randn(4, 16, 192, 192), torch.randn(4, 16, 192, 192)
    assert 9 * 16 * g.numel() > channels_last.LARGE
    exact = nn.Conv2d(16, 16, 3, padding=1).double()
    exact.load_state_dict(ours.state_dict())
    got = torch.autograd.grad(ours(x), [ours.weight], g)[0].double()
    want = torch.autograd.grad(exact(x.double()), [exact.weight], g.double())[0]
    # PyTorch's own sum over so many pixels is some 5e-6 away.
    assert (got - want).norm() < 1e-6 * want.norm()


def test_other_types_are_left_to_pytorch() -> None:
    ours, x = Conv2d(3, 4, 3, padding=1), torch.randn(2, 3, 8, 8)
    plain = nn.Conv2d(3, 4, 3, padding=1)
    plain.load_state_dict(ours.state_dict())
    with torch.autocast("cpu", torch.bfloat16):
        y = ours(x)
        assert y.dtype == torch.bfloat16 and torch.equal(y, plain(x))
    assert torch.equal(ours.double()(x.double()), plain.double()(x.double()))
