"""How many frames every level of the low-resolution generator works on."""

import math

LEVELS = 5
# Frames beyond what is wanted that each level keeps, so that borders do not show: 8 at both ends.
EXTRA = 16


def level_lengths(frames: int) -> list[int]:
    """[frames of the network's input, after temporal layer 0, ..., after the last] for `frames` frames of output."""
    inside = [-(-frames // 2**k) + EXTRA for k in range(LEVELS, -1, -1)]
    return [*inside, frames]


def ema_beta(step: int, beta: float = 0.99985, rampup_steps: int = 25_000) -> float:
    """Decay of the averaged weights at a step: short-lived at first, `beta` after the ramp."""
    halflife = math.log(0.5, beta)
    return min(0.5 ** ((rampup_steps + 1) / (step + 1) / halflife), beta)
