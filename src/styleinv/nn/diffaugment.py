"""DiffAugment (Zhao et al. 2020) on clips: one draw per video, shared by its frames.

DIGAN applies it to pairs of frames (policy `color,translation`), Long-Video-GAN to whole clips (with `cutout`). They
differ in how far frames are shifted and in what the contrast is measured over. Values are not clamped; 0 fills gaps.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import AfterValidator
from torch import Tensor

from styleinv.nn.groups import Source
from styleinv.nn.host import to_device
from styleinv.rng import drawn_by_group

POLICIES = ("color", "translation", "cutout")


@dataclass(frozen=True)
class DiffAugmentDraws:
    """Random numbers of N clips.

    Attributes:
        brightness, saturation, contrast: float [N], uniform in [0, 1).
        shift: integers [N, 2], rows and columns by which the view moves.
        cut: integers [N, 2], row and column of the erased rectangle's centre.
    """

    brightness: Tensor
    saturation: Tensor
    contrast: Tensor
    shift: Tensor
    cut: Tensor


def draw(n: int, height: int, width: int, reach: int, generator: Source) -> DiffAugmentDraws:
    """Draw for N clips on the CPU; shifts are uniform in -reach ... reach on both axes.

    An erased rectangle may lie half outside.
    """
    colour = drawn_by_group(lambda n, generator: torch.rand([3, n], generator=generator), n, generator, dim=1)

    def integers(low: int, high: int, *width: int) -> Tensor:
        return drawn_by_group(lambda n, g: torch.randint(low, high, [n, *width], generator=g), n, generator)

    shift = integers(-reach, reach + 1, 2)
    cut = [integers(0, size + 1 - cut_size(size) % 2) for size in (height, width)]
    return DiffAugmentDraws(colour[0], colour[1], colour[2], shift, torch.stack(cut, dim=1))


def reach_of(size: int, ratio: float) -> int:
    """Compute the longest shift of images of a size: `ratio` of it, rounded half up."""
    return int(size * ratio + 0.5)


def cut_size(size: int) -> int:
    """Compute the side of the erased rectangle: half an image's, rounded half up."""
    return int(size * 0.5 + 0.5)


def check_policy(policy: str) -> tuple[str, ...]:
    """Split a policy such as `color,translation` into its parts.

    Raises:
        ValueError: for a part that does not exist.
    """
    parts = tuple(part for part in policy.split(",") if part)
    for part in parts:
        if part not in POLICIES:
            raise ValueError(f"there is no {part!r}; known: {', '.join(POLICIES)}")
    return parts


def _known(policy: str) -> str:
    check_policy(policy)
    return policy


# A policy in settings: comma-separated parts of POLICIES, empty for none.
Policy = Annotated[str, AfterValidator(_known)]


def diffaugment(
    clips: Tensor, draws: DiffAugmentDraws, policy: str, contrast_over: Literal["frame", "clip"] = "frame"
) -> Tensor:
    """Apply a policy, in the order brightness, saturation, contrast, translation, cutout.

    Args:
        clips: [N, T, C, H, W] in [-1, 1].
        draws: of N clips.
        policy: comma-separated parts of `color,translation,cutout`; empty for none.
        contrast_over: contrast changes about the mean of every frame, or of the whole clip.

    Returns:
        [N, T, C, H, W].
    """
    parts = check_policy(policy)
    if "color" in parts:
        clips = brightness(clips, draws.brightness)
        clips = saturation(clips, draws.saturation)
        clips = contrast(clips, draws.contrast, contrast_over)
    if "translation" in parts:
        clips = translation(clips, draws.shift)
    return cutout(clips, draws.cut) if "cutout" in parts else clips


def _each(values: Tensor, clips: Tensor) -> Tensor:
    return to_device(values, clips.device).to(clips.dtype).reshape(-1, 1, 1, 1, 1)


def brightness(clips: Tensor, u: Tensor) -> Tensor:
    """Change brightness: add u - 1/2."""
    return clips + (_each(u, clips) - 0.5)


def saturation(clips: Tensor, u: Tensor) -> Tensor:
    """Change saturation: scale the distance from the mean over channels by 2 u."""
    grey = clips.mean(dim=2, keepdim=True)
    return (clips - grey) * (_each(u, clips) * 2) + grey


def contrast(clips: Tensor, u: Tensor, over: Literal["frame", "clip"] = "frame") -> Tensor:
    """Change contrast: scale the distance from the mean by u + 1/2."""
    mean = clips.mean(dim=[1, 2, 3, 4] if over == "clip" else [2, 3, 4], keepdim=True)
    return (clips - mean) * (_each(u, clips) + 0.5) + mean


def translation(clips: Tensor, shift: Tensor) -> Tensor:
    """Shift frames: out(y, x) = in(y + rows, x + columns), zero outside."""
    n, _, _, height, width = clips.shape
    padded = torch.nn.functional.pad(clips, [1, 1, 1, 1])
    shift = to_device(shift, clips.device)
    rows = (torch.arange(height, device=clips.device) + shift[:, :1] + 1).clamp(0, height + 1)
    columns = (torch.arange(width, device=clips.device) + shift[:, 1:] + 1).clamp(0, width + 1)
    each = torch.arange(n, device=clips.device)[:, None, None]
    # Indexed dimensions come first: [N, H, W, T, C].
    return padded.permute(0, 3, 4, 1, 2)[each, rows[:, :, None], columns[:, None, :]].permute(0, 3, 4, 1, 2)


def cutout(clips: Tensor, centre: Tensor) -> Tensor:
    """Erase a rectangle of half the height and half the width around `centre`."""
    height, width = clips.shape[-2:]
    centre = to_device(centre, clips.device)
    inside = []
    for axis, size in ((0, height), (1, width)):
        side = cut_size(size)
        offset = torch.arange(size, device=clips.device) - (centre[:, axis : axis + 1] - side // 2)
        inside.append((offset >= 0) & (offset < side))
    erased = inside[0][:, None, None, :, None] & inside[1][:, None, None, None, :]
    return clips * (~erased).to(clips.dtype)
