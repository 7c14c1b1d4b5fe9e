"""Augmentation is decided on the host; its device is never read, and waits for one copy."""

import pytest
import torch

from styleinv.nn.augment import PIPES, AugmentPipe
from tests.copies import META, Copies


@pytest.mark.parametrize("name", sorted(PIPES))
def test_one_copy_a_call_and_nothing_read(name: str, keys: list[int]) -> None:
    pipe = AugmentPipe(**PIPES[name]).to(META)
    pipe.p = 0.5
    images = torch.empty(4, 6, 32, 32, device=META, requires_grad=True)
    with Copies() as copies:
        pipe(images, torch.Generator().manual_seed(0)).sum().backward()
    assert len(copies.to_device) == 1 and copies.to_device[0] <= 4 * 4 * (2 * 3 + 4 * 4 + 4 + 1 + 2 + 2)
    assert images.grad is not None and images.grad.shape == images.shape


def test_the_probability_has_the_precision_of_states() -> None:
    pipe = AugmentPipe()
    pipe.p = 0.1
    assert pipe.p == float(torch.tensor(0.1)) != 0.1
