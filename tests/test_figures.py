"""The paper's figures: what each is drawn of, which frames and seeds, and what it says where a run is missing."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from styleinv.cli import main
from styleinv.config import Figure, Scale, Study, figure_names, lineage, load_figure
from styleinv.data.manifest import Manifest
from styleinv.data.store import FrameStore
from styleinv.data.video import read_frames
from styleinv.files import sha256
from styleinv.report.published import read_published
from styleinv.runs import Run, parse_run
from styleinv.schema import parse, read_layer
from styleinv.stages.crop import crop
from styleinv.stages.fetch import fetch
from styleinv.stages.figures import KINDS, persons, real_video
from styleinv.stages.model import Model
from styleinv.stages.setting import Setting
from styleinv.stages.summary import gallery
from styleinv.stages.train import train
from tests.project import ROOT, alike
from tests.styled import RUN, STYLED, make_styled_study

CONFIG = ROOT / "config"
OTHER = parse_run("talking_faces/stylegan_v")
PRINTED = "2 6 7 8 9 10 11 _s1 _s2 _s3 _s4".split()
Record = dict
Draw = Callable[..., Record]


def test_every_figure_of_the_paper_is_a_file_and_its_runs_exist() -> None:
    assert figure_names(CONFIG) == [f"figure{name}" for name in PRINTED]
    study = parse(Study, read_layer(CONFIG / "config.yaml"))
    for name in figure_names(CONFIG):
        figure = load_figure(name, CONFIG)
        shown = study.shown(figure, Scale(), CONFIG)
        assert figure.kind in KINDS and (shown.runs or not figure.models)
        for run in (*shown.runs, *shown.styles):
            assert lineage(run, CONFIG)[-1] == run
        assert set(figure.datasets) <= {path.stem for path in (CONFIG / "datasets").glob("*.yaml")}


def test_the_frames_are_those_of_the_paper() -> None:
    def times(name: str, fps: float = 30) -> list[float]:
        return load_figure(name, CONFIG).times(fps)

    assert times("figure6") == list(range(0, 128, 16))
    assert times("figure7") == [*range(0, 128, 16), *range(2056 - 128, 2056, 16)]
    smooth = times("figure_s2")
    assert smooth[:3] == [0, 0.5, 1] and smooth[-1] == 127.5 and len(smooth) == 256
    hour = times("figure_s1")
    assert hour[-1] == 3600 * 30 and hour[1] == 7.5
    assert {run for name in ("7", "10", "11") for run in load_figure(f"figure{name}", CONFIG).runs} >= {
        f"{number.method}-{number.variant}".rstrip("-")
        for number in read_published(CONFIG / "published.csv")
        if number.table == "2"
    }


def test_what_is_shown_follows_the_study() -> None:
    study = parse(Study, read_layer(CONFIG / "config.yaml"))
    study = study.model_copy(update={"datasets": ("mine", "sky"), "methods": ("digan",), "seeds": (3, 4)})
    shown = study.shown(load_figure("figure6", CONFIG), Scale(), CONFIG)
    assert [str(run) for run in shown.runs] == ["sky/digan-seed3"]
    transfer = load_figure("figure_s4", CONFIG)
    shown = study.model_copy(update={"seeds": ()}).shown(transfer, Scale(), CONFIG)
    assert [str(run) for run in shown.runs] == ["talking_faces_ffhq/styleinv", "talking_faces/styleinv"]
    assert [str(run) for run in shown.styles] == ["drawings/style_transfer", "drawings/style_transfer-unaligned"]
    printed = study.model_copy(update={"styles": ("arcane", "drawings"), "seeds": ()})
    runs = printed.shown(transfer, Scale(), CONFIG).runs
    assert [str(run) for run in runs] == ["celebvhq/styleinv", "faceforensics/styleinv"]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    """Two video methods, a fine-tuned generator and unseen persons; the style set is tuned from talking_faces."""
    setting = make_styled_study(tmp_path_factory.mktemp("figures"))
    fetch("talking_faces_unseen", setting)
    crop("talking_faces_unseen", setting)
    train(OTHER, setting)
    folder = setting.config.parent / "figures"
    for name in ("figure_s3", "figure_s4"):  # one parent is enough here
        file = folder / f"{name}.yaml"
        text, count = re.subn(r"(?m)^styles: .*-unaligned.*$", "styles: [style_transfer]", file.read_text())
        assert count == 1
        file.write_text(text)
    return setting


@pytest.fixture
def draw(study: Setting, capsys: pytest.CaptureFixture[str]) -> Draw:
    """Draw a figure by the command; returns its record."""

    def run(name: str, *words: str) -> Record:
        options = ["--config", str(study.config), "--results", str(study.paths.root)]
        assert main(["figures", name, *words, *options]) == 0, capsys.readouterr().err
        assert capsys.readouterr().out.startswith(str(study.paths.figure(name)))
        return json.loads(study.paths.figure(name).with_suffix(".json").read_text())

    return run


def shown(study: Setting, name: str, row: Record) -> np.ndarray:
    """The frames [N, 32, 32, 3] of a row as they stand in the picture."""
    sheet = np.asarray(Image.open(study.paths.figure(name)))
    (width, height), step = row["size"], row["size"][0] // 32
    return np.stack([sheet[y : y + height : step, x : x + width : step] for x, y in row["places"]])


def made(study: Setting, run: Run, seed: int, times: list[float]) -> np.ndarray:
    model = Model(run, study.paths, "cpu")
    return model.generator.videos([seed], torch.tensor(times), "round")[0].permute(0, 2, 3, 1).numpy()


def test_uncurated_samples(study: Setting, draw: Draw) -> None:
    record = draw("figure6", "--methods", "styleinv", "stylegan_v")
    assert record["runs"] == {str(run): {"model_sha256": sha256(study.paths.model(run))} for run in (RUN, OTHER)}
    assert list(record["data"]) == ["talking_faces"] and "Every 16th frame" in record["caption"]
    store = FrameStore(study.paths.frames("talking_faces"))
    rows = iter(record["rows"])
    for seed in (0, 1):
        real = next(rows)
        # These videos have 20 frames.
        assert (real["label"], real["seed"], real["frames"]) == ("Real videos", seed, [0, 16])
        video = store.names.index(real["video"])
        assert np.array_equal(shown(study, "figure6", real), store.frames(video, [0, 16]))
        for run, label in ((RUN, "StyleInV"), (OTHER, "StyleGAN-V")):
            row = next(rows)
            assert (row["label"], row["run"], row["seed"]) == (label, str(run), seed)
            assert (
                row["frames"] == list(range(0, 128, 16)) and row["block"] == f"Talking faces (synthetic), seed {seed}"
            )
            assert alike(shown(study, "figure6", row), made(study, run, seed, row["frames"]))
    assert not list(rows)


def test_frames_between_and_an_hour(study: Setting, draw: Draw) -> None:
    (row,) = draw("figure_s2")["rows"]
    assert row["frames"] == [i / 2 for i in range(256)]
    assert alike(shown(study, "figure_s2", row)[:64], made(study, RUN, 0, row["frames"][:64]))
    sheet = np.asarray(Image.open(study.paths.figure("figure_s2")))
    assert [tuple(sheet[y - 1, x]) == (214, 40, 40) for x, y in row["places"][:4]] == [True, False, True, False]
    assert row["places"][16][0] == row["places"][0][0]
    rows = draw("figure_s1")["rows"]
    assert [row["seed"] for row in rows] == [0, 1] and rows[0]["frames"][-1] == 3600 * 25
    assert alike(shown(study, "figure_s1", rows[0])[-2:], made(study, RUN, 0, rows[0]["frames"][-2:]))


def test_styles(study: Setting, draw: Draw) -> None:
    for name in ("figure8", "figure_s4"):
        record = draw(name)
        assert set(record["runs"]) == {str(RUN), str(STYLED)}
        own, styled = record["rows"][:2]
        assert (own["seed"], styled["seed"], styled["style"], styled["label"]) == (0, 0, str(STYLED), "Drawings")
        assert alike(shown(study, name, own), made(study, RUN, 0, own["frames"]))
        other = Model(RUN, study.paths, "cpu").stylize(STYLED).generator
        clip = other.videos([0], torch.tensor(own["frames"]), "round")[0].permute(0, 2, 3, 1).numpy()
        assert alike(shown(study, name, styled), clip) and styled["frames"] == list(range(0, 128, 16))


def test_videos_that_begin_with_a_real_image(study: Setting, draw: Draw) -> None:
    rows = draw("figure9")["rows"]
    assert [row["dataset"] for row in rows] == ["talking_faces"] * 4 + ["talking_faces_unseen"] * 4
    assert "not seen in training" in rows[4]["block"] and "not seen" not in rows[0]["block"]
    for row in rows[::2]:
        store = FrameStore(study.paths.frames(row["dataset"]))
        image, inverted, first = shown(study, "figure9", row)[:3]
        assert np.array_equal(image, store.frames(store.names.index(row["video"]), [0])[0])
        model = Model(RUN, study.paths, "cpu")
        found = model.invert(image)
        assert np.array_equal(inverted, found.image) and row["inversion_error"] == round(found.error, 3)
        clip = model.animate(found).generator.videos([0], torch.zeros(1), "round")[0, 0]
        assert alike(first, clip.permute(1, 2, 0).numpy())
    assert rows[1]["style"] == str(STYLED)


def test_first_frames_of_one_latent(study: Setting, draw: Draw) -> None:
    file = study.config.parent / "figures/figure10.yaml"
    original = file.read_text()
    file.write_text(original.replace("styleinv-no_ffa_ape, ", ""))
    (row,) = draw("figure10")["rows"]
    file.write_text(original)
    assert (row["seed"], row["noise_seeds"]) == (0, [1, 2, 3, 4, 5, 6, 7])
    frames = shown(study, "figure10", row)
    generator = Model(RUN, study.paths, "cpu").generator
    w0 = generator.first_frame(0)[0]  # type: ignore[attr-defined]
    clip = generator.started(w0).videos([5], torch.zeros(1), "round")[0, 0]  # type: ignore[attr-defined]
    assert alike(frames[5], clip.permute(1, 2, 0).numpy())
    # First-frame-aware: the noise changes nothing at t = 0.
    assert row["spread"] == 0 and row["error"] == pytest.approx(
        np.abs(frames[1:].astype(float) - frames[0]).mean(), abs=1e-3
    )


def test_the_ablation_shows_the_initial_frame_before_the_video(study: Setting, draw: Draw) -> None:
    file = study.config.parent / "figures/figure11.yaml"
    original = file.read_text()
    file.write_text(original.replace("styleinv-no_ffa_st_no_recon, styleinv-no_ffa_st, ", ""))
    row = draw("figure11")["rows"][0]
    file.write_text(original)
    assert row["initial"] and row["frames"] == [0, 1, 2, 3, 4, 8, 12, 16] and len(row["places"]) == 9
    assert alike(shown(study, "figure11", row)[1:], made(study, RUN, 0, row["frames"]))


def test_latents_of_persons(study: Setting, draw: Draw) -> None:
    rows = draw("figure2")["rows"]
    assert len(rows) == 6 and {row["person"] for row in rows} == {"0", "1", "2"}
    assert all(row["frames"] == [0, 8, 16] and row["run"] == "talking_faces/inversion" for row in rows)
    assert 0 <= rows[0]["same_person_neighbours"] <= 1
    before = study.paths.figure("figure2").read_bytes()
    draw("figure2")
    assert study.paths.figure("figure2").read_bytes() == before
    assert persons("talking_faces", study)["face_0004"] == "1"


def test_crops_lie_where_the_outline_says(study: Setting, draw: Draw) -> None:
    raw, cut = draw("figure_s3")["rows"]
    store = FrameStore(study.paths.frames("talking_faces"))
    number = store.names.index(cut["video"])
    assert np.array_equal(shown(study, "figure_s3", cut | {"size": [256, 256]}), store.frames(number, cut["frames"]))
    assert raw["crop"] == "mask" and len(raw["corners"]) == len(raw["frames"]) == 2
    # What lies inside the outline is what was stored.
    entry = next(v for v in Manifest.read(study.paths.raw("talking_faces")).videos if v.name == cut["video"])
    left, top = raw["corners"][0][0]
    right, bottom = raw["corners"][0][2]
    assert 0 < right - left < entry.width and abs((right - left) - (bottom - top)) < 1e-6


def test_the_gallery_has_the_same_seeds_of_all_beside_real_videos(study: Setting) -> None:
    gallery([RUN, OTHER], study)
    files = study.paths.films([RUN, OTHER])
    assert len(files) == 9 and all(file.is_file() for file in files)
    store = FrameStore(study.paths.frames("talking_faces"))
    for seed in (0, 1, 2):
        number, frames = real_video(store, seed, range(128))
        wanted = {"real": store.frames(number, frames)}
        wanted |= {run.folder: made(study, run, seed, [float(t) for t in range(20)]) for run in (RUN, OTHER)}
        for who, clip in wanted.items():
            film = list(read_frames(study.paths.film("talking_faces", who, seed)))
            assert film[0].shape == (192, 192, 3) and len(film) == (20 if who == "real" else 128)
            # Enlarged six times, pixel by pixel, but for what the codec loses.
            away = np.abs(np.stack(film[:20])[:, 3::6, 3::6].astype(float) - clip[:20])
            assert away.mean() < 8, (who, seed, away.mean())


def test_a_missing_run_is_one_line_with_the_command(study: Setting, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--config", str(study.config), "--results", str(study.paths.root)]
    assert main(["figures", "figure7", *options]) == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line == (
        "styleinv: figure7: lacks talking_faces/mocogan_hd-ffa_st and 1 more."
        " Run `snakemake figure7 --config scale=tiny`."
    )
    assert main(["figures", *options, "--methods", "stylegan_v"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(PRINTED)
    lacking = [line.partition(":")[0] for line in lines if ": lacks " in line]
    assert lacking == ["figure7", "figure10", "figure11"]
    assert all("Run `snakemake figure" in line for line in lines if ": lacks " in line)
    assert main(["figures", "figure8", "--styles", *options]) == 2
    assert "lacks a style set, which `styles` of config.yaml names" in capsys.readouterr().err
    assert main(["figures", "figure3", *options]) == 2
    assert "no figure 'figure3'. Known: figure2, figure6," in capsys.readouterr().err


def test_a_method_that_makes_whole_frames_alone_is_refused_between_them(study: Setting, tmp_path: Path) -> None:
    figure = Figure(title="x", caption="x", kind="samples", frames=((0, 1, 0.5),))
    assert figure.times(25) == [0, 0.5]
    store = FrameStore(study.paths.frames("talking_faces"))
    assert real_video(store, 0, [0, 0.5, 16, 200])[1] == [0, 16]
    assert real_video(store, 0, [0]) == real_video(store, 0, [0]) != real_video(store, 5, [0])
