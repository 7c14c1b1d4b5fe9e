"""Sheets of frames, as papers have them: titled blocks of labelled rows, and where each frame lies on the sheet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from styleinv.errors import UserError
from styleinv.files import atomic

PAGE, TEXT, SOFT, MARK = "#ffffff", "#1c2128", "#626b76", "#d62828"
LETTERS, GAP, MARGIN = 13, 3, 12
LINE = round(LETTERS * 1.5)
# Frames narrower than this are enlarged by a whole factor, nearest neighbour, so that pixels stay pixels.
LEAST = 96


@dataclass(frozen=True)
class Row:
    """Frames beside each other.

    Attributes:
        label: what they are, in a few words; each line of it is a line on the sheet.
        frames: uint8 [N, H, W, 3].
        heads: what stands above each.
        about: what the record says of the row.
        marked: numbers of frames with a red border.
    """

    label: str
    frames: np.ndarray
    heads: Sequence[str]
    about: Mapping[str, Any] = field(default_factory=dict)
    marked: Sequence[int] = ()


@dataclass(frozen=True)
class Block:
    """Rows under a title."""

    title: str
    rows: Sequence[Row]


def draw_sheet(blocks: Sequence[Block], out: Path, columns: int = 16) -> list[dict[str, Any]]:
    """Write a sheet as PNG; the same input gives the same bytes.

    Args:
        blocks: of frames that all have one size.
        out: the PNG.
        columns: longer rows go on in another line.

    Returns:
        For each row its `about`, with `block`, `label`, and `places`: left and top of every frame in pixels of the PNG,
        and their `size` there.

    Raises:
        UserError: there is no frame.
    """
    rows = [(block.title, row) for block in blocks for row in block.rows if len(row.frames)]
    if not rows:
        raise UserError("no frame to show", file=out)
    font = ImageFont.load_default(size=LETTERS)
    factor = max(1, -(-LEAST // max(row.frames.shape[2] for _, row in rows)))
    height, width = (factor * int(side) for side in rows[0][1].frames.shape[1:3])
    labels = max(font.getlength(line) for _, row in rows for line in row.label.split("\n"))
    left, top = MARGIN + round(labels) + 2 * GAP, MARGIN
    wide = min(columns, max(len(row.frames) for _, row in rows))
    texts: list[tuple[tuple[float, float], str, str, str]] = []
    placed: list[list[tuple[int, int]]] = []
    title, heads = None, None
    for block, row in rows:
        if block != title:
            title, heads = block, None
            if block:
                texts.append(((MARGIN, top + LINE / 2), block, TEXT, "lm"))
                top += LINE + GAP
        places: list[tuple[int, int]] = []
        for start in range(0, len(row.frames), columns):
            above = row.heads[start : start + columns]
            if above != heads and any(above):
                for i, head in enumerate(above):
                    texts.append(((left + i * (width + GAP) + width / 2, top + LINE / 2), head, SOFT, "mm"))
                top += LINE
            heads = above
            places += [(left + i * (width + GAP), top) for i in range(len(row.frames[start : start + columns]))]
            if not start:
                lines = row.label.split("\n")
                middle = top + height / 2 - LINE * (len(lines) - 1) / 2
                texts += [((MARGIN, middle + i * LINE), line, TEXT, "lm") for i, line in enumerate(lines)]
            top += height + GAP
        placed.append(places)
    sheet = Image.new("RGB", (left + wide * (width + GAP) - GAP + MARGIN, top - GAP + MARGIN), PAGE)
    draw = ImageDraw.Draw(sheet)
    for place, text, colour, anchor in texts:
        draw.text(place, text, fill=colour, font=font, anchor=anchor)
    for (_, row), places in zip(rows, placed, strict=True):
        for number, (frame, place) in enumerate(zip(row.frames, places, strict=True)):
            sheet.paste(Image.fromarray(frame.repeat(factor, 0).repeat(factor, 1)), place)
            if number in row.marked:
                x, y = place
                draw.rectangle((x - 2, y - 2, x + width + 1, y + height + 1), outline=MARK, width=2)
    with atomic(out) as temporary:
        sheet.save(temporary, "PNG")
    return [
        {"block": block, "label": row.label.replace("\n", " "), **row.about, "size": [width, height], "places": places}
        for (block, row), places in zip(rows, placed, strict=True)
    ]
