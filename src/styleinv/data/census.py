"""How much of the paper's data is here: found beside expected, and why the rest is not."""

from typing import Any

from pydantic import Field

from styleinv.schema import Strict


class Expected(Strict):
    """What the paper had of a data set; null where it does not say."""

    videos: int = Field(ge=1)
    frames: int | None = Field(None, ge=1)


def account(census: dict[str, Any], manifest: dict[str, Any], expected: Expected | None) -> dict[str, Any]:
    """A census of a crop, completed by what never reached it.

    Args:
        census: from `crop_dataset`.
        manifest: what the fetch stage wrote.
        expected: the paper's counts, None where there are none.

    Returns:
        The census with `expected` ({"videos", "frames"} or None), `share` (found / expected, None where nothing is) and
        `missing`: [{"name", "stage", "reason"}] of all that the source names, or had, and the store does not hold.
    """
    missing = [
        {"name": item["name"], "stage": "fetch", "reason": item["reason"]} for item in manifest.get("missing", [])
    ]
    missing += [
        {"name": item["file"], "stage": "fetch", "reason": f"{item['problem']}: {item['detail']}"}
        for item in manifest["skipped"]
    ]
    missing += [{"name": item["name"], "stage": "crop", "reason": item["reason"]} for item in census["skipped"]]
    paper = {"videos": None, "frames": None} if expected is None else expected.model_dump()
    share = {key: census[key] / number if number else None for key, number in paper.items()}
    return {**census, "expected": paper if expected else None, "share": share if expected else None, "missing": missing}


def share_line(title: str, census: dict[str, Any]) -> str | None:
    """`TaiChi: 71 % of the paper's videos, 70 % of its frames`; None where the paper's counts are not known."""
    share = census.get("share")
    if not share:
        return None
    parts = [
        f"{_percent(share[key])} of {whose} {key}"
        for key, whose in (("videos", "the paper's"), ("frames", "its"))
        if share[key] is not None
    ]
    return f"{title}: {', '.join(parts)}"


def _percent(share: float) -> str:
    """Whole percents; neither nothing nor everything is claimed where it is not so."""
    percent = round(100 * share)
    if (percent == 100 and share != 1) or (percent == 0 and share > 0):
        return f"{100 * share:.2f} %"
    return f"{percent} %"
