"""Checkers of the kinds `digan/diffaugment` and `long_video_gan/diffaug`."""

import torch

from styleinv.nn import diffaugment as da
from tests.golden.case import Case

COLOUR = ("brightness", "saturation", "contrast")


def digan_draws(case: Case, prefix: str, n: int) -> da.DiffAugmentDraws:
    """The draws of one call; those its policy does not use are zero."""

    def number(name: str) -> torch.Tensor:
        key = f"{prefix}/{name}"
        return case.tensor(key).flatten() if key in case.inputs else torch.zeros(n)

    pairs = [
        torch.stack([number(f"{name}_rows"), number(f"{name}_cols")], dim=1).long()
        for name in ("translation", "cutout")
    ]
    return da.DiffAugmentDraws(*(number(name) for name in COLOUR), *pairs)


def check_digan(case: Case) -> dict:
    clips = case.tensor("vid")[:, :6].unflatten(1, (2, 3))
    out = {}
    for name in case.wanted:
        if name.startswith("only_"):
            op = name.removeprefix("only_")
            u = case.tensor(f"color/draw/{op}").flatten()
            out[name] = getattr(da, op)(clips, u).flatten(0, 1)
        else:
            draws = digan_draws(case, f"{name}/draw", len(clips))
            out[name] = da.diffaugment(clips, draws, name).flatten(0, 1)
    return out


def check_long_video_gan(case: Case) -> dict:
    policy, names = case.config["policy"], iter(range(len(case.config["draws"])))
    clips = case.tensor("x").transpose(1, 2)
    n = len(clips)

    def take(count: int, wanted: str) -> list[torch.Tensor]:
        used = wanted in policy.split(",")
        return [case.tensor(f"draw{next(names)}").flatten() if used else torch.zeros(n) for _ in range(count)]

    colour = take(3, "color")
    shift, cut = (torch.stack(take(2, name), dim=1).long() for name in ("translation", "cutout"))
    y = da.diffaugment(clips, da.DiffAugmentDraws(*colour, shift, cut), policy, "clip").transpose(1, 2)
    return {"y": y}


CHECKERS = {"digan/diffaugment": check_digan, "long_video_gan/diffaug": check_long_video_gan}
