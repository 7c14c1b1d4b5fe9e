"""How many frames every level of the low-resolution generator works on."""

LEVELS = 5


def level_lengths(frames: int, padding: int = 8) -> list[int]:
    """[frames of the network's input, after temporal layer 0, ..., after the last] for `frames` frames of output.

    Every level but the last keeps `padding` frames more at both ends than are wanted, so that borders do not show.
    """
    inside = [-(-frames // 2**k) + 2 * padding for k in range(LEVELS, -1, -1)]
    return [*inside, frames]
