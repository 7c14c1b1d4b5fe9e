"""The page holds everything it shows, tells what was run, and plays from a file."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from styleinv.data.video import write_video
from styleinv.errors import UserError
from styleinv.report.html import (
    Film,
    RunView,
    Shelf,
    StageView,
    data_uri,
    duration,
    provenance_facts,
    write_report,
)
from styleinv.report.tables import RunResult, make_table
from styleinv.runs import Run
from tests.chromium import CHROMIUM, inspect
from tests.project import ROOT

PUBLISHED = ROOT / "config" / "published.csv"
COMMIT = "0123456789abcdef"


def scores(stand_in: bool, **more: object) -> dict:
    return {
        "fid": 14.0, "fid_std": 0.5, "fid_low": 13.0, "fid_high": 15.0,
        "fvd16": 80.0, "fvd16_std": 1.0, "fvd128": 200.0, "fvd128_std": 2.0,
        "protocol": {"codec": "jpeg <75>", "metrics": {n: {"title": n.upper()} for n in ("fid", "fvd16", "fvd128")}},
        "protocol_id": "aa-bb", "protocol_ids": {}, "stand_in": stand_in,
        "diagnostics": {"motion_energy": 0.012345, "motion_kept": 0.5, "motion_energy_16": None},
        "diagnostics_real": {"motion_energy": 0.0234, "motion_kept": None},
        "signatures": ["motion collapse: <almost> still"],
        "also": {"lossless": {"protocol_id": "cc-bb", "protocol": {"codec": "none at all"}, "stand_in": stand_in}},
    } | more  # fmt: skip


def page(folder: Path, stand_in: bool = True, more: Sequence[RunResult] = ()) -> str:
    film = folder / "a.mp4"
    frames = np.random.default_rng(0).integers(0, 256, (50, 192, 192, 3), np.uint8)
    write_video(film, frames, 25)
    (folder / "curves.csv").write_text("step,loss\n0,2\n1,1\n")
    (folder / "metrics.json").write_text("{}")
    made = {
        "commit": COMMIT,
        "seconds": 3723.0,
        "peak_memory_mb": 2048,
        "host": "node1",
        "job_id": None,
        "device": "a GPU",
    }

    def stage(run: str, method: str) -> StageView:
        return StageView(run, method, f"styleinv train {run}", folder / "curves.csv", None, made)

    views = [
        RunView(
            "sky/styleinv",
            "SkyTimelapse",
            "StyleInV",
            [stage("sky/stylegan2", "StyleGAN2-ADA"), stage("sky/styleinv", "StyleInV")],
            {"checkpoint": "c4" * 32, "data": "da" * 32},
            scores(stand_in),
            {"seconds": 60.0},
            "styleinv evaluate sky/styleinv",
            {"metrics.json": "metrics.json"},
        ),
        RunView(
            "sky/digan",
            "SkyTimelapse",
            "DIGAN",
            [stage("sky/digan", "DIGAN")],
            {},
            scores(stand_in, signatures=[]),
            {},
            "styleinv evaluate sky/digan",
            {},
        ),
    ]
    shelves = [
        Shelf(
            "SkyTimelapse",
            seed,
            [
                Film("Real video", film, 192),
                Film("StyleInV", film, 192, "sky-styleinv"),
                Film("DIGAN", film, 192, "sky-digan"),
            ],
        )
        for seed in (0, 1)
    ]
    run = RunResult(Run(dataset="sky", method="styleinv"), "SkyTimelapse", "StyleInV", scores(stand_in))
    table = make_table([run, *more], PUBLISHED, "fvd16")
    shares = ["SkyTimelapse: 71 % of the paper's videos"]
    write_report(
        folder / "report.html",
        "Results <of a test>",
        ["StyleInV was trained <here>."],
        table,
        views,
        shelves,
        "Enlarged.",
        shares,
    )
    return (folder / "report.html").read_text()


def test_page_is_self_contained(tmp_path: Path) -> None:
    text = page(tmp_path)
    assert not re.search(r"https?://", text) and "<link" not in text and "<script" not in text and "url(" not in text
    sources = re.findall(r'src="([^"]{0,30})', text)
    # Two seeds of three videos, curves of three stages.
    assert len(sources) == 9 and all(source.startswith("data:") for source in sources)
    assert str(tmp_path) not in text


def test_page_tells_what_was_run_and_what_came_of_it(tmp_path: Path) -> None:
    text = page(tmp_path)
    assert "Results &lt;of a test&gt;" in text and "jpeg &lt;75&gt;" in text and "was trained &lt;here&gt;." in text
    assert "Data: SkyTimelapse: 71 % of the paper&#39;s videos." in text
    assert "autoplay loop muted playsinline controls" in text
    for piece in (
        "14.00 ± 0.50 [13.00, 15.00]",
        "95 % bootstrap interval",
        "14.32",
        "77.04",
        "<td>reproduced within 5 %</td>",
        "aa-bb",
        "cc-bb",
        "none at all",
        "motion energy",
        "0.0123 (real 0.0234)",
        "StyleInV on SkyTimelapse</a>: motion collapse: &lt;almost&gt; still",
        "1 h 2 min + 1 h 2 min",
        "2 h 4 min",
        "2.00 GiB",
        "node1",
        "Enlarged.",
    ):
        assert piece in text, piece


def test_each_number_leads_to_its_run(tmp_path: Path) -> None:
    """To its record, checkpoint, data, commit, log and command; curves are behind a fold."""
    text = page(tmp_path)
    assert '<a href="#sky-styleinv">14.00 ± 0.50 [13.00, 15.00]</a>' in text
    card = text.partition('<article class="card" id="sky-styleinv">')[2].partition("</article>")[0]
    for piece in (
        "c4c4c4c4c4c4</code>",
        "dadadadadada</code>",
        COMMIT[:12],
        'href="metrics.json"',
        'href="#protocol-aa-bb"',
    ):
        assert piece in card, piece
    assert "styleinv evaluate sky/styleinv</pre>" in card and "styleinv train sky/stylegan2</pre>" in card
    outside = re.sub(r"<details.*?</details>", "", card, flags=re.DOTALL)
    assert "Training curves" in card and "Training curves" not in outside
    targets, ids = re.findall(r'href="#([^"]+)"', text), re.findall(r' id="([^"]+)"', text)
    assert set(targets) <= set(ids) and len(ids) == len(set(ids))


def test_the_same_seed_plays_side_by_side(tmp_path: Path) -> None:
    text = page(tmp_path)
    gallery = text.partition('<section id="gallery">')[2].partition("</section>")[0]
    shelves = gallery.split('<div class="shelf">')[1:]
    assert len(shelves) == 2
    for shelf in shelves:
        labels = re.findall(r"<figcaption>(?:<a[^>]*>|<b>)([^<]+)<", shelf)
        assert labels == ["Real video", "StyleInV", "DIGAN"]
        assert re.findall(r'width="(\d+)"', shelf) == ["192"] * 3


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_it_plays_from_a_file_and_nothing_overflows(tmp_path: Path, width: int, height: int) -> None:
    row = RunResult(Run(dataset="sky", method="digan"), "SkyTimelapse", "DIGAN", scores(True))
    page(tmp_path, more=[row])
    seen = inspect(tmp_path / "report.html", width, height, tmp_path / f"{width}.png")
    assert seen["inner"] == width and seen["scroll"] <= width, seen
    assert len(seen["videos"]) == 6
    for video in seen["videos"]:
        assert video["later"] != video["sooner"] > 0 and video["error"] is None and video["shown"] >= 192, video
    assert seen["images"] == [] and seen["links"] and all(link["there"] for link in seen["links"]), seen
    for link in {link["href"] for link in seen["links"] if not link["href"].startswith("#")}:
        assert (tmp_path / link).is_file(), link


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
    assert '<td class="number best"><a href="#sky-digan">90.00</a></td>' in text
    assert '<td class="number second">95.00</td>' in text


def test_same_bytes(tmp_path: Path) -> None:
    assert page(tmp_path) == page(tmp_path)


def test_page_without_results(tmp_path: Path) -> None:
    write_report(tmp_path / "r.html", "Nothing yet", [], make_table([], PUBLISHED, "fvd16"), [])
    text = (tmp_path / "r.html").read_text()
    assert "Nothing yet" in text and "Data:" not in text and "Gallery" not in text


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
