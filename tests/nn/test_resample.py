"""Resampling, grid sampling and modulation against slow, independent implementations, and their derivatives."""

import itertools

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from styleinv.nn.conv import conv2d_resample, modulated_conv2d
from styleinv.nn.grid_sample import grid_sample
from styleinv.nn.resample import downsample2d, setup_filter, upfirdn2d, upsample2d
from tests.golden.oracles.stylegan2 import filter2d

GENERATOR = np.random.default_rng(0)


def slow_upfirdn(
    x: np.ndarray,
    f: np.ndarray,
    up: tuple[int, int],
    down: tuple[int, int],
    padding: tuple[int, int, int, int],
    flip: bool,
    gain: float,
) -> np.ndarray:
    """The definition, sample by sample, in float64: y[i, j] = gain * sum f[k, l] * z[i * down + k, j * down + l]."""
    n, c, h, w = x.shape
    z = np.zeros((n, c, h * up[1], w * up[0]))
    z[:, :, :: up[1], :: up[0]] = x
    x0, x1, y0, y1 = padding
    z = np.pad(z, [(0, 0), (0, 0), (max(y0, 0), max(y1, 0)), (max(x0, 0), max(x1, 0))])
    z = z[:, :, max(-y0, 0) : z.shape[2] - max(-y1, 0), max(-x0, 0) : z.shape[3] - max(-x1, 0)]
    taps = f if flip else f[::-1, ::-1]
    rows = range(0, z.shape[2] - taps.shape[0] + 1, down[1])
    columns = range(0, z.shape[3] - taps.shape[1] + 1, down[0])
    y = np.zeros((n, c, len(rows), len(columns)))
    for (i, row), (j, column) in itertools.product(enumerate(rows), enumerate(columns)):
        window = z[:, :, row : row + taps.shape[0], column : column + taps.shape[1]]
        y[:, :, i, j] = (window * taps).sum(axis=(2, 3)) * gain
    return y


def random_case(seed: int) -> dict:
    """Odd shapes, factors 1 to 3 per axis, paddings -2 to 5, filters of any shape."""
    rng = np.random.default_rng(seed)
    return {
        "x": rng.standard_normal((2, 3, int(rng.integers(9, 13)), int(rng.integers(9, 13)))),
        "f": rng.standard_normal((int(rng.integers(1, 6)), int(rng.integers(1, 6)))),
        "up": tuple(int(v) for v in rng.integers(1, 4, 2)),
        "down": tuple(int(v) for v in rng.integers(1, 4, 2)),
        "padding": tuple(int(v) for v in rng.integers(-2, 6, 4)),
        "flip": bool(rng.integers(2)),
        "gain": float(rng.uniform(0.5, 4)),
    }


