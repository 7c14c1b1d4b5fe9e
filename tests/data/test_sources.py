"""Every data set of the paper, in miniature, from its source to frames.zip."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml

from styleinv.config import load_dataset
from styleinv.crop.box import box_crop
from styleinv.crop.crop_dataset import crop_dataset
from styleinv.crop.settings import CropSettings
from styleinv.data import sources
from styleinv.data.source import Job
from styleinv.data.sources import celebvhq
from styleinv.data.store import FrameStore
from styleinv.data.video import read_frames
from styleinv.errors import AccessError, SourceDown, UserError
from styleinv.files import read_json, write_json
from styleinv.paths import Paths
from styleinv.stages.crop import crop
from styleinv.stages.doctor import doctor
from styleinv.stages.fetch import fetch
from styleinv.stages.setting import Setting
from tests.data import miniatures
from tests.data.server import Server
from tests.project import ROOT


def study(folder: Path, name: str, source: dict) -> Setting:
    """The shipped YAML of a data set at a scale of 32 pixels."""
    (folder / "config" / "datasets").mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "config" / "datasets" / f"{name}.yaml", folder / "config" / "datasets")
    shutil.copytree(ROOT / "config" / "methods", folder / "config" / "methods", dirs_exist_ok=True)
    data = {"resolution": 32, "min_frames": 1, "codec": "png", "source": source}
    if load_dataset(name, ROOT / "config" / "paper.yaml").crop.type == "ffhq":
        data["crop"] = {"landmarks": "rendered"}
    scale = {"datasets": {name: data}}
    (folder / "config" / "mini.yaml").write_text(yaml.safe_dump(scale))
    return Setting(folder / "config" / "mini.yaml", Paths(folder / "results"))


def fetched(name: str, setting: Setting, wanted: miniatures.Miniature, faces: Path) -> bytes:
    """Run the stage; returns the manifest. Where faces are aligned, exact landmarks stand in for the networks."""
    fetch(name, setting, wanted.extractor)
    file = setting.paths.raw(name)
    manifest = file.read_bytes()
    if setting.dataset(name).crop.type == "ffhq":
        known = np.load(sorted((faces / "landmarks").iterdir())[0])["landmarks"]
        edited = json.loads(manifest)
        for video in edited["videos"]:
            video["landmarks"] = f"{video['name']}.npz"
            times = np.arange(video["frames"]) % len(known)
            np.savez(setting.paths.raw_videos(name) / video["landmarks"], landmarks=known[times])
        write_json(file, edited)
    return manifest


@pytest.mark.parametrize("name", miniatures.ALL)
def test_from_the_source_to_the_store(name: str, tmp_path: Path, faces: Path, server: Server) -> None:
    wanted = miniatures.ALL[name](tmp_path / "source", faces, server)
    setting = study(tmp_path, name, wanted.source)
    manifest = fetched(name, setting, wanted, faces)
    crop(name, setting)
    store, census = FrameStore(setting.paths.frames(name)), read_json(setting.paths.census(name))
    assert store.names == wanted.names and store.num_frames == wanted.frames and store.resolution == 32
    assert census["videos"] == len(wanted.names) and census["frames"] == wanted.frames
    for file in (setting.paths.raw(name), setting.paths.census(name)):
        assert str(tmp_path) not in file.read_text()
    reasons = {item["name"]: item["reason"] for item in census["missing"]}
    assert reasons.keys() == wanted.missing.keys()
    for item, why in wanted.missing.items():
        assert why in reasons[item], (item, reasons[item])
    expected = setting.dataset(name).expected
    if expected is None:
        assert census["share"] is None
    else:
        assert census["expected"] == expected.model_dump()
        assert census["share"]["videos"] == len(wanted.names) / expected.videos
    before = setting.paths.frames(name).read_bytes()
    server.cut = []
    assert fetched(name, setting, wanted, faces) == manifest  # a second time: the same, byte for byte
    crop(name, setting)
    assert setting.paths.frames(name).read_bytes() == before


def test_clips_are_the_frames_and_boxes_of_the_table(tmp_path: Path, faces: Path, server: Server) -> None:
    wanted = miniatures.taichi(tmp_path / "source", faces, server)
    setting = study(tmp_path, "taichi", wanted.source)
    fetch("taichi", setting, wanted.extractor)
    crop("taichi", setting)
    store = FrameStore(setting.paths.frames("taichi"))
    frames = list(read_frames(miniatures.face(faces, 0)))
    # The table counts half as many frames per second and pixels in an image twice as large.
    want = [box_crop(frame, (10, 10, 42, 42), 32) for frame in frames[4:10]]
    got = store.frames(store.names.index(f"{miniatures.TAICHI_IDS[0]}#000002#000005"), range(6))
    assert np.array_equal(got, np.stack(want))


def test_the_archive_of_celebvhq_is_cut_by_its_table(tmp_path: Path, faces: Path, server: Server) -> None:
    miniatures.celebvhq(tmp_path, faces, server)
    root = tmp_path / "CelebV-HQ"
    shutil.rmtree(root / "35666")
    table = json.loads((root / "celebvhq_info.json").read_text())
    for name in ("BBBBBBBBBBB_0", "CCCCCCCCCCC_7"):
        table["clips"][name]["ytb_id"] = name[:11]
    (root / "celebvhq_info.json").write_text(json.dumps(table))
    miniatures.put(miniatures.face(faces, 0), root / "videos" / "AAAAAAAAAAA.mp4")
    miniatures.put(miniatures.face(faces, 1), root / "videos" / "BBBBBBBBBBB.mp4", 700)
    job = Job(tmp_path / "raw", tmp_path / "lock.json", on_bad_video="skip")
    source = celebvhq.Config(type="celebvhq", path=str(root), form="archive")
    manifest = celebvhq.fetch(source, job)
    assert [video.name for video in manifest.videos] == ["AAAAAAAAAAA_0", "AAAAAAAAAAA_1"]
    assert manifest.videos[0].clip.plain() == {"first": 3, "frames": 6}  # 0.1 to 0.3 s at 30 per second
    assert manifest.videos[0].box == (0, 16, 32, 48)
    (missing,) = manifest.missing
    assert (missing.name, missing.reason) == ("CCCCCCCCCCC_7", "video CCCCCCCCCCC is not in the folder")
    assert {item.problem for item in manifest.skipped} == {"corrupt", "refused"}
    settings = CropSettings(crop={"type": "box"}, resolution=32, codec="png", min_frames=1)
    census = crop_dataset(manifest, job.raw, tmp_path / "frames.zip", settings)
    assert census.frames == 12
    frame = list(read_frames(miniatures.face(faces, 0)))[3]
    assert np.array_equal(FrameStore(tmp_path / "frames.zip").frames(0, [0])[0], box_crop(frame, (0, 16, 32, 48), 32))
    with pytest.raises(UserError, match="not resampled"):
        crop_dataset(manifest, job.raw, tmp_path / "x.zip", settings.model_copy(update={"fps": 25}))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("deeperforensics", ("source_videos", "docs.google.com", "STYLEINV_DEEPERFORENSICS")),
        ("faceforensics", ("docs.google.com", "train/mask", "STYLEINV_FACEFORENSICS")),
        ("celebvhq", ("Torrents", "STYLEINV_CELEBVHQ")),
        ("metfaces", ("drive.google.com", "metfaces.json", "STYLEINV_METFACES")),
        ("megacartoon", ("mega.nz", "STYLEINV_MEGACARTOON")),
        ("arcane", ("your own copy", "STYLEINV_ARCANE")),
        ("sky_original", ("mdgan", "STYLEINV_SKY_ORIGINAL")),
    ],
)
def test_what_must_be_brought_says_how(
    name: str, says: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = study(tmp_path, name, {})
    variable = f"STYLEINV_{name.upper()}"
    monkeypatch.delenv(variable, raising=False)
    with pytest.raises(AccessError, match=f"variable {variable} is not set") as error:
        fetch(name, setting)
    assert all(part in str(error.value) for part in says) and error.value.exit_code == 3
    monkeypatch.setenv(variable, "")  # must not mean this folder
    with pytest.raises(AccessError, match=f"variable {variable} is not set"):
        fetch(name, setting)
    monkeypatch.setenv(variable, str(tmp_path / "nowhere"))
    with pytest.raises(AccessError, match="nowhere: does not exist"):
        fetch(name, setting)
    assert not setting.paths.raw(name).exists()


def test_one_bad_file_stops_where_bad_videos_are_errors(tmp_path: Path, faces: Path, server: Server) -> None:
    for name in ("deeperforensics", "faceforensics", "sky_original", "taichi", "metfaces", "megacartoon"):
        wanted = miniatures.ALL[name](tmp_path / name, faces, server)
        setting = study(tmp_path, name, wanted.source)
        config = setting.dataset(name)
        job = Job(tmp_path / "raw", tmp_path / "lock.json", extractor=wanted.extractor)
        with pytest.raises(UserError, match="on_bad_video: skip"):
            sources.get(config.source.type).fetch(config.source, job)


def test_the_zip_of_sky_is_locked_at_first_use(tmp_path: Path, faces: Path, server: Server) -> None:
    wanted = miniatures.sky(tmp_path / "source", faces, server)
    setting = study(tmp_path, "sky", wanted.source)
    fetch("sky", setting)
    lock = json.loads((tmp_path / "config" / "data.lock.json").read_text())
    assert list(lock) == ["https://disk.example/d/x"] and lock["https://disk.example/d/x"]["size"] > 0
    (setting.paths.raw_videos("sky") / "download" / "sky_timelapse.zip").unlink()
    server.files["/sky.zip"] += b"changed"
    with pytest.raises(UserError, match="expected"):
        fetch("sky", setting)
    server.files["/api"] = b"[]"
    with pytest.raises(UserError, match="names no address"):
        fetch("sky", setting)
    inner = tmp_path / "outer.zip"
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("sky_timelapse.zip", b"x")
    with pytest.raises(UserError, match="holds no images but sky_timelapse.zip"):
        fetch("sky", study(tmp_path, "sky", {"path": str(inner)}))


def test_own_copies_of_taichi_videos(tmp_path: Path, faces: Path, server: Server) -> None:
    wanted = miniatures.taichi(tmp_path / "source", faces, server)
    own = tmp_path / "own"
    miniatures.put(miniatures.face(faces, 0), own / f"{miniatures.TAICHI_IDS[0]}.mp4")
    setting = study(tmp_path, "taichi", wanted.source | {"path": str(own)})
    for _ in range(2):
        fetch("taichi", setting, wanted.extractor)
    manifest = read_json(setting.paths.raw("taichi"))
    assert wanted.extractor is not None and not wanted.extractor.asked
    assert {video["name"].partition("#")[0] for video in manifest["videos"]} == {miniatures.TAICHI_IDS[0]}
    assert {item["reason"] for item in manifest["missing"]} == {"missing: not in the folder"}
    assert manifest["source"]["ids"] == {"missing": 6, "ok": 1}
    with pytest.raises(UserError, match="has SHA-256"):
        fetch("taichi", study(tmp_path, "taichi", wanted.source | {"sha256": "0" * 64}))
    table = tmp_path / "other.csv"
    table.write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="has columns"):
        fetch("taichi", study(tmp_path, "taichi", {"metadata": str(table), "sha256": None}))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty: holds none of the 7 videos of the table"):
        fetch("taichi", study(tmp_path, "taichi", wanted.source | {"path": str(tmp_path / "empty")}))


def test_the_doctor_asks_every_source(tmp_path: Path, faces: Path, server: Server) -> None:
    overrides = {}
    for name, build in miniatures.ALL.items():
        wanted = build(tmp_path / "source" / name, faces, server)
        overrides[name] = {"source": wanted.source}
        study(tmp_path, name, {})
        if wanted.extractor:
            extractor = wanted.extractor
    server.cut = []
    scale = tmp_path / "config" / "mini.yaml"
    scale.write_text(yaml.safe_dump({"datasets": overrides}))
    setting = Setting(scale, Paths(tmp_path / "results"))
    lines = list(doctor([], setting, extractor))
    assert len(lines) == 9 and all(": ok: " in line and "\n" not in line for line in lines), lines
    assert any("of 7 videos asked for 3: 1 ok, 1 private, 1 members" in line for line in lines), lines
    shutil.rmtree(tmp_path / "source" / "arcane")
    server.failures = [404]
    extractor.videos.clear()
    lines = []
    with pytest.raises(SourceDown, match="3 of 9 sources are not there: arcane, sky, taichi") as error:
        for line in doctor([], setting, extractor):
            lines.append(line)
    assert error.value.exit_code == 1 and sum("NOT THERE" in line for line in lines) == 3
    assert "HTTP 404" in next(line for line in lines if " sky: " in line)
    with pytest.raises(UserError, match="tachi"):
        list(doctor(["tachi"], setting))


def test_shipped_sources_name_the_papers_counts() -> None:
    counts = {}
    for file in (ROOT / "config" / "datasets").glob("*.yaml"):
        if expected := load_dataset(file.stem, ROOT / "config" / "paper.yaml").expected:
            counts[file.stem] = (expected.videos, expected.frames)
    assert counts == {
        "deeperforensics": (732, 194_770),
        "faceforensics": (704, 364_017),
        "sky": (2_114, 1_168_920),
        "taichi": (3_103, 951_533),
        "celebvhq": (35_663, None),
        "metfaces": (1_336, 1_336),
        "megacartoon": (317, 317),
        "arcane": (100, 100),
    }


def test_the_table_of_taichi_is_downloaded_by_its_hash(tmp_path: Path, faces: Path, server: Server) -> None:
    wanted = miniatures.taichi(tmp_path / "source", faces, server)
    server.files["/table.csv"] = Path(wanted.source["metadata"]).read_bytes()
    remote = wanted.source | {"metadata": f"{server.root}/table.csv"}
    setting = study(tmp_path, "taichi", remote)
    fetch("taichi", setting, wanted.extractor)
    assert len(read_json(setting.paths.raw("taichi"))["videos"]) == 4
    (line,) = doctor(["taichi"], setting, wanted.extractor)
    assert "table HTTP 200; of 7 videos asked for 3" in line
    server.files["/table.csv"] += b"\n"
    shutil.rmtree(setting.paths.raw_videos("taichi") / "download")
    with pytest.raises(UserError, match="gave a file with SHA-256"):
        fetch("taichi", setting, wanted.extractor)
    server.failures = [404, 404]
    with pytest.raises(SourceDown, match="taichi"):
        list(doctor(["taichi"], setting, wanted.extractor))
