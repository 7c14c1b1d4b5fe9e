"""A sheet holds the very pixels it is given, where its record says."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from styleinv.errors import UserError
from styleinv.report.sheet import Block, Row, draw_sheet


def film(count: int, side: int = 32, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), np.uint8)


def test_every_frame_lies_where_the_record_says(tmp_path: Path) -> None:
    rows = [Row("one", film(5), list("abcde"), {"seed": 3}), Row("two\nlines", film(2, seed=1), ["a", "b"], marked=[1])]
    placed = draw_sheet([Block("Block", rows), Block("", [Row("", film(1), [""])])], tmp_path / "s.png", columns=3)
    sheet = np.asarray(Image.open(tmp_path / "s.png"))
    for row, said in zip([*rows, Row("", film(1), [""])], placed, strict=True):
        assert said["size"] == [96, 96] and len(said["places"]) == len(row.frames)
        for frame, (x, y) in zip(row.frames, said["places"], strict=True):
            assert np.array_equal(sheet[y : y + 96 : 3, x : x + 96 : 3], frame)
    first, second, _ = placed
    assert (first["block"], first["label"], first["seed"], second["label"]) == ("Block", "one", 3, "two lines")
    # Five frames in lines of three; a red border around the marked one alone.
    assert first["places"][3][0] == first["places"][0][0] and first["places"][3][1] > first["places"][2][1]
    borders = [tuple(sheet[y - 1, x]) for x, y in second["places"]]
    assert borders == [(255, 255, 255), (214, 40, 40)]


def test_the_same_frames_give_the_same_bytes_and_none_is_refused(tmp_path: Path) -> None:
    block = Block("x", [Row("y", film(2, 128), ["0", "1"])])
    draw_sheet([block], tmp_path / "a.png")
    draw_sheet([block], tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with pytest.raises(UserError, match="no frame to show"):
        draw_sheet([Block("x", [Row("y", film(0), [])])], tmp_path / "c.png")
    assert not (tmp_path / "c.png").exists()
