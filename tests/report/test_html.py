"""The page holds everything it shows."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from styleinv.errors import UserError
from styleinv.report.figures import film_strip
from styleinv.report.html import RunView, data_uri, duration, provenance_facts, write_report
from styleinv.report.tables import RunResult, make_table
from styleinv.runs import Run

PUBLISHED = Path(__file__).parents[2] / "config" / "published.csv"


def page(tmp_path: Path, stand_in: bool = True, more: Sequence[RunResult] = ()) -> str:
    strip = tmp_path / "strip.png"
    film_strip(np.zeros((1, 4, 3, 8, 8), np.uint8), strip, every=2)
    (tmp_path / "a.mp4").write_bytes(b"not really a film")
    (tmp_path / "curves.csv").write_text("step,loss\n0,2\n1,1\n")
    metrics = {
        "fid": 14.0, "fid_std": 0.5, "fid_low": 13.0, "fid_high": 15.0,
        "fvd16": 80.0, "fvd16_std": 1.0, "fvd128": 200.0, "fvd128_std": 2.0,
        "protocol": {"codec": "jpeg <75>", "metrics": {n: {"title": n.upper()} for n in ("fid", "fvd16", "fvd128")}},
        "protocol_id": "aa-bb", "protocol_ids": {}, "stand_in": stand_in,
        "diagnostics": {"motion_energy": 0.012345, "motion_kept": 0.5, "motion_energy_16": None},
        "diagnostics_real": {"motion_energy": 0.0234, "motion_kept": None},
        "signatures": ["motion collapse: <almost> still"],
        "also": {"lossless": {"protocol_id": "cc-bb", "protocol": {"codec": "none at all"}, "stand_in": stand_in}},
    }  # fmt: skip
    provenance = {
        "commit": "0123456789abcdef",
        "seconds": 3723.0,
        "peak_memory_mb": 2048,
        "host": "node1",
        "job_id": None,
    }
    runs = [
        RunView(
            "sky/styleinv",
            "SkyTimelapse",
            "StyleInV",
            "train",
            tmp_path / "curves.csv",
            [tmp_path / "a.mp4"],
            [strip],
            provenance,
        ),
        RunView("sky/styleinv", "SkyTimelapse", "StyleInV", "evaluate", metrics=metrics),
        RunView("taichi/digan-clip128", "TaiChi", "DIGAN (clip128)", "train"),
    ]
    run = RunResult(Run(dataset="sky", method="styleinv"), "SkyTimelapse", "StyleInV", metrics)
    table = make_table([run, *more], PUBLISHED, "fvd16")
    shares = ["SkyTimelapse: 71 % of the paper's videos"]
    write_report(tmp_path / "report.html", "Results <of a test>", table, runs, shares)
    return (tmp_path / "report.html").read_text()


def test_page_is_self_contained(tmp_path: Path) -> None:
    text = page(tmp_path)
    assert not re.search(r"https?://", text) and "<link" not in text and "<script" not in text and "url(" not in text
    sources = re.findall(r'src="([^"]{0,30})', text)
    assert len(sources) == 3 and all(source.startswith("data:") for source in sources)
    assert str(tmp_path) not in text


def test_page_shows_everything(tmp_path: Path) -> None:
    text = page(tmp_path)
    assert "Results &lt;of a test&gt;" in text and "jpeg &lt;75&gt;" in text
    assert "Data: SkyTimelapse: 71 % of the paper&#39;s videos." in text
    assert '<video src="data:video/mp4;base64,' in text and "autoplay loop muted playsinline controls" in text
    for piece in (
        "14.00 ± 0.50 [13.00, 15.00]",
        "95 % bootstrap interval",
        "14.32",
        "77.04",
        "SkyTimelapse",
        "TaiChi",
        "DIGAN (clip128)",
        "aa-bb",
        "cc-bb",
        "none at all",
        "motion energy",
        "0.0123 (real 0.0234)",
        "<code>0.5</code>",
        "motion collapse: &lt;almost&gt; still",
    ):
        assert piece in text, piece
    for piece in ("0123456789ab<", "1 h 2 min", "2.00 GiB", "node1", "Training curves"):
        assert piece in text, piece


def test_frames_that_are_small_are_enlarged_to_pixels_that_stay_pixels(tmp_path: Path) -> None:
    film, strip, other = (tmp_path / name for name in ("a.mp4", "strip.png", "b.png"))
    film.write_bytes(b"not really a film")
    for image in (strip, other):
        film_strip(np.zeros((1, 4, 3, 8, 8), np.uint8), image, every=2)
    run = RunView("s/m", "S", "M", "train", None, [film], [strip, other], widths={film: 576, strip: 1728})
    write_report(tmp_path / "r.html", "x", make_table([], PUBLISHED, "fvd16"), [run])
    text = (tmp_path / "r.html").read_text()
    assert 'playsinline controls width="576"' in text and 'alt="strip" class="frames" width="1728"' in text
    assert 'alt="b" class="plain">' in text and "figure img.frames { image-rendering: pixelated; }" in text


def test_stand_in_banner(tmp_path: Path) -> None:
    assert "not comparable with published numbers" in page(tmp_path, stand_in=True)
    assert "not comparable with published numbers" not in page(tmp_path, stand_in=False)


def test_printed_numbers_of_other_rules_are_grey_and_notes_are_below(tmp_path: Path) -> None:
    def row(method: str, **more) -> RunResult:
        made = {"protocol": {"metrics": {"fid": {"title": "FID"}}}, "protocol_ids": {"fid": "x"}, "stand_in": False}
        return RunResult(Run(dataset="sky", method=method), "SkyTimelapse", method, {"fid": 90.0} | made | more)

    text = page(tmp_path, more=[row("mocogan_hd", fid=95.0, unlike_paper=["n fake 2 instead of 2048"]), row("digan")])
    assert '<td class="number paper other">(251.81)<sup>a</sup></td>' in text
    assert "<br>a: the official 128 x 128 model, not retrained." in text
    assert '<td class="number paper">32.83</td>' in text
    assert '<td class="number best">90.00</td>' in text and '<td class="number second">95.00</td>' in text


def test_same_bytes(tmp_path: Path) -> None:
    assert page(tmp_path) == page(tmp_path)


def test_page_without_results(tmp_path: Path) -> None:
    write_report(tmp_path / "r.html", "Nothing yet", make_table([], PUBLISHED, "fvd16"), [])
    text = (tmp_path / "r.html").read_text()
    assert "Nothing yet" in text and "Data:" not in text


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a.mp4: does not exist"):
        data_uri(tmp_path / "a.mp4")
    with pytest.raises(UserError, match="neither a picture"):
        data_uri(tmp_path / "a.avi")


def test_words() -> None:
    assert [duration(s) for s in (1.25, 42, 200, 18_720, 183_600)] == [
        "1.2 s",
        "42 s",
        "3 min 20 s",
        "5 h 12 min",
        "2 d 3 h",
    ]
    assert provenance_facts({"peak_memory_mb": 300, "job_id": ""}) == [("peak memory", "300 MiB")]
