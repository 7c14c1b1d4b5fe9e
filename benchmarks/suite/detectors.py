"""C17: a network of the kind that FID looks through, in the layout that detectors get and in torch's own."""

import copy

import torch
from torchvision.models import inception_v3

from benchmarks.rows import at_least, row
from benchmarks.timing import assert_equal, ratio
from styleinv.evaluation.detectors import laid_out


@row("C17", "Inception v3 in channels-last, against the other layout", at_least("four images of 299²", 1, 1.4))
def layouts() -> list[float]:
    """Measure a forward pass of random weights, which take the time of any; the official file is not here."""
    torch.manual_seed(0)
    peer = inception_v3(weights=None, init_weights=False, aux_logits=False).eval()
    ours, x = laid_out(copy.deepcopy(peer), torch.device("cpu")), torch.randn(4, 3, 299, 299)
    with torch.inference_mode():
        assert_equal("features", ours(x), peer(x), 1e-4)
        return [ratio(lambda: peer(x), lambda: ours(x), 5)]
