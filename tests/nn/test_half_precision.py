"""Half precision: images and gradients near float32's, overflow caught, second derivatives finite."""

import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from styleinv.methods.stylegan2.discriminator import Discriminator
from styleinv.methods.stylegan2.loss import StyleGAN2Loss
from styleinv.methods.stylegan2.synthesis import Generator
from styleinv.nn.augment import PIPES, AugmentPipe
from styleinv.nn.conv import modulated_conv2d
from styleinv.nn.video_discriminator import VideoDiscriminator
from styleinv.training.draws import Draws

HALVES = ["float16", "bfloat16"]
# Relative l2 errors against float32. A rounding costs 2^-11 or 2^-8; single gradients also flip at leaky-ReLU kinks.
IMAGE = {"float16": 5e-3, "bfloat16": 4e-2}
GRADIENT = {"float16": 2e-2, "bfloat16": 1.5e-1}
SECOND = {"float16": 6e-2, "bfloat16": 5e-1}
WIDTHS = {"channel_base": 512, "channel_max": 16, "conv_clamp": 256.0}


def networks(num_fp16_res: int, half: str) -> tuple[Generator, Discriminator]:
    """The same weights whatever the precision; at 64 x 64 the highest `num_fp16_res` resolutions are in half."""
    torch.manual_seed(0)
    options = WIDTHS | {"num_fp16_res": num_fp16_res, "half_dtype": half}
    G = Generator(16, 16, 64, mapping_kwargs={"num_layers": 2}, synthesis_kwargs=options)
    D = Discriminator(64, epilogue_kwargs={"mbstd_group_size": 2}, **options)
    return G, D


def error(got: Tensor, want: Tensor) -> float:
    return float((got - want).norm() / want.norm())


def gradients(net: nn.Module) -> Tensor:
    return torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None])


def check_precision(got: list[Tensor], want: list[Tensor], half: str) -> None:
    """Images and logits, then gradients; they differ from float32's at all, so half precision was in use."""
    assert 0 < error(got[0], want[0]) < IMAGE[half]
    for a, b in zip(got[1:], want[1:], strict=True):
        assert a.dtype == torch.float32 and a.isfinite().all()
        assert 0 < error(a, b) < GRADIENT[half]


@pytest.mark.parametrize("half", HALVES)
def test_generator(half: str) -> None:
    def run(num_fp16_res: int) -> list[Tensor]:
        G, _ = networks(num_fp16_res, half)
        z = torch.randn(4, 16, generator=torch.Generator().manual_seed(1)).requires_grad_()
        image = G(z, noise_mode="const")
        image.square().mean().backward()
        assert z.grad is not None
        return [image.detach(), z.grad, gradients(G)]

    check_precision(run(3), run(0), half)


@pytest.mark.parametrize("half", HALVES)
def test_discriminator(half: str) -> None:
    def run(num_fp16_res: int) -> list[Tensor]:
        _, D = networks(num_fp16_res, half)
        image = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(1)).requires_grad_()
        logits = D(image)
        torch.nn.functional.softplus(logits).mean().backward()
        assert image.grad is not None
        return [logits.detach(), image.grad, gradients(D)]

    check_precision(run(3), run(0), half)


@pytest.mark.parametrize("half", HALVES)
def test_video_discriminator(half: str) -> None:
    def run(num_fp16_res: int) -> list[Tensor]:
        torch.manual_seed(0)
        D = VideoDiscriminator(64, mbstd_group_size=2, num_fp16_res=num_fp16_res, half_dtype=half, **WIDTHS)
        clips = torch.randn(2, 12, 64, 64, generator=torch.Generator().manual_seed(1)).requires_grad_()
        logits = D(clips, torch.tensor([[0.0, 1, 5, 9], [0, 3, 4, 30]]))
        logits.mean().backward()
        assert clips.grad is not None
        return [logits.detach(), clips.grad, gradients(D)]

    check_precision(run(3), run(0), half)


@pytest.mark.parametrize("half", HALVES)
def test_force_fp32_is_float32(half: str) -> None:
    G, D = networks(3, half)
    G32, D32 = networks(0, half)
    ws = G.mapping(torch.randn(2, 16))
    image = G.synthesis(ws, noise_mode="const", force_fp32=True)
    assert torch.equal(image, G32.synthesis(ws, noise_mode="const"))
    assert torch.equal(D(image, force_fp32=True), D32(image))


