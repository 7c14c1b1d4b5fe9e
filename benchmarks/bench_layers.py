"""Our fast exact forms against textbook forms, as ratios in one process (median of interleaved pairs, CPU time).

    python benchmarks/bench_layers.py

The textbook forms cost what the published reference costs: per-sample weights, full-rate filters, a repeated encoder.
"""

import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F

from styleinv.methods.styleinv.encoder import ModulatedEncoder
from styleinv.nn.conv import modulated_conv2d
from styleinv.nn.resample import setup_filter, upfirdn2d


def ratio(textbook: Callable[[], object], ours: Callable[[], object], pairs: int = 9) -> float:
    """Median over interleaved pairs of textbook / ours."""
    ratios = []
    for i in range(pairs + 2):
        times = []
        for call in (textbook, ours):
            start = time.process_time()
            call()
            times.append(time.process_time() - start)
        if i >= 2:
            ratios.append(times[0] / times[1])
    return statistics.median(ratios)


def textbook_modconv(x: torch.Tensor, weight: torch.Tensor, styles: torch.Tensor) -> torch.Tensor:
    """One weight tensor per sample, grouped convolution."""
    n, i, h, w = x.shape
    per_sample = weight[None] * styles[:, None, :, None, None]
    per_sample = per_sample * (per_sample.square().sum(dim=[2, 3, 4]) + 1e-8).rsqrt()[:, :, None, None, None]
    out = F.conv2d(x.reshape(1, -1, h, w), per_sample.flatten(0, 1), padding=1, groups=n)
    return out.reshape(n, -1, h, w)


def textbook_fir(x: torch.Tensor, f: torch.Tensor, up: int, down: int, pads: list[int]) -> torch.Tensor:
    """Insert zeros, pad, filter at the full rate, drop samples."""
    n, c, h, w = x.shape
    if up > 1:
        wide = torch.zeros(n, c, h, up, w, up)
        wide[:, :, :, 0, :, 0] = x
        x = wide.reshape(n, c, h * up, w * up)
    kernel = (f * up**2).flip([0, 1])[None, None].repeat(c, 1, 1, 1)
    return F.conv2d(F.pad(x, pads), kernel, groups=c)[:, :, ::down, ::down]


def main() -> None:
    """Print one line per case: name, ratio, largest difference."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    cases = {}
    for name, (n, c, r) in {"modconv 512 @8": (8, 512, 8), "modconv 64 @64": (8, 64, 64)}.items():
        x, weight, styles = torch.randn(n, c, r, r), torch.randn(c, c, 3, 3), torch.randn(n, c)
        cases[name] = (
            lambda x=x, weight=weight, styles=styles: textbook_modconv(x, weight, styles),
            lambda x=x, weight=weight, styles=styles: modulated_conv2d(x, weight, styles, padding=1),
        )
    f = setup_filter([1, 3, 3, 1])
    fir = {"blur": (257, 1, 1, [1, 1, 1, 1]), "up x2": (128, 2, 1, [2, 1, 2, 1]), "down /2": (256, 1, 2, [1, 1, 1, 1])}
    for name, (side, up, down, pads) in fir.items():
        x = torch.randn(4, 64, side, side)
        cases[f"{name}, 64 channels @{side}"] = (
            lambda x=x, up=up, down=down, pads=pads: textbook_fir(x, f, up, down, pads),
            lambda x=x, up=up, down=down, pads=pads: upfirdn2d(x, f, up, down, pads, gain=up**2),
        )
    encoder = ModulatedEncoder(units=(1, 1, 2, 1)).eval()
    video, styles = torch.randn(1, 3, 128, 128), torch.randn(4, 512)
    cases["modulated encoder, 4 times of one video @128"] = (
        lambda: encoder(video.repeat(4, 1, 1, 1), styles),
        lambda: encoder(video, styles),
    )
    with torch.no_grad():
        for name, (textbook, ours) in cases.items():
            difference = float((textbook() - ours()).abs().max() / textbook().abs().max())
            assert difference < 1e-5, f"{name}: {difference}"
            print(f"{name:46} {ratio(textbook, ours):5.2f}x  relative difference {difference:.1e}")


if __name__ == "__main__":
    main()
