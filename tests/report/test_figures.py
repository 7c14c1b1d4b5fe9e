"""Figures are drawn from what is there and have the same bytes every time."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from styleinv.errors import UserError
from styleinv.report.figures import curve_columns, curves_figure, film_strip, read_curves


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


def test_film_strip(tmp_path: Path) -> None:
    videos = torch.zeros(2, 33, 3, 32, 32, dtype=torch.uint8)
    videos[1, 16, 0] = 200
    film_strip(videos, tmp_path / "s.png", every=16, gap=2)
    image = np.asarray(Image.open(tmp_path / "s.png"))
    # Three frames of 2 videos, 32 pixels shown as 96.
    assert image.shape == (2 * 98 - 2, 3 * 98 - 2, 4)
    assert image[100, 100].tolist() == [200, 0, 0, 255] and image[0, 0].tolist() == [0, 0, 0, 255]
    assert image[0, 97].tolist() == [0, 0, 0, 0]
    film_strip(videos.numpy().repeat(4, -1).repeat(4, -2), tmp_path / "l.png", every=40)
    assert Image.open(tmp_path / "l.png").size == (128, 2 * 130 - 2)


def test_film_strip_refusals(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no frame"):
        film_strip(torch.zeros(0, 3, 3, 8, 8, dtype=torch.uint8), tmp_path / "s.png")
    with pytest.raises(ValueError, match="uint8"):
        film_strip(torch.zeros(1, 3, 3, 8, 8), tmp_path / "s.png")