def test_only_the_highest_resolutions_are_in_half() -> None:
    G, D = networks(3, "bfloat16")
    seen: dict[str, torch.dtype] = {}
    for name, net in (("G", G.synthesis), ("D", D)):
        for r in (4, 8, 16, 32, 64):
            block = getattr(net, f"b{r}")
            layer = block.conv if name == "D" and r == 4 else block.conv1
            layer.register_forward_hook(lambda m, a, y, key=f"{name}{r}": seen.update({key: y.dtype}))
    D(G(torch.randn(2, 16)))
    half = {key for key, dtype in seen.items() if dtype == torch.bfloat16}
    assert half == {f"{name}{r}" for name in "GD" for r in (16, 32, 64)} and len(seen) == 10


@pytest.mark.parametrize("half", HALVES)
def test_clamp_catches_what_grows(half: str) -> None:
    """Weights so large that float16 sums overflow: images, scores and gradients stay finite."""
    G, D = networks(3, half)
    with torch.no_grad():
        for r in (16, 32, 64):
            getattr(G.synthesis, f"b{r}").torgb.weight.mul_(1e4)
            getattr(D, f"b{r}").conv0.weight.mul_(1e3)
    largest: list[float] = []
    for r in (16, 32, 64):
        for layer in (getattr(G.synthesis, f"b{r}").torgb, getattr(D, f"b{r}").conv0):
            layer.register_forward_hook(lambda m, a, y: largest.append(float(y.detach().abs().max())))
    image = G(torch.randn(2, 16))
    logits = D(image)
    assert image.isfinite().all() and logits.isfinite().all()
    assert max(largest) == 256 and len(largest) == 6
    logits.sum().backward()
    assert gradients(D).isfinite().all()


def test_float16_modulation_is_normalised_beforehand() -> None:
    """Styles and weights whose products overflow float16 cancel in the demodulation."""
    torch.manual_seed(0)
    x, w, s = torch.randn(2, 64, 8, 8), torch.randn(8, 64, 3, 3) * 300, torch.randn(2, 64) * 300
    want = modulated_conv2d(x, w, s, padding=1)
    got = modulated_conv2d(x.half(), w, s, padding=1)
    assert got.dtype == torch.float16 and error(got.float(), want) < IMAGE["float16"]


@pytest.mark.parametrize("half", HALVES)
def test_path_length_and_r1_through_augmentation(half: str) -> None:
    """Both need second derivatives of every layer; the penalties agree with float32's."""

    def run(num_fp16_res: int) -> list[Tensor]:
        G, D = networks(num_fp16_res, half)
        pipe = AugmentPipe(**PIPES["bgc"])
        pipe.p = 0.8
        augment = lambda images, generator: pipe(images, generator=generator)  # noqa: E731
        loss = StyleGAN2Loss(G, D, augment, noise_mode="const")
        draws, seen = Draws(0, 0, "test", (0,)), {}
        generator = torch.Generator().manual_seed(1)
        z, real = torch.randn(4, 16, generator=generator), torch.rand(4, 3, 64, 64, generator=generator) * 2 - 1

        def report(name: str, value: Tensor) -> None:
            seen[name] = value.detach()

        out = []
        for net, terms in (
            (G, loss.generator_reg(z, draws, report)),
            (D, loss.discriminator_reg(real, draws, report)),
        ):
            for term in terms:
                term.backward()
            out.append(gradients(net))
        return [torch.cat([seen["Loss/pl_penalty"], seen["Loss/r1_penalty"]]), *out]

    got, want = run(3), run(0)
    assert all(value.isfinite().all() and value.abs().sum() > 0 for value in got)
    assert 0 < error(got[0], want[0]) < GRADIENT[half]
    for a, b in zip(got[1:], want[1:], strict=True):
        assert 0 < error(a, b) < SECOND[half]


def test_tf32_is_off_by_default() -> None:
    """In a fresh process, which torch starts with TF32 in its convolutions."""
    code = (
        "import torch; from styleinv.training.distribution import World; World('cpu');"
        "print(torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32,"
        " torch.get_float32_matmul_precision())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False", "highest"]
