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
from styleinv.nn.resample import setup_filter, upsample2d


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


def textbook_upsample(x: torch.Tensor, f: torch.Tensor) -> torch.Tensor:
    """Insert zeros, pad, filter at the full rate."""
    n, c, h, w = x.shape
    wide = torch.zeros(n, c, h, 2, w, 2)
    wide[:, :, :, 0, :, 0] = x
    wide = F.pad(wide.reshape(n, c, h * 2, w * 2), [2, 1, 2, 1])
    return F.conv2d(wide, (f * 4).flip([0, 1])[None, None].repeat(c, 1, 1, 1), groups=c)


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
    image = torch.randn(4, 64, 64, 64)
    cases["upsample x2 64 @64"] = (lambda: textbook_upsample(image, f), lambda: upsample2d(image, f))
    encoder = ModulatedEncoder(units=(1, 1, 2, 1)).eval()
    video, styles = torch.randn(1, 3, 128, 128), torch.randn(4, 512)
    cases["modulated encoder, 4 times of one video @128"] = (
        lambda: encoder(video.repeat(4, 1, 1, 1), styles),
        lambda: encoder(video, styles),
    )
    with torch.no_grad():
        for name, (textbook, ours) in cases.items():
            difference = float((textbook() - ours()).abs().max() / textbook().abs().max())
            print(f"{name:46} {ratio(textbook, ours):5.2f}x  relative difference {difference:.1e}")


if __name__ == "__main__":
    main()
