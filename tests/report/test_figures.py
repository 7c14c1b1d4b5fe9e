"""Figures are drawn from what is there and have the same bytes every time."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from styleinv.errors import UserError
from styleinv.report.figures import curve_columns, curves_figure, read_curves, scatter_figure


@pytest.fixture
def curves(tmp_path: Path) -> Path:
    path = tmp_path / "curves.csv"
    path.write_text("step,kimg,seconds,loss_G,note,loss_D\n0,0,1,2.5,x,\n1,0.1,2,2.0,y,1.5\n2,0.2,3,nan,z,1.0\n")
    return path


def test_only_numbers_are_curves(curves: Path) -> None:
    table = read_curves(curves)
    assert curve_columns(table) == ["loss_G", "loss_D"]
    assert np.isnan(table["loss_D"][0]) and table["loss_G"][1] == 2


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_same_bytes(curves: Path, tmp_path: Path, suffix: str) -> None:
    pictures = [tmp_path / f"{i}.{suffix}" for i in range(2)]
    for picture in pictures:
        curves_figure({"a": curves, "b": curves}, picture)
    assert pictures[0].read_bytes() == pictures[1].read_bytes()
    assert b"Date" not in pictures[0].read_bytes()[:2000] and b"dc:date" not in pictures[0].read_bytes()


def test_curves_without_step(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("loss\n1\n2\n")
    curves_figure({"run": tmp_path / "c.csv"}, tmp_path / "c.png")
    assert Image.open(tmp_path / "c.png").width > 100


def test_broken_curves(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    with pytest.raises(UserError, match="does not exist"):
        read_curves(path)
    for content in ("", "step,kimg\n1,2\n", "a\nx\n"):
        path.write_text(content)
        with pytest.raises(UserError, match="c.csv"):
            read_curves(path)
    with pytest.raises(UserError, match="no curves"):
        curves_figure({}, tmp_path / "c.png")


def test_points_have_a_colour_for_each_group(tmp_path: Path) -> None:
    points = np.random.default_rng(0).standard_normal((30, 2))
    for name in ("a.png", "b.png"):
        scatter_figure({"One": (points, ["x"] * 15 + ["y"] * 15), "Two": (points, list("abc") * 10)}, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    picture = Image.open(tmp_path / "a.png").convert("RGB")
    colours = {colour for _, colour in picture.getcolors(1 << 24) or []}
    assert {(31, 119, 180), (255, 127, 14), (44, 160, 44)} <= colours and picture.width > 1.8 * picture.height