@pytest.mark.parametrize("seed", range(60))
def test_upfirdn_is_its_definition(seed: int) -> None:
    case = random_case(seed)
    want = slow_upfirdn(**case)
    got = upfirdn2d(
        torch.from_numpy(case["x"]),
        torch.from_numpy(case["f"]),
        case["up"],
        case["down"],
        case["padding"],
        case["flip"],
        case["gain"],
    )
    np.testing.assert_allclose(got.numpy(), want, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("length", [1, 2, 3, 4, 12])
@pytest.mark.parametrize("flip", [False, True])
def test_wrappers(length: int, flip: bool) -> None:
    """filter2d keeps the size, upsample2d and downsample2d change it by their factor; separable taps are products."""
    taps = GENERATOR.standard_normal(length)
    f = setup_filter(taps.tolist(), normalize=False, separable=length >= 8).double()
    square = np.outer(f, f) if f.ndim == 1 else f.numpy()
    x = GENERATOR.standard_normal((1, 2, 8, 6))
    data = torch.from_numpy(x)
    k = length
    same = (k // 2, (k - 1) // 2)
    for function, up, down, pad, gain in (
        (filter2d, 1, 1, same, 1.0),
        (upsample2d, 2, 1, ((k + 1) // 2, (k - 2) // 2), 4.0),
        (downsample2d, 1, 2, ((k - 1) // 2, (k - 2) // 2), 1.0),
    ):
        want = slow_upfirdn(x, square, (up, up), (down, down), (*pad, *pad), flip, gain)
        got = function(data, f, flip_filter=flip)
        assert got.shape[2:] == (8 * up // down, 6 * up // down)
        np.testing.assert_allclose(got.numpy(), want, rtol=1e-5, atol=1e-6 if length == 12 else 1e-12)


def test_filters_are_prepared_as_described() -> None:
    f = setup_filter([1, 3, 3, 1])
    torch.testing.assert_close(f, torch.outer(torch.tensor([1.0, 3, 3, 1]), torch.tensor([1.0, 3, 3, 1])) / 64)
    assert setup_filter(list(range(8))).ndim == 1 and setup_filter(list(range(7))).ndim == 2
    torch.testing.assert_close(
        setup_filter([1.0, 2], flip_filter=True, normalize=False), torch.tensor([[4.0, 2], [2, 1]])
    )
    torch.testing.assert_close(setup_filter([2.0] * 8, gain=9), torch.full([8], 3 / 8))
    assert setup_filter(None).shape == (1, 1)


@pytest.mark.parametrize("seed", range(12))
def test_upfirdn_gradients_of_first_and_second_order(seed: int) -> None:
    case = random_case(seed)
    x = torch.from_numpy(case["x"][:1, :1]).requires_grad_()
    f = torch.from_numpy(case["f"])

    def function(data: torch.Tensor) -> torch.Tensor:
        # The square makes the second derivative depend on the data.
        return upfirdn2d(data, f, case["up"], case["down"], case["padding"], case["flip"], case["gain"]).square()

    assert gradcheck(function, (x,)) and gradgradcheck(function, (x,))


def test_grid_sample_gradients_of_first_and_second_order() -> None:
    """Also for points outside; the grid gets no gradient."""
    x = torch.randn(2, 2, 5, 4, dtype=torch.float64, requires_grad=True)
    grid = torch.rand(2, 3, 6, 2, dtype=torch.float64) * 2.6 - 1.3

    def function(data: torch.Tensor) -> torch.Tensor:
        return grid_sample(data, grid).pow(3)

    assert gradcheck(function, (x,)) and gradgradcheck(function, (x,))
    want = torch.nn.functional.grid_sample(x, grid, align_corners=False)
    torch.testing.assert_close(grid_sample(x, grid), want)
    free = grid.clone().requires_grad_()
    grid_sample(x, free).sum().backward()
    assert free.grad is None


def textbook_modulated_conv(
    x: torch.Tensor, weight: torch.Tensor, styles: torch.Tensor, demodulate: bool, up: int, f: torch.Tensor
) -> torch.Tensor:
    """Karras et al. 2020, Eqs. 1 and 3: a weight per sample, a convolution per sample."""
    out = []
    for image, style in zip(x, styles, strict=True):
        w = weight * style[None, :, None, None]
        if demodulate:
            w = w / (w.square().sum(dim=[1, 2, 3], keepdim=True) + 1e-8).sqrt()
        padding = weight.shape[2] // 2
        if up == 1:
            out.append(torch.nn.functional.conv2d(image[None], w, padding=padding))
            continue
        # Up-sampling: zeros between pixels, the FIR filter, then a convolution (the kernel is flipped).
        big = image.new_zeros(1, image.shape[0], image.shape[1] * up, image.shape[2] * up)
        big[:, :, ::up, ::up] = image
        left, right = (f.shape[0] + up - 1) // 2, (f.shape[0] - up) // 2
        smooth = slow_upfirdn(big.detach().numpy(), f.numpy(), (1, 1), (1, 1), (left, right) * 2, False, float(up**2))
        out.append(torch.nn.functional.conv2d(torch.from_numpy(smooth), w.flip([2, 3]), padding=padding))
    return torch.cat(out)


@pytest.mark.parametrize("demodulate", [True, False])
@pytest.mark.parametrize("up", [1, 2])
@pytest.mark.parametrize("size", [1, 3])
def test_modulated_convolution_is_the_textbook_form(demodulate: bool, up: int, size: int) -> None:
    torch.manual_seed(0)
    x, styles = torch.randn(3, 4, 6, 6, dtype=torch.float64), torch.randn(3, 4, dtype=torch.float64)
    weight = torch.randn(5, 4, size, size, dtype=torch.float64)
    f = setup_filter([1, 3, 3, 1]).double()
    want = textbook_modulated_conv(x, weight, styles, demodulate, up, f)
    noise = torch.randn(3, 1, *want.shape[2:], dtype=torch.float64)
    got = modulated_conv2d(
        *(x, weight, styles, noise),
        up=up,
        padding=size // 2,
        resample_filter=f,
        demodulate=demodulate,
        flip_weight=up == 1,
        gain=1.5,
    )
    # Zero padding comes before the filter, so a 3x3 kernel sees other borders than the two-step form.
    edge = 2 if up > 1 and size > 1 else 0
    inside = slice(edge, want.shape[2] - edge)
    torch.testing.assert_close(got[..., inside, inside], ((want + noise) * 1.5)[..., inside, inside])


def test_modulated_convolution_gradients_of_second_order() -> None:
    torch.manual_seed(0)
    f = setup_filter([1, 3, 3, 1]).double()
    arguments = [torch.randn(*s, dtype=torch.float64, requires_grad=True) for s in ((2, 2, 3, 3), (2, 2, 3, 3), (2, 2))]

    def function(x: torch.Tensor, w: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
        return modulated_conv2d(x, w, s, up=2, padding=1, resample_filter=f, flip_weight=False)

    assert gradcheck(function, arguments) and gradgradcheck(function, arguments)


@pytest.mark.parametrize("up,down,size", list(itertools.product([1, 2], [1, 2], [1, 3])))
def test_resampling_convolution_is_its_slow_form(up: int, down: int, size: int) -> None:
    """conv2d_resample takes shortcuts; the slow form pads, filters, convolves, filters and decimates."""
    torch.manual_seed(0)
    x, w = torch.randn(1, 4, 8, 8, dtype=torch.float64), torch.randn(3, 4, size, size, dtype=torch.float64)
    f = setup_filter([1, 3, 3, 1]).double()
    pad0, pad1 = size // 2, size // 2
    if up > 1:
        pad0, pad1 = pad0 + (4 + up - 1) // 2, pad1 + (4 - up) // 2
    if down > 1:
        pad0, pad1 = pad0 + (4 - down + 1) // 2, pad1 + (4 - down) // 2
    taps, one = f.numpy(), np.ones((1, 1))
    big = slow_upfirdn(x.numpy(), taps if up > 1 else one, (up, up), (1, 1), (pad0, pad1) * 2, False, float(up**2))
    y = torch.nn.functional.conv2d(torch.from_numpy(big), w)
    small = slow_upfirdn(y.numpy(), taps if down > 1 else one, (1, 1), (down, down), (0, 0, 0, 0), False, 1.0)
    got = conv2d_resample(x, w, f, up, down, padding=size // 2)
    np.testing.assert_allclose(got.numpy(), small, rtol=1e-10, atol=1e-12)
