"""C10: resampling filters against inserted zeros and filters at the full rate."""

import torch

from benchmarks import textbook
from benchmarks.rows import at_least, row
from benchmarks.timing import assert_equal, ratio
from styleinv.nn.resample import setup_filter, upfirdn2d

# name -> (side, factor up, factor down, pads), of four images with 64 channels.
CASES = {
    "blur": (257, 1, 1, (1, 1, 1, 1)),
    "up": (128, 2, 1, (2, 1, 2, 1)),
    "down": (256, 1, 2, (1, 1, 1, 1)),
}


@row(
    "C10",
    "filters of [4, 64, 256, 256] against inserted zeros at the full rate",
    at_least("blur", 1.4, 4),
    at_least("up by 2", 2.3, 3),
    at_least("down by 2", 2.5, 4),
    reason="A blur is the same depthwise convolution in both forms, of which oneDNN sets the time; only the copy that"
    " pads is saved.",
)
def filters() -> list[float]:
    """Measure StyleGAN2's [1, 3, 3, 1] filter forward."""
    torch.manual_seed(0)
    f = setup_filter([1, 3, 3, 1])
    ratios = []
    for name, (side, up, down, pads) in CASES.items():
        x = torch.randn(4, 64, side, side)
        call = {
            "peer": lambda x=x, up=up, down=down, pads=pads: textbook.fir(x, f, up, down, pads),
            "ours": lambda x=x, up=up, down=down, pads=pads: upfirdn2d(x, f, up, down, pads, gain=up**2),
        }
        assert_equal(name, call["ours"](), call["peer"](), 1e-6)
        ratios.append(ratio(**call, pairs=9))
    return ratios
