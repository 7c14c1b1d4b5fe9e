"""Random streams are part of the results: these numbers may never change."""

import numpy as np
import torch

from styleinv import rng
from styleinv.data.time_sampling import TimeSampling
from styleinv.training.draws import Draws

B = 1 << 40


def drawn(generator: np.random.Generator) -> list[int]:
    return generator.integers(B, size=2).tolist()


def test_streams_of_a_path_of_names() -> None:
    assert rng.key("content", 3) == 5744015784613375573 and rng.key(0, 1, "Gmain", 2, "z") == 3961668711555870791
    content = rng.torch_generator("content", 3)
    assert torch.randint(B, [2], generator=content).tolist() == [844414156269, 224064439926]
    assert drawn(rng.numpy_generator("motion", 3)) == [851551602702, 1025690600021]
    for python in (rng.python_generator(0, 1, "Gmain", 2, "t"), Draws(0, 1, "Gmain", (2,)).python("t")):
        assert python.getrandbits(40) == 975420704876


def test_streams_of_items_and_choices() -> None:
    assert drawn(rng.stream(7, "clip", 5)) == [286070197073, 661228599484]
    assert drawn(rng.stream(-1, "clip")) == [911480495331, 936177532055]
    assert drawn(rng.stream(7, "real frames")) == [24141362180, 217055170518]
    assert drawn(rng.stream(1 << 40, "real frames")) == [533949860303, 909477302167]
    assert drawn(rng.numbered(4, 7)) == [719830947931, 29833892908]


def test_times_of_a_clip_continue_the_stream_of_its_item() -> None:
    assert rng.to_python(rng.stream(7, "clip", 5)).getrandbits(40) == 246449340588
    times = TimeSampling(max_num_frames=16, max_dist=8)
    want = times.draw(rng.to_python(rng.stream(7, "clip", 5)), 12)
    assert np.array_equal(times(rng.stream(7, "clip", 5), 12), want)
