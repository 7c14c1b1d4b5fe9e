"""Every data set of the paper in miniature: its documented layout, out of synthetic faces, with deliberate gaps.

Each function builds one below a folder and returns what the data set's YAML must change to be read from there, and what
must come of it.
"""

import csv
import hashlib
import io
import json
import shutil
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from styleinv.data.video import read_frames, write_video
from styleinv.data.youtube import Status, Unavailable
from tests.data.server import Server


@dataclass
class StandIn:
    """In the place of yt-dlp: serves local files, refuses as told, and remembers what it was asked for."""

    videos: dict[str, Path] = field(default_factory=dict)
    refusals: dict[str, list[tuple[Status, str]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def probe(self, video: str) -> None:
        """Refuse, or not."""
        self.asked.append(video)
        if refusals := self.refusals.get(video):
            raise Unavailable(*(refusals.pop(0) if len(refusals) > 1 else refusals[0]))
        if video not in self.videos:
            raise Unavailable("removed", "Video unavailable")

    def download(self, video: str, folder: Path) -> Path:
        """Copy a local file; the last refusal of a list stays, unless the video is there."""
        self.asked.append(video)
        if self.refusals.get(video):
            refusals = self.refusals[video]
            raise Unavailable(*(refusals.pop(0) if len(refusals) > 1 or video in self.videos else refusals[0]))
        return Path(shutil.copy(self.videos[video], folder / f"{video}.mp4"))


@dataclass
class Miniature:
    """What one data set changes and what must come of it.

    Attributes:
        source: overrides of its `source`.
        names: videos of the store.
        frames: of all of them.
        missing: name -> a part of the reason, of all that is missing.
        extractor: in the place of yt-dlp.
    """

    source: dict[str, Any]
    names: list[str]
    frames: int
    missing: dict[str, str]
    extractor: StandIn | None = None


def face(faces: Path, number: int, kind: str = "original") -> Path:
    """One synthetic video."""
    return faces / kind / f"face_{number:04d}.mp4"


def put(source: Path, target: Path, size: int | None = None) -> Path:
    """Copy a file, or its beginning."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source.read_bytes()[:size])
    return target


def images_of(video: Path, suffix: str = "jpg") -> list[bytes]:
    """Its frames, encoded."""
    encoded = []
    for frame in read_frames(video):
        file = io.BytesIO()
        Image.fromarray(frame).save(file, "JPEG" if suffix == "jpg" else "PNG")
        encoded.append(file.getvalue())
    return encoded


def deeperforensics(folder: Path, faces: Path, server: Server) -> Miniature:
    root = folder / "DeeperForensics 1.0"
    videos, take = root / "source_videos", iter(range(8))

    def uniform(actor: str, emotion: str) -> Path:
        return videos / actor / "light_uniform" / f"{actor}_light_uniform_{emotion}_camera_front.mp4"

    put(face(faces, next(take)), uniform("M001", "neutral"))
    put(face(faces, next(take)), uniform("M001", "happy"))
    put(face(faces, next(take)), uniform("M001", "surprise"), 700)
    put(face(faces, next(take)), uniform("M001", "angry"), 0)
    put(face(faces, next(take)), uniform("W002", "fear"))
    write_video(uniform("W002", "sad"), read_frames(face(faces, next(take))), 25)
    put(face(faces, 0), videos / "again" / uniform("M001", "neutral").name)
    for decoy in (
        "M001_light_uniform_happy_camera_left",
        "M001_light_up_sad_camera_front",
        "M001_BlendShape_camera_front",
    ):
        put(face(faces, 7), videos / "M001" / f"{decoy}.mp4")
    lists = root / "lists" / "source_videos_lists"
    lists.mkdir(parents=True)
    listed = "source_videos/W002/x/W002_light_uniform_happy_camera_front.mp4\n"
    (lists / "source_videos_list.txt").write_text(listed)
    (lists / "source_videos_missing_list.txt").write_text("M001_light_uniform_sad_camera_front.mp4\n")
    absent = [f"M001_light_uniform_{e}_camera_front" for e in ("contempt", "disgust", "fear")]
    absent += [f"W002_light_uniform_{e}_camera_front" for e in ("neutral", "surprise", "angry", "contempt", "disgust")]
    missing = dict.fromkeys(absent, "not in the archive")
    missing["M001_light_uniform_sad_camera_front"] = "own list of missing videos"
    missing["W002_light_uniform_happy_camera_front"] = "in the archive's list, but not in its folder"
    for actor, emotion, why in (
        ("M001", "surprise", "corrupt"),
        ("M001", "angry", "empty"),
        ("W002", "sad", "wrong rate: 25 frames"),
    ):
        missing[uniform(actor, emotion).relative_to(root).as_posix()] = why
    # Either of two files of one name is good; which is found first is a matter of their folders' names.
    missing["source_videos/again/M001_light_uniform_neutral_camera_front.mp4"] = "duplicate: the same name"
    names = [f"{name}_camera_front" for name in ("M001_light_uniform_happy", "M001_light_uniform_neutral")]
    return Miniature({"path": str(root)}, [*names, "W002_light_uniform_fear_camera_front"], 36, missing)


def faceforensics(folder: Path, faces: Path, server: Server) -> Miniature:
    root = folder / "FaceForensics"
    original, mask = root / "train" / "original", root / "train" / "mask"
    names = ["a_0_b_1", "c ü_0_d_2", "e_0_f_3", "g_0_h_4", "i_0_j_5"]
    for number, name in enumerate(names):
        put(face(faces, number), original / f"{name}.mp4")
        put(face(faces, number, "mask"), mask / f"{name}.mp4")
    (mask / "c ü_0_d_2.mp4").unlink()
    write_video(mask / "e_0_f_3.mp4", list(read_frames(face(faces, 2, "mask")))[:9], 30, crf=1)  # a shorter mask
    put(face(faces, 3), original / "g_0_h_4.mp4", 800)
    put(face(faces, 4, "mask"), mask / "i_0_j_5.mp4", 600)
    (root / "val" / "original").mkdir(parents=True)
    put(face(faces, 6), root / "val" / "original" / "z_0_y_0.mp4")
    missing = {
        "train/original/c ü_0_d_2.mp4": "no mask",
        "train/original/g_0_h_4.mp4": "corrupt",
        "i_0_j_5": "its mask cannot be decoded",
    }
    missing = {name.removeprefix("train/original/"): why for name, why in missing.items()}
    return Miniature({"path": str(root)}, ["a_0_b_1", "e_0_f_3"], 12 + 9, missing)


def sky(folder: Path, faces: Path, server: Server) -> Miniature:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, name in enumerate(("video_1", "video ü 2", "broken")):
            for index, image in enumerate(images_of(face(faces, number))):
                cut = name == "broken" and index == 5
                archive.writestr(f"sky_timelapse/{name}/{index:05d}.jpg", image[:300] if cut else image)
        archive.writestr("../../evil/0.jpg", images_of(face(faces, 4))[0])
        archive.writestr("bomb/0.png", _bomb())
        archive.writestr("zeros/0.bmp", bytes(8 << 20))
        archive.writestr("__MACOSX/sky_timelapse/._0.jpg", b"x")
        archive.writestr("empty/", b"")
        archive.writestr("readme.txt", b"x")
    server.files["/sky.zip"] = file.getvalue()
    server.files["/api"] = json.dumps({"href": f"{server.root}/sky.zip"}).encode()
    server.cut = [10**9, 2000]  # the connection breaks in the middle of the zip
    missing = {"sky_timelapse/broken": "corrupt", "../../evil/0.jpg": "leads out"}
    missing = {
        "broken": "00005.jpg: cannot be decoded",
        "../../evil/0.jpg": "refused: has a name that leads out of its folder",
        "bomb": "announces",
        "zeros/0.bmp": "refused: unpacks to",
    }
    source = {"api": f"{server.root}/api", "public_key": "https://disk.example/d/x"}
    return Miniature(source, ["video_1", "video_u_2"], 24, missing)


def _bomb() -> bytes:
    """A PNG of a few bytes that announces 60000 x 60000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    head = (60000).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def sky_original(folder: Path, faces: Path, server: Server) -> Miniature:
    root = folder / "sky"
    for number, place in enumerate(("sky_train/abc/abc_1", "sky_train/abc/abc_2", "sky_test/z6/z6_1")):
        (root / place).mkdir(parents=True)
        for index, image in enumerate(images_of(face(faces, number))):
            (root / place / f"{place.rpartition('/')[2]}_frames_{index:08d}.jpg").write_bytes(image)
    (root / "sky_test/z6/z6_1/z6_1_frames_00000000.jpg").write_bytes(b"")
    (root / "sky_train/abc/abc_3").mkdir()
    missing = {"sky_test/z6/z6_1": "empty (zero bytes)", "sky_train/abc/abc_3": "holds no images"}
    return Miniature({"path": str(root)}, ["abc_1", "abc_2"], 24, missing)


TAICHI_IDS = ["-abcdefghi_", "BBBBBBBBBBB", "private0000", "removed0000", "members0000", "geo00000000", "flaky000000"]


def taichi(folder: Path, faces: Path, server: Server) -> Miniature:
    table = folder / "taichi-metadata.csv"
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        # (id, start, end, box): the reference is twice as large and half as fast as what is served
        (TAICHI_IDS[0], 2, 5, "20-20-84-84"),
        (TAICHI_IDS[0], 0, 4, "0-0-100-128"),
        (TAICHI_IDS[0], 4, 60, "0-0-64-64"),
        (TAICHI_IDS[6], 1, 4, "0-0-64-64"),
        *((video, 0, 4, "0-0-64-64") for video in TAICHI_IDS[2:6]),
        (TAICHI_IDS[1], 0, 3, "0-0-64-64"),
        (TAICHI_IDS[0], 2, 5, "20-20-84-84"),
        ("../../passwd", 0, 4, "0-0-64-64"),
        (TAICHI_IDS[0], 5, 5, "0-0-64-64"),
        (TAICHI_IDS[0], 0, 4, "90-0-64-64"),
    ]
    with open(table, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["video_id", "start", "end", "bbox", "fps", "width", "height", "partition"])
        writer.writerows([*row, 15, 128, 128, "train"] for row in rows)
    (folder / "damaged.mp4").write_bytes(face(faces, 1).read_bytes()[:500])
    extractor = StandIn(
        {TAICHI_IDS[0]: face(faces, 0), TAICHI_IDS[1]: folder / "damaged.mp4", TAICHI_IDS[6]: face(faces, 2)},
        {
            "private0000": [("private", "Private video. Sign in if you've been granted access")],
            "removed0000": [("removed", "This video has been removed by the uploader")],
            "members0000": [("members", "Join this channel to get access to members-only content")],
            "geo00000000": [("geo", "The uploader has not made this video available in your country")],
            "flaky000000": [("error", "HTTP Error 503")],
        },
    )
    first = TAICHI_IDS[0]
    missing = {
        f"{first}#000004#000060": "the video ends after 4 of the clip's 112 frames",
        "private0000#000000#000004": "private: Private video",
        "removed0000#000000#000004": "removed: This video has been removed",
        "members0000#000000#000004": "members: Join",
        "geo00000000#000000#000004": "geo: The uploader",
        "youtube/BBBBBBBBBBB.mp4/BBBBBBBBBBB#000000#000003": "corrupt",
        f"{table.name}/line 11": "the clip is there twice",
        f"{table.name}/line 12": "is no YouTube id",
        f"{table.name}/line 13": "impossible",
        f"{table.name}/line 14": "impossible",
    }
    source = {"metadata": str(table), "sha256": hashlib.sha256(table.read_bytes()).hexdigest(), "pause": 0}
    names = [f"{first}#000000#000004", f"{first}#000002#000005", "flaky000000#000001#000004"]
    return Miniature(source, names, 8 + 6 + 6, missing, extractor)


def celebvhq(folder: Path, faces: Path, server: Server) -> Miniature:
    root = folder / "CelebV-HQ"
    put(face(faces, 0), root / "35666" / "AAAAAAAAAAA_0.mp4")
    put(face(faces, 1), root / "35666" / "AAAAAAAAAAA_1.mp4")
    put(face(faces, 2), root / "35666" / "BBBBBBBBBBB_0.mp4", 900)
    clip = {"ytb_id": "AAAAAAAAAAA", "duration": {"start_sec": 0.1, "end_sec": 0.3}}
    clip["bbox"] = {"top": 0.25, "bottom": 0.75, "left": 0.0, "right": 0.5}
    clips = {"AAAAAAAAAAA_0": clip, "AAAAAAAAAAA_1": clip, "BBBBBBBBBBB_0": clip, "CCCCCCCCCCC_7": clip}
    clips |= {"../x": clip, "DDDDDDDDDDD_0": clip | {"ytb_id": "no id"}}
    (root / "celebvhq_info.json").write_text(json.dumps({"meta_info": {}, "clips": clips}))
    missing = {
        "35666/BBBBBBBBBBB_0.mp4": "corrupt",
        "CCCCCCCCCCC_7": "not in the folder",
        "celebvhq_info.json/../x": "cannot name a clip",
        "celebvhq_info.json/DDDDDDDDDDD_0": "is no YouTube id",
    }
    return Miniature({"path": str(root)}, ["AAAAAAAAAAA_0", "AAAAAAAAAAA_1"], 24, missing)


def metfaces(folder: Path, faces: Path, server: Server) -> Miniature:
    root = folder / "metfaces"
    (root / "images").mkdir(parents=True)
    rows = []
    for number in range(5):
        image = images_of(face(faces, number), "png")[0]
        (root / "images" / f"{number}-00.png").write_bytes(image)
        rows.append({"image_path": f"images/{number}-00.png", "image_md5": hashlib.md5(image).hexdigest()})
    (root / "metfaces.json").write_text(json.dumps(rows))
    (root / "images" / "1-00.png").write_bytes(images_of(face(faces, 6), "png")[0])
    (root / "images" / "2-00.png").write_bytes((root / "images" / "2-00.png").read_bytes()[:200])
    (root / "images" / "3-00.png").unlink()
    missing = {"1-00.png": "wrong hash", "2-00.png": "corrupt", "images/3-00.png": "not in the folder"}
    return Miniature({"path": str(root)}, ["0-00", "4-00"], 2, missing)


def megacartoon(folder: Path, faces: Path, server: Server) -> Miniature:
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / "cartoon.zip", "w") as archive:
        for number in range(3):
            archive.writestr(f"cartoon/Cartoons_{number}.jpg", images_of(face(faces, number))[0])
        archive.writestr("cartoon/Cartoons_3.jpg", images_of(face(faces, 0))[0])
        archive.writestr("cartoon/Cartoons_4.jpg", b"")
    missing = {"cartoon/Cartoons_4.jpg": "empty"}  # the publisher counts two alike, so both are kept
    return Miniature({"path": str(folder / "cartoon.zip")}, [f"cartoon_Cartoons_{n}" for n in range(4)], 4, missing)


def arcane(folder: Path, faces: Path, server: Server) -> Miniature:
    root = folder / "arcane"
    root.mkdir(parents=True)
    (root / "1_016_04488.jpg").write_bytes(images_of(face(faces, 0))[0])
    rgba = np.dstack([next(read_frames(face(faces, 1))), np.full((64, 64), 128, np.uint8)])
    Image.fromarray(rgba).save(root / "grey ü.png")
    Image.fromarray(rgba[..., 0].astype(np.uint16) * 257).save(root / "deep.png")
    return Miniature({"path": str(root)}, ["1_016_04488", "deep", "grey_u"], 3, {})


ALL = {
    build.__name__: build
    for build in (
        *(deeperforensics, faceforensics, sky, sky_original, taichi, celebvhq),
        *(metfaces, megacartoon, arcane),
    )
}
