"""Running mean magnitudes, by which the inputs of layers are normalised."""

from torch import Tensor


def input_gain(mean_square: Tensor, x: Tensor, beta: float) -> Tensor:
    """1 / sqrt of a running mean of x^2, which is updated before it is used, and only where `beta` is not 1."""
    if beta != 1:
        mean_square.lerp_(x.detach().float().square().mean(), 1 - beta)
    # A copy, as a later forward of the same step moves the buffer.
    return mean_square.clone().rsqrt()
