"""The decay of Long-Video-GAN's averaged weights, which also holds for the running magnitudes."""

import math


def ema_beta(step: int, beta: float = 0.99985, rampup_steps: int = 25_000) -> float:
    """Decay of the averaged weights at a step: short-lived at first, `beta` after the ramp."""
    halflife = math.log(0.5, beta)
    return min(0.5 ** ((rampup_steps + 1) / (step + 1) / halflife), beta)
