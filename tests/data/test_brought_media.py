"""Whatever videos people bring, through the real commands: each case with its exit code and its one line."""

import functools
import hashlib
import io
import json
import os
import re
import shutil
import struct
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from styleinv.data.manifest import Manifest
from styleinv.data.store import FrameStore
from styleinv.data.synthetic import make_talking_faces
from styleinv.data.video import count_frames, read_frames, write_video
from styleinv.errors import printable
from styleinv.files import read_json
from tests.brought import Case, Make, run_case
from tests.data.conftest import picture, pictures, run_ffmpeg

CURE = r"Remove or replace these files, or set on_bad_video: skip\."
CHECK_CURE = r"Remove or replace these files, or set on_bad_video: skip in the data set's YAML\."


# What is brought, made once for all cases.


@functools.cache
def _made(frames: int, height: int, width: int, fps: float, how: tuple[object, ...], suffix: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        plain, path = Path(folder, "plain.mp4"), Path(folder, f"made{suffix}")
        write_video(plain, pictures(frames, height, width), fps)
        if not how:
            return plain.read_bytes()
        before, after = how[: how.index("IN")], how[how.index("IN") + 1 :]
        run_ffmpeg(*before, "-i", plain, *after, path)
        return path.read_bytes()


def video(path: Path, *how: object, frames: int = 12, height: int = 48, width: int = 64, fps: float = 25) -> Path:
    """A small video, converted by ffmpeg's words (`IN` stands for the input) where there are any."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_made(frames, height, width, fps, how, path.suffix))
    return path


@functools.cache
def _disc(height: int, width: int, aspect: str, turn: int, ring: int) -> bytes:
    """12 frames with a white disc that is round where pixels have this shape."""
    across, down = map(int, aspect.split("/"))
    y, x = np.mgrid[0:height, 0:width]
    radius = 0.35 * height
    inside = (((x - width / 2 + 0.5) * across / down) ** 2 + (y - height / 2 + 0.5) ** 2) < radius**2
    frame = np.where(inside[..., None], ring, 255 - ring).astype(np.uint8).repeat(3, 2)
    with tempfile.TemporaryDirectory() as folder:
        plain, tagged, turned = (Path(folder, f"{name}.mp4") for name in "abc")
        write_video(plain, [frame] * 12, 25)
        run_ffmpeg("-i", plain, "-vf", f"setsar={aspect}", "-c:v", "libx264", "-crf", 5, tagged)
        run_ffmpeg("-display_rotation", turn, "-i", tagged, "-c", "copy", turned)
        return turned.read_bytes()


def disc(path: Path, height: int, width: int, aspect: str, turn: int = 0, ring: int = 255) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_disc(height, width, aspect, turn, ring))


UNEVEN = ("IN", "-vf", r"select=lt(n\,38)+eq(n\,74)+not(mod(n\,3))", "-fps_mode", "vfr", "-c:v", "libx264")


def uneven(path: Path) -> Path:
    """Three seconds at 25 frames per second of which the second half keeps every third, and the last: 51 frames."""
    return video(path, *UNEVEN, frames=75)


def dataset(folder: Path, source: str = "{type: folder, path: films}", crop: str = "{type: centre}", **keys) -> None:
    """config/datasets/mine.yaml."""
    keys = {"resolution": 32, "codec": "png", "min_frames": 4} | keys
    lines = [f"{key}: {value}" for key, value in {"title": "mine", "source": source, "crop": crop, **keys}.items()]
    (folder / "config/datasets/mine.yaml").write_text("\n".join(lines) + "\n")


def with_dataset(make: Callable[[Path], object], *args: str, **keys) -> Make:
    def made(folder: Path) -> None:
        make(folder)
        dataset(folder, *args, **keys)

    return made


def jpeg(number: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture(number, 48, 64)).save(file, "JPEG")
    return file.getvalue()


def stored(folder: Path) -> FrameStore:
    return FrameStore(folder / "results/data/mine/frames.zip")


def round_disc(folder: Path) -> None:
    """The white disc of what was stored is as wide as high."""
    for frame in stored(folder).frames(0, [0, 5]):
        white = frame[..., 1] > 127
        wide, high = white.any(0).sum(), white.any(1).sum()
        assert abs(int(wide) - int(high)) <= 1, (wide, high)


def squeezed_disc(folder: Path) -> None:
    white = stored(folder).frames(0, [0])[0][..., 1] > 127
    assert white.any(0).sum() < 0.8 * white.any(1).sum()


def keeps(frames: int, *more: int) -> Callable[[Path], None]:
    def holds(folder: Path) -> None:
        assert stored(folder).lengths.tolist() == [frames, *more]

    return holds


def missing(**reasons: str) -> Callable[[Path], None]:
    """The census lists these (a name's `.` is written `__`), and one video was kept."""

    def holds(folder: Path) -> None:
        census = read_json(folder / "results/data/mine/census.json")
        found = {item["name"]: item["reason"] for item in census["missing"]}
        assert found.keys() == {name.replace("__", ".") for name in reasons} and census["videos"] == 1, found
        for name, pattern in reasons.items():
            assert re.fullmatch(pattern, found[name.replace("__", ".")]), found
        assert str(folder) not in json.dumps(census)

    return holds


def notes(*patterns: str) -> Callable[[Path], None]:
    def holds(folder: Path) -> None:
        found = Manifest.read(folder / "results/data/mine/raw.json").notes
        assert len(found) == len(patterns), found
        assert all(re.fullmatch(pattern, note) for pattern, note in zip(patterns, found, strict=True)), found

    return holds


def both(*checks: Callable[[Path], None]) -> Callable[[Path], None]:
    def holds(folder: Path) -> None:
        for check in checks:
            check(folder)

    return holds


# Pixels as a viewer sees them.

PAL, NTSC = (144, 180, "64/45"), (120, 180, "8/9")
PAL_NOTE = (
    r"non-square pixels: a\.mp4: 64:45, so it is shown as 256 x 144; crop: mask with border: faithful takes them for "
    r"squares"
)


def masked(folder: Path) -> None:
    """Wide pixels; the mask does not say so, as masks that a program has made."""
    disc(folder / "films/original/a.mp4", *PAL)
    y, x = np.mgrid[0:144, 0:180]
    mask = np.where((abs(x - 90) < 36) & (abs(y - 72) < 51), 0, 255)[..., None].astype(np.uint8).repeat(3, 2)
    write_video(folder / "films/mask/a.mp4", [mask] * 12, 25, crf=1)


PIXELS = [
    Case(
        "wide pixels of PAL",
        with_dataset(lambda folder: disc(folder / "films/a.mp4", *PAL), resolution=128),
        "fetch mine\ncrop mine",
        holds=both(round_disc, notes(PAL_NOTE)),
    ),
    Case(
        "high pixels of NTSC",
        with_dataset(lambda folder: disc(folder / "films/a.mp4", *NTSC), resolution=128),
        "fetch mine\ncrop mine",
        holds=round_disc,
    ),
    Case(
        "wide pixels, turned by a flag",
        with_dataset(lambda folder: disc(folder / "films/a.mp4", *PAL, turn=90), resolution=128),
        "fetch mine\ncrop mine",
        holds=round_disc,
    ),
    Case(
        "wide pixels and fps",
        with_dataset(lambda folder: disc(folder / "films/a.mp4", *PAL), resolution=128, fps=12.5),
        "fetch mine\ncrop mine",
        holds=both(round_disc, keeps(6)),
    ),
    Case(
        "wide pixels are noted by check and are no fault",
        lambda folder: disc(folder / "films/a.mp4", *PAL),
        "check films --min-frames 12",
        shows=(
            r"note: films/a\.mp4: non-square pixels: 64:45, so it is shown as 256 x 144; .*",
            "videos: 1, faults: 0, notes: 1",
        ),
    ),
    Case(
        "high pixels are noted by check",
        lambda folder: disc(folder / "films/a.mp4", *NTSC),
        "check films --min-frames 12",
        shows=(r"note: films/a\.mp4: non-square pixels: 8:9, so it is shown as 180 x 135; .*",),
    ),
    Case(
        "pixels that nothing has",
        lambda folder: video(folder / "films/a.mp4", "IN", "-vf", "setsar=20/1", "-c:v", "libx264"),
        "check films --min-frames 12",
        code=1,
        line=rf"films: has faults \(1 corrupt\)\. {CHECK_CURE}",
        shows=(r"fault: films/a\.mp4: corrupt: says that its pixels are 20 wide and 1 high\. Convert it .*",),
    ),
    Case(
        "the faithful mask crop takes pixels for squares and fetch notes it",
        with_dataset(masked, crop="{type: mask, border: faithful}", resolution=64),
        "fetch mine\ncrop mine",
        holds=both(squeezed_disc, notes(PAL_NOTE)),
    ),
    Case(
        "the other mask crop wants masks of the same shape",
        with_dataset(masked, crop="{type: mask, border: fixed}", resolution=64),
        "fetch mine\ncrop mine",
        code=2,
        line=r"results/data/mine/raw/original/a\.mp4: is 256 x 144, its mask 180 x 144\. Remove or replace it, .*",
    ),
    Case(
        "scoring sees the same pixels",
        lambda folder: video(folder / "films/a.mp4", "IN", "-vf", "setsar=2/1", "-c:v", "libx264", height=64),
        "evaluate --real films --fake films --detectors stand-in",
        code=2,
        line=r"real videos: films/a\.mp4: frames must be square, not 128 x 64\. .*",
    ),
]


# Time as a viewer sees it.

UNEVEN_NOTE = (
    r"variable rate: a\.{}: 51 frames, 16\.9 a second on average, but the file says 25; fps: 25 \(or another "
    r"rate\) in the data set's YAML shows all at their time"
)
STEADY = ("videos: 1, faults: 0, notes: 0",)


def same_with_fps(folder: Path) -> None:
    """`fps` equal to a constant rate changes no byte of any frame."""
    plain, resampled = (FrameStore(folder / f"results/data/{name}/frames.zip") for name in ("mine", "again"))
    assert plain.lengths.tolist() == resampled.lengths.tolist() == [12]
    assert np.array_equal(plain.frames(0, range(12)), resampled.frames(0, range(12)))


def two_datasets(folder: Path) -> None:
    video(folder / "films/a.mp4", fps=30000 / 1001)
    dataset(folder, fps=29.97)
    (folder / "config/datasets/mine.yaml").rename(folder / "config/datasets/again.yaml")
    dataset(folder)


def uneven_masked(folder: Path) -> None:
    uneven(folder / "films/original/a.mp4")
    masks = [np.full((48, 64, 3), 255, np.uint8) for _ in range(75)]
    for mask in masks:
        mask[8:40, 16:48] = 0
    write_video(folder / "films/plain.mp4", masks, 25, crf=1)
    run_ffmpeg("-i", folder / "films/plain.mp4", *UNEVEN[1:], "-qp", 0, folder / "films/original/../mask.mp4")
    (folder / "films/plain.mp4").unlink()
    (folder / "films/mask").mkdir()
    (folder / "films/mask.mp4").rename(folder / "films/mask/a.mp4")


# Sound begins half a frame earlier, and times are in milliseconds: a frame is as near to one number as to the next.
BETWEEN: tuple[object, ...] = (
    *(
        "-itsoffset",
        0.0166,
        "IN",
        "-f",
        "lavfi",
        "-i",
        "sine=d=3",
        "-map",
        "0:v",
        "-map",
        "1:a",
        "-c:v",
        "copy",
        "a.mkv",
    ),
)
BURST = ("IN", "-vf", "setpts=if(lt(N\\,6)\\,N*0.4\\,N-3.6)/25/TB", "-fps_mode", "vfr", "-enc_time_base", "1:1000")


RATES = [
    *(
        Case(
            f"frames between two numbers, fps: {fps}",
            with_dataset(
                lambda folder: video(folder / "films/a.mkv", *BETWEEN[:-1], frames=60, fps=30000 / 1001), fps=fps
            ),
            "fetch mine\ncrop mine",
            holds=keeps(60),
        )
        for fps in ("null", 29.97)
    ),
    Case(
        "frames that come faster than the file says",
        with_dataset(lambda folder: video(folder / "films/a.mkv", *BURST, "-c:v", "libx264", frames=30)),
        "fetch mine\ncrop mine",
        holds=keeps(30),
    ),
    Case(
        "a variable rate keeps its frames where no rate is given, and fetch notes it",
        with_dataset(lambda folder: uneven(folder / "films/a.mp4")),
        "fetch mine\ncrop mine",
        holds=both(keeps(51), notes(UNEVEN_NOTE.format("mp4"))),
    ),
    Case(
        "three seconds at 25 frames per second are 75 frames",
        with_dataset(lambda folder: uneven(folder / "films/a.mp4"), fps=25),
        "fetch mine\ncrop mine",
        holds=keeps(75),
    ),
    Case(
        "a variable rate at another rate",
        with_dataset(lambda folder: uneven(folder / "films/a.mkv"), fps=12.5),
        "fetch mine\ncrop mine",
        holds=keeps(38),
    ),
    Case(
        "a variable rate of video and mask",
        with_dataset(uneven_masked, crop="{type: mask}", fps=25),
        "fetch mine\ncrop mine",
        holds=keeps(75),
    ),
    *(
        Case(
            f"check notes a variable rate in {suffix} and says what to do",
            lambda folder, suffix=suffix: uneven(folder / f"films/a.{suffix}"),
            "check films --min-frames 12",
            shows=(
                "note: films/"
                + UNEVEN_NOTE.format(suffix)
                .replace("variable rate: a", "a")
                .replace(f"\\.{suffix}: ", f"\\.{suffix}: variable rate: "),
                "videos: 1, faults: 0, notes: 1",
            ),
        )
        for suffix in ("mp4", "mkv", "mov")
    ),
    Case(
        "frames count at the rate that they are resampled to",
        with_dataset(lambda folder: uneven(folder / "films/a.mp4"), fps=25, min_frames=75),
        "fetch mine\ncrop mine",
        holds=both(keeps(75), notes()),
    ),
    Case(
        "a video that is too short at the rate that it is resampled to",
        with_dataset(lambda folder: uneven(folder / "films/a.mp4"), fps=12.5, min_frames=51),
        "fetch mine",
        code=2,
        line=rf"films/a\.mp4: too short: 38 frames, 51 are needed\. {CURE}",
    ),
    Case(
        "check counts frames at a rate, which cures a variable one",
        lambda folder: uneven(folder / "films/a.mp4"),
        "check films --min-frames 75 --fps 25",
        shows=STEADY,
    ),
    Case(
        "check without a rate counts the frames that are stored",
        lambda folder: uneven(folder / "films/a.mp4"),
        "check films --min-frames 75",
        code=1,
        line=rf"films: has faults \(1 too short\)\. {CHECK_CURE}",
        shows=(r"fault: films/a\.mp4: too short: 51 frames, 75 are needed", "videos: 1, faults: 1, notes: 1"),
    ),
    Case(
        "check at no rate",
        lambda folder: None,
        "check films --fps 0",
        code=2,
        line="--fps: must be positive, not 0",
    ),
    Case(
        "a rate that equals the file's changes nothing",
        two_datasets,
        "fetch mine\ncrop mine\nfetch again\ncrop again",
        holds=same_with_fps,
    ),
    *(
        Case(
            f"no false alarm: {name}",
            lambda folder, how=how: video(folder / f"films/{how[-1]}", *how[:-1], frames=60, fps=30000 / 1001),
            "check films --min-frames 12",
            shows=STEADY,
        )
        for name, how in {
            "29.97 in mp4": ("a.mp4",),
            "29.97 in milliseconds": ("IN", "-c", "copy", "a.mkv"),
            "a late first frame": ("IN", "-vf", "setpts=PTS+0.7137/TB", "-c:v", "libx264", "a.mkv"),
            "sound that begins earlier": (
                "IN",
                "-itsoffset",
                "-0.4",
                "-f",
                "lavfi",
                "-i",
                "sine=d=1",
                "-c:v",
                "copy",
                "a.mkv",
            ),
            "a first frame between two of a player's": BETWEEN,
            "frames in another order": ("IN", "-c:v", "libx264", "-bf", 3, "a.mp4"),
            "an old format": ("IN", "-c:v", "mpeg4", "a.avi"),
            "a transport stream": ("IN", "-c:v", "libx264", "a.ts"),
            "interlaced": ("IN", "-vf", "interlace", "-c:v", "libx264", "-flags", "+ildct+ilme", "a.mp4"),
        }.items()
    ),
    *(
        Case(
            f"fps: {value}",
            with_dataset(lambda folder: video(folder / "films/a.mp4"), fps=value),
            "fetch mine",
            code=2,
            line=rf"config/datasets/mine\.yaml: fps: .*, got .*{got}.*\. Correct this value\.",
        )
        for value, got in {"0": "0", "-25": "-25", ".inf": "inf", ".nan": "nan", "fast": "'fast'"}.items()
    ),
]


# Files that are no videos, or no whole ones. `check` lists them, `fetch` stops at them or leaves them out.


def cut(share: float) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        content = video(path).read_bytes()
        path.write_bytes(content[: int(share * len(content))])

    return make


def bytes_of(content: bytes) -> Callable[[Path], None]:
    return lambda path: None if path.write_bytes(content) else None


def flipped(path: Path) -> None:
    content = bytearray(video(path).read_bytes())
    middle = len(content) * 7 // 8
    content[middle : middle + 60] = bytes(byte ^ 0x5A for byte in content[middle : middle + 60])
    path.write_bytes(content)


def linked_to_nothing(path: Path) -> None:
    path.symlink_to("nowhere.mp4")


def linked_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


DECODED = r"cannot be decoded \(.+\)\. It is cut, corrupt or no video\."
BROKEN: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "cut in the middle": (cut(0.6), "corrupt", DECODED),
    "cut at its end": (cut(0.97), "corrupt", DECODED),
    "of its first bytes": (cut(0.02), "corrupt", DECODED),
    "with flipped bits": (flipped, "corrupt", DECODED),
    "of no bytes": (bytes_of(b""), "empty", r"is empty \(zero bytes\)\. Remove it or fetch it again\."),
    "of text": (bytes_of(b"not a video\n" * 40), "corrupt", DECODED),
    "of a web page": (bytes_of(b"<!doctype html><html><body>Sign in</body></html>"), "corrupt", DECODED),
    "of zeros": (bytes_of(bytes(5000)), "corrupt", DECODED),
    "of noise": (bytes_of(np.random.default_rng(0).bytes(5000)), "corrupt", DECODED),
    "of sound alone": (
        lambda path: run_ffmpeg("-f", "lavfi", "-i", "sine=d=0.2", path),
        "corrupt",
        DECODED,
    ),
    "that is a playlist": (bytes_of(b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"), "corrupt", DECODED),
    "of two frames": (lambda path: video(path, frames=2), "too short", "2 frames, 4 are needed"),
    "that is there twice": (
        lambda path: shutil.copy(path.with_name("good.mp4"), path.with_name("z.mp4")) and path.with_name("z.mp4"),
        "duplicate",
        r"the same content as (films/)?good\.mp4",
    ),
    "that is a link to nothing": (linked_to_nothing, "missing", r"does not exist"),
    "that is a link to itself": (linked_to_itself, "(missing|unreadable)", r".*"),
    "that is a pipe": (lambda path: os.mkfifo(path), "missing", r"is not a file"),
}


SKIPPED = {"cut in the middle", "of no bytes", "of two frames", "that is there twice", "that is a pipe"}


def beside_a_good_one(make: Callable[[Path], object]) -> Callable[[Path], object]:
    def made(folder: Path) -> dict[str, object]:
        video(folder / "films/good.mp4", frames=15)
        other = make(folder / "films/bad.mp4")
        return {"bad": other.name if isinstance(other, Path) else "bad.mp4"}

    return made


def broken_cases() -> list[Case]:
    cases = []
    for name, (make, problem, detail) in BROKEN.items():
        made, bad = beside_a_good_one(make), "z" if problem == "duplicate" else "bad"
        cases += [
            Case(
                f"check finds a file {name}",
                made,
                "check films --min-frames 4",
                code=1,
                line=rf"films: has faults \(1 {problem}\)\. {CHECK_CURE}",
                shows=(
                    rf"fault: films/{bad}\.mp4: {problem}: {detail}",
                    r"videos: 2, faults: 1, notes: \d",
                ),
            ),
            Case(
                f"fetch stops at a file {name}",
                with_dataset(made),
                "fetch mine",
                code=2,
                line=rf"films/{bad}\.mp4: {problem}: {detail}\.? ?{CURE}",
            ),
        ]
        if name in SKIPPED:
            cases.append(
                Case(
                    f"fetch leaves out a file {name}",
                    with_dataset(made, on_bad_video="skip"),
                    "fetch mine\ncrop mine",
                    holds=both(keeps(15), missing(**{f"{bad}__mp4": f"{problem}: {detail}"})),
                )
            )
    return cases


# Names.

LATIN1 = os.fsdecode(b"caf\xe9")  # "caf\udce9" in a message


def named(name: str, suffix: str = ".mp4") -> Callable[[Path], object]:
    return lambda folder: video(folder / "films" / f"{name}{suffix}")


def kept_as(*names: str) -> Callable[[Path], None]:
    def holds(folder: Path) -> None:
        assert stored(folder).names == list(names)
        json.dumps(read_json(folder / "results/data/mine/raw.json"), ensure_ascii=False).encode("utf-8")

    return holds


def latin1_frames(folder: Path) -> None:
    place = folder / "films" / LATIN1
    place.mkdir(parents=True)
    for number in range(5):
        (place / f"{LATIN1} {number}.jpg").write_bytes(jpeg(number))


NAMES = [
    *(
        Case(f"a file named {name!r}", with_dataset(named(name)), "fetch mine\ncrop mine", holds=kept_as(*kept))
        for name, kept in {
            LATIN1: ("caf",),
            "$(touch x); `ls` | cat": ("touch_x_ls_cat",),
            "-i": ("i",),
            "%03d": ("03d",),
            "new\nline\ttab": ("new_line_tab",),
            "concat:a|b": ("concat_a_b",),
            "quote ' \" \\": ("quote",),
            "e" * 240: ("e" * 240,),
        }.items()
    ),
    Case(
        "a folder whose name is not UTF-8",
        with_dataset(lambda folder: video(folder / "films" / LATIN1 / "a.mp4")),
        "fetch mine\ncrop mine",
        holds=kept_as("caf_a"),
    ),
    Case(
        "two names that differ in a byte which is not UTF-8",
        with_dataset(
            lambda folder: [
                video(folder / "films" / os.fsdecode(b"caf" + byte) / "a.mp4", frames=n)
                for byte, n in ((b"\xe9", 12), (b"\xe8", 13))
            ]
        ),
        "fetch mine\ncrop mine",
        holds=lambda folder: kept_as(*sorted(stored(folder).names))(folder),
    ),
    Case(
        "check names a broken file whose name is not UTF-8",
        lambda folder: cut(0.6)(folder / "films" / f"{LATIN1}.mp4"),
        "check films",
        code=1,
        line=rf"films: has faults \(1 corrupt\)\. {CHECK_CURE}",
        shows=(rf"fault: films/caf\\udce9\.mp4: corrupt: {DECODED}", "videos: 1, faults: 1, notes: 0"),
    ),
    Case(
        "fetch stops at a broken file whose name is not UTF-8",
        with_dataset(lambda folder: cut(0.6)(folder / "films" / f"{LATIN1}.mp4")),
        "fetch mine",
        code=2,
        line=rf"films/caf\\udce9\.mp4: corrupt: {DECODED} {CURE}",
    ),
    Case(
        "fetch leaves out a broken file whose name is not UTF-8",
        with_dataset(
            lambda folder: [video(folder / "films/good.mp4", frames=15), cut(0.6)(folder / f"films/{LATIN1}.mp4")],
            on_bad_video="skip",
        ),
        "fetch mine\ncrop mine",
        holds=both(keeps(15), missing(**{"caf\\udce9__mp4": f"corrupt: {DECODED}"})),
    ),
    Case(
        "folders of frames whose names are not UTF-8",
        with_dataset(latin1_frames, "{type: frames, path: films}"),
        "fetch mine\ncrop mine",
        holds=kept_as("caf"),
    ),
    Case(
        "images whose names are not UTF-8",
        with_dataset(latin1_frames, "{type: images, path: films}", min_frames=1),
        "fetch mine\ncrop mine",
        holds=keeps(1, 1, 1, 1, 1),
    ),
    Case(
        "a file that is not there, whose name is not UTF-8",
        lambda folder: {"file": LATIN1},
        "crop {file}.mp4",
        code=2,
        line=r"caf\\udce9\.mp4: does not exist",
    ),
]


# What the system does not let us read.


def locked(path: Path) -> Path:
    path.chmod(0)
    return path


def locked_file(folder: Path) -> None:
    video(folder / "films/good.mp4", frames=15)
    locked(video(folder / "films/no.mp4"))


def locked_folder(folder: Path) -> None:
    video(folder / "films/good.mp4", frames=15)
    locked(video(folder / "films/deep/no.mp4").parent)


def unlistable_folder(folder: Path) -> None:
    """Names can be listed, but nothing behind them is reached."""
    video(folder / "films/good.mp4", frames=15)
    video(folder / "films/deep/no.mp4").parent.chmod(0o400)


def locked_mask(folder: Path) -> None:
    masked(folder)
    locked(folder / "films/mask/a.mp4")


def frames_of(folder: Path, *names: str) -> None:
    for place in names:
        (folder / "films" / place).mkdir(parents=True)
        for number in range(5):
            (folder / "films" / place / f"{number}.jpg").write_bytes(jpeg(10 * len(place) + number))


def locked_frame(folder: Path) -> None:
    frames_of(folder, "bad", "good one")
    locked(folder / "films/bad/3.jpg")


def locked_frames(folder: Path) -> None:
    frames_of(folder, "bad", "good one")
    locked(folder / "films/bad")


def locked_zip(folder: Path) -> None:
    folder.joinpath("films").mkdir()
    with zipfile.ZipFile(folder / "films/a.zip", "w") as archive:
        archive.writestr("a/0.jpg", jpeg(0))
    locked(folder / "films/a.zip")


DENIED = r"\(Permission denied\)"
FRAMES = "{type: frames, path: films}"


def denied(name: str, make: Callable[[Path], object], command: str = "fetch mine", line: str = "", **more) -> Case:
    return Case(
        name,
        make,
        command,
        line=line,
        code=2 if line and "code" not in more else more.pop("code", 0),
        powerless=True,
        **more,
    )


UNREADABLE = [
    denied(
        "check finds an unreadable file",
        locked_file,
        "check films --min-frames 4",
        rf"films: has faults \(1 unreadable\)\. {CHECK_CURE}",
        code=1,
        shows=(
            rf"fault: films/no\.mp4: unreadable: cannot be read {DENIED}\. Check its permissions\.",
            "videos: 2, faults: 1, notes: 0",
        ),
    ),
    denied(
        "check finds an unreadable folder",
        locked_folder,
        "check films --min-frames 4",
        rf"films: has faults \(1 unreadable\)\. {CHECK_CURE}",
        code=1,
        shows=(rf"fault: films/deep: unreadable: cannot be listed {DENIED}", "videos: 1, faults: 1, notes: 0"),
    ),
    denied(
        "check finds files that cannot be reached",
        unlistable_folder,
        "check films --min-frames 4",
        rf"films: has faults \(1 unreadable\)\. {CHECK_CURE}",
        code=1,
        shows=(rf"fault: films/deep/no\.mp4: unreadable: cannot be read {DENIED}\. Check its permissions\.",),
    ),
    denied(
        "a folder that is unreadable itself",
        lambda folder: locked(video(folder / "films/a.mp4").parent),
        "check films",
        rf"films: cannot be read {DENIED}\. Check its permissions\.",
    ),
    denied(
        "fetch stops at an unreadable file",
        with_dataset(locked_file),
        line=rf"films/no\.mp4: unreadable: cannot be read {DENIED}\. Check its permissions\. {CURE}",
    ),
    denied(
        "fetch stops at an unreadable folder",
        with_dataset(locked_folder),
        line=rf"films/deep: unreadable: cannot be listed {DENIED}\. {CURE}",
    ),
    denied(
        "fetch stops at files that cannot be reached",
        with_dataset(unlistable_folder),
        line=rf"films/deep/no\.mp4: unreadable: cannot be read {DENIED}\. Check its permissions\. {CURE}",
    ),
    *(
        denied(
            f"fetch leaves out {name}",
            with_dataset(make, on_bad_video="skip"),
            holds=lambda folder, what=what: skipped_at_fetch(folder, "good", **what),
        )
        for name, make, what in (
            ("an unreadable file", locked_file, {"no.mp4": "unreadable"}),
            ("an unreadable folder", locked_folder, {"deep": "unreadable"}),
            ("files that cannot be reached", unlistable_folder, {"deep/no.mp4": "unreadable"}),
        )
    ),
    denied(
        "fetch stops at an unreadable frame",
        with_dataset(locked_frame, FRAMES),
        line=rf"films/bad: unreadable: 3\.jpg cannot be read {DENIED}\. {CURE}",
    ),
    denied(
        "fetch stops at an unreadable folder of frames",
        with_dataset(locked_frames, FRAMES),
        line=rf"films/bad: unreadable: cannot be listed {DENIED}\. {CURE}",
    ),
    denied(
        "an unreadable frame takes its video along",
        with_dataset(locked_frame, FRAMES, on_bad_video="skip"),
        holds=lambda folder: skipped_at_fetch(folder, "good_one", bad="unreadable"),
    ),
    denied(
        "an unreadable folder of frames is listed",
        with_dataset(locked_frames, FRAMES, on_bad_video="skip"),
        holds=lambda folder: skipped_at_fetch(folder, "good_one", bad="unreadable"),
    ),
    denied(
        "an unreadable image",
        with_dataset(locked_frame, "{type: images, path: films}", min_frames=1),
        line=rf"films/bad/3\.jpg: unreadable: cannot be read {DENIED}\. Check its permissions\. {CURE}",
    ),
    denied(
        "an unreadable zip",
        with_dataset(locked_zip, "{type: frames, path: films/a.zip}"),
        line=rf".*films/a\.zip: cannot be read {DENIED}\. Check its permissions\.",
    ),
    denied(
        "an unreadable mask",
        with_dataset(locked_mask, crop="{type: mask}"),
        "fetch mine\ncrop mine",
        rf".*a\.mp4: its mask cannot be read {DENIED}\. Check its permissions\. .*",
    ),
    denied(
        "folders that are scored are read whole or not at all",
        locked_folder,
        "evaluate --real films --fake films --detectors stand-in",
        rf"real videos: films/deep: cannot be read {DENIED}\. Check its permissions\.",
    ),
]


def skipped_at_fetch(folder: Path, kept: str, **problems: str) -> None:
    manifest = Manifest.read(folder / "results/data/mine/raw.json")
    assert [video.name for video in manifest.videos] == [kept]
    assert {item.file: item.problem for item in manifest.skipped} == problems


# Tables of clips and of hashes.

CLIP = {
    "ytb_id": "AAAAAAAAAAA",
    "duration": {"start_sec": 0.1, "end_sec": 0.3},
    "bbox": {"top": 0.25, "bottom": 0.75, "left": 0.0, "right": 0.5},
}
ARCHIVE = "{type: celebvhq, path: films, form: archive}"


def table(text: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        video(folder / "films/AAAAAAAAAAA.mp4")
        (folder / "films/celebvhq_info.json").write_text(text)

    return make


def clips(**rows: object) -> str:
    return json.dumps({"clips": {"good": CLIP, **rows}})


def row(**keys: object) -> dict[str, object]:
    return {**CLIP, **keys}


def seconds(start: object, end: object) -> dict[str, object]:
    return row(duration={"start_sec": start, "end_sec": end})


BAD_ROWS: dict[str, tuple[str, str]] = {
    "that ends at infinity": (clips(bad=seconds(0.1, float("inf"))), r"seconds 0\.1 to inf, box .*: impossible"),
    "that begins before time": (clips(bad=seconds(float("-inf"), 1)), r"seconds -inf to 1, box .*: impossible"),
    "whose end is no number": (clips(bad=seconds(0, float("nan"))), r"seconds 0 to nan, box .*: impossible"),
    "that ends after 1e300 seconds": (clips(bad=seconds(0, 1e300)), r"seconds 0 to 1e\+300, box .*: impossible"),
    "that ends after 10 to the 400th seconds": (clips(bad=seconds(0, 10**400)), r"int too large.*"),
    "whose end is text": (clips(bad=seconds(0, "late")), r"could not convert string to float: 'late'"),
    "whose end is null": (clips(bad=seconds(0, None)), r"float\(\) argument must be .*"),
    "with an endless box": (
        clips(bad=row(bbox=CLIP["bbox"] | {"right": float("inf")})),  # type: ignore[operator]
        r"seconds .*, box 0 0\.25 inf 0\.75: impossible",
    ),
    "without a box": (clips(bad=row(bbox={})), r"'left'"),
    "that is null": (clips(bad=None), r".*not subscriptable"),
    "that is a list": (clips(bad=[1, 2]), r"list indices must be .*"),
    "of a video that is a path": (clips(bad=row(ytb_id="../../passwd")), r"'\.\./\.\./passwd' is no YouTube id"),
}
BAD_TABLES: dict[str, tuple[str, str]] = {
    "of no clips": ("{}", r"films/celebvhq_info\.json: clips: names no clips\. Download it again\."),
    "that is a list": ("[]", r"films/celebvhq_info\.json: clips: names no clips\. Download it again\."),
    "that is cut": (clips()[:-9], r"films/celebvhq_info\.json: is not valid JSON \(.*\)\. .*"),
    "with a number of 5000 digits": (
        clips()[:-1] + ', "x": ' + "9" * 5000 + "}",
        r".*json: is not valid JSON \(.*\)\..*",
    ),
    "100,000 levels deep": ("[" * 100_000, r".*json: is not valid JSON \(.*\)\..*"),
    "of which nothing is usable": (
        json.dumps({"clips": {"bad": seconds(0, float("inf"))}}),
        r"films: no clip of the table can be cut out of these videos\. .*",
    ),
}


def metfaces(rows: object) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        (folder / "films/images").mkdir(parents=True)
        (folder / "films/images/0.jpg").write_bytes(jpeg(0))
        (folder / "films/metfaces.json").write_text(json.dumps(rows))

    return make


MD5 = hashlib.md5(jpeg(0)).hexdigest()
METFACES = ("{type: metfaces, path: films}",)
METADATA = [
    *(
        Case(
            f"a clip {name} is left out",
            with_dataset(table(text), ARCHIVE, "{type: box}", on_bad_video="skip"),
            "fetch mine\ncrop mine",
            holds=both(keeps(5), missing(**{"celebvhq_info__json/bad": f"refused: {why}"})),
        )
        for name, (text, why) in BAD_ROWS.items()
    ),
    Case(
        "fetch stops at a clip that ends at infinity",
        with_dataset(table(BAD_ROWS["that ends at infinity"][0]), ARCHIVE, "{type: box}"),
        "fetch mine",
        code=2,
        line=rf"films/celebvhq_info\.json/bad: refused: seconds 0\.1 to inf, .*: impossible\. {CURE}",
    ),
    Case(
        "a clip whose name cannot be written",
        with_dataset(table(clips(**{"bad\ud800": CLIP})), ARCHIVE, "{type: box}", on_bad_video="skip"),
        "fetch mine\ncrop mine",
        holds=missing(**{"celebvhq_info__json/bad\\ud800": r"refused: 'bad\\ud800' cannot name a clip"}),
    ),
    *(
        Case(
            f"a table {name}",
            with_dataset(table(text), ARCHIVE, "{type: box}", on_bad_video="skip"),
            "fetch mine",
            code=2,
            line=line,
        )
        for name, (text, line) in BAD_TABLES.items()
    ),
    denied(
        "a table that is unreadable",
        with_dataset(
            lambda folder: table(clips())(folder) or locked(folder / "films/celebvhq_info.json"), ARCHIVE, "{type: box}"
        ),
        line=rf"films/celebvhq_info\.json: cannot be read {DENIED}\. Check its permissions\.",
    ),
    Case(
        "a list of hashes with infinity in it",
        with_dataset(
            metfaces([{"image_md5": float("inf")}, {"image_md5": MD5, "image_path": float("inf")}, 7, None]),
            *METFACES,
            min_frames=1,
            on_bad_video="skip",
        ),
        "fetch mine\ncrop mine",
        holds=both(keeps(1), missing(**{"image 0": "not in the folder"})),
    ),
    Case(
        "a list of hashes with a name that cannot be written",
        with_dataset(
            metfaces([{"image_md5": MD5}, {"image_md5": "0", "image_path": "x\ud800.png"}]),
            *METFACES,
            min_frames=1,
            on_bad_video="skip",
        ),
        "fetch mine\ncrop mine",
        holds=missing(**{"x\\ud800__png": "not in the folder"}),
    ),
    Case(
        "a list of no hashes",
        with_dataset(metfaces([1, 2]), *METFACES, min_frames=1),
        "fetch mine",
        code=2,
        line=r"films/metfaces\.json: image_md5: names no image\. Download it again\.",
    ),
]


# Zips of frames.


def zipped(*changes: Callable[[zipfile.ZipFile], None], after: Callable[[bytearray], None] | None = None) -> Make:
    """Five frames of `bad` with changes, five of `good`."""

    def make(folder: Path) -> None:
        (folder / "films").mkdir()
        path = folder / "films/a.zip"
        with zipfile.ZipFile(path, "w") as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for place in ("bad", "good"):
                for number in range(5):
                    archive.writestr(f"{place}/{number}.jpg", jpeg(10 * len(place) + number))
            for change in changes:
                change(archive)
        if after:
            content = bytearray(path.read_bytes())
            after(content)
            path.write_bytes(content)

    return make


def flag(bits: int, place: bytes = b"bad/3.jpg") -> Callable[[bytearray], None]:
    """Set bits of a member's flags, in its own header and in the directory."""

    def change(content: bytearray) -> None:
        for match in list(re.finditer(re.escape(place), bytes(content))):
            start = match.start()
            offset = start - 46 if content[start - 46 : start - 42] == b"PK\1\2" else start - 30
            at = offset + (8 if content[offset : offset + 4] == b"PK\1\2" else 6)
            content[at : at + 2] = struct.pack("<H", struct.unpack("<H", content[at : at + 2])[0] | bits)

    return change


def method(number: int) -> Callable[[bytearray], None]:
    def change(content: bytearray) -> None:
        place = content.rindex(b"bad/3.jpg") - 46
        content[place + 10 : place + 12] = struct.pack("<H", number)

    return change


def needs_version(number: int) -> Callable[[bytearray], None]:
    def change(content: bytearray) -> None:
        place = content.rindex(b"bad/3.jpg") - 46
        content[place + 6 : place + 8] = struct.pack("<H", number)

    return change


def damaged(content: bytearray) -> None:
    content[content.index(b"bad/3.jpg") + 300] ^= 0xFF


def not_utf8(content: bytearray) -> None:
    """A name that claims to be UTF-8 and is not."""
    flag(0x800)(content)
    content[:] = bytes(content).replace(b"bad/3.jpg", b"bad/\xff.jpg")


def link(archive: zipfile.ZipFile) -> None:
    info = zipfile.ZipInfo("bad/9.jpg")
    info.external_attr = 0o120777 << 16
    archive.writestr(info, "/etc/passwd")


ZIP = "{type: frames, path: films/a.zip}"
HOLES: dict[str, tuple[Make, str]] = {
    "is encrypted": (zipped(after=flag(1)), r"3\.jpg is encrypted"),
    "is there twice": (zipped(lambda archive: archive.writestr("bad/3.jpg", jpeg(9))), r"3\.jpg is there twice"),
    "is a link": (zipped(link), r"9\.jpg is a link"),
    "unpacks to far more than it is": (
        zipped(lambda archive: archive.writestr("bad/5.png", bytes(4 << 20), zipfile.ZIP_DEFLATED)),
        r"5\.png unpacks to \d+ times its size",
    ),
}
ZIPS = [
    *(
        Case(
            f"a frame that {name} takes its video along",
            with_dataset(make, ZIP, on_bad_video="skip"),
            "fetch mine\ncrop mine",
            holds=lambda folder, why=why: hole(folder, why),
        )
        for name, (make, why) in HOLES.items()
    ),
    Case(
        "fetch stops at an encrypted frame",
        with_dataset(HOLES["is encrypted"][0], ZIP),
        "fetch mine",
        code=2,
        line=rf"films/a\.zip/bad/3\.jpg: refused: is encrypted; 1 more: 1 refused\. {CURE}",
    ),
    *(
        Case(
            f"a frame that {name} takes its video along",
            with_dataset(zipped(after=change), ZIP, on_bad_video="skip"),
            "fetch mine\ncrop mine",
            holds=missing(bad=why),
        )
        for name, change, why in (
            ("has other bytes", damaged, r"bad/3\.jpg: cannot be unpacked \(Bad CRC-32.*\)"),
            ("is packed in an unknown way", method(99), r"bad/3\.jpg: cannot be unpacked \(.*\)"),
        )
    ),
    Case(
        "crop stops at a damaged frame",
        with_dataset(zipped(after=damaged), ZIP),
        "fetch mine\ncrop mine",
        code=2,
        line=r".*a\.zip: bad/3\.jpg: cannot be unpacked \(Bad CRC-32.*\)\. Remove or replace it, .*",
    ),
    *(
        Case(f"a zip {name}", with_dataset(make, ZIP, on_bad_video="skip"), "fetch mine", code=2, line=line)
        for name, make, line in (
            (
                "whose names are not what they claim",
                zipped(after=not_utf8),
                r".*a\.zip: is no whole zip file \(.*\)\. .*",
            ),
            ("of a later version", zipped(after=needs_version(99)), r".*a\.zip: is no whole zip file \(.*\)\. .*"),
            (
                "without its end",
                zipped(after=lambda content: content.__delitem__(slice(-30, None))),
                r".*a\.zip: is no whole zip file \(.*\)\. .*",
            ),
            (
                "of zeros",
                zipped(after=lambda content: content.__setitem__(slice(None), bytes(999))),
                r".*a\.zip: is no whole zip file \(.*\)\. .*",
            ),
        )
    ),
    Case(
        "an encrypted image",
        with_dataset(HOLES["is encrypted"][0], "{type: images, path: films/a.zip}", min_frames=1, on_bad_video="skip"),
        "fetch mine\ncrop mine",
        holds=keeps(*[1] * 9),
    ),
]


# Folders that hold nothing of use.


def folder_with(*names: str) -> Callable[[Path], None]:
    """Files of one byte."""

    def make(folder: Path) -> None:
        (folder / "films").mkdir()
        for name in names:
            (folder / "films" / name).write_bytes(b"x")

    return make


SUFFIXES = r"Known suffixes: \.3gp .*"
HOPELESS = [
    *(
        Case(
            name,
            with_dataset(make, f"{{type: {kind}, path: {path}}}", min_frames=1, on_bad_video="skip"),
            "fetch mine",
            code=2,
            line=line,
        )
        for name, kind, path, make, line in (
            ("no videos", "folder", "films", folder_with("a.txt"), rf"films: contains no video files\. {SUFFIXES}"),
            ("hidden videos alone", "folder", "films", folder_with(".a.mp4"), rf"films: contains no .*\. {SUFFIXES}"),
            ("no good video", "folder", "films", folder_with("a.mp4"), rf"films/a\.mp4: corrupt: {DECODED} {CURE}"),
            ("no frames", "frames", "films", folder_with(), r"films: holds no images\. Put a folder of folders .*"),
            (
                "no images",
                "images",
                "films",
                folder_with("a.txt"),
                r"films: holds no images\. Put a folder of images .*",
            ),
            (
                "no good frame",
                "frames",
                "films",
                folder_with("0.jpg"),
                rf"films: corrupt: 0\.jpg: cannot be .*\. {CURE}",
            ),
            (
                "no good image",
                "images",
                "films",
                folder_with("0.jpg"),
                rf"films/0\.jpg: corrupt: cannot be .*\. {CURE}",
            ),
            (
                "a folder that results lie in",
                "images",
                ".",
                folder_with("0.jpg"),
                r"results/data/mine/raw: lies inside the source \. Choose another place for results\.",
            ),
            ("a folder that is a file", "folder", "films/a", folder_with("a"), r"films/a: is not a folder\. .*"),
            ("a zip that is text", "frames", "films/a", folder_with("a"), r".*films/a: is no whole zip file .*"),
        )
    ),
    Case(
        "folders of one name in a zip have their whole paths",
        with_dataset(
            zipped(lambda archive: [archive.writestr(f"deep/good/{n}.jpg", jpeg(n)) for n in range(5)] and None), ZIP
        ),
        "fetch mine\ncrop mine",
        holds=lambda folder: kept_as("bad", "deep_good", "good")(folder),
    ),
]


def hole(folder: Path, why: str) -> None:
    assert stored(folder).names == ["good"]
    found = {item["name"]: item["reason"] for item in read_json(folder / "results/data/mine/census.json")["missing"]}
    assert re.fullmatch(f"refused: its frame {why}", found["bad"]), found


# Landmarks and boxes of other detectors.


@functools.cache
def _face() -> tuple[bytes, np.ndarray]:
    """A talking face of 12 frames of 64 x 64, and its landmarks."""
    with tempfile.TemporaryDirectory() as folder:
        make_talking_faces(folder, videos=1, frames=12, size=64, fps=25, seed=3)
        points = np.load(Path(folder, "landmarks/face_0000.npz"))["landmarks"]
        return Path(folder, "original/face_0000.mp4").read_bytes(), points


def face(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_face()[0])
    return path


def points() -> np.ndarray:
    return _face()[1].copy()


def boxes() -> np.ndarray:
    found = points()
    return np.concatenate([found.min(1) + 0.5, found.max(1) + 0.5], 1)


def without(rows: np.ndarray, *lost: int) -> np.ndarray:
    rows[list(lost)] = np.nan
    return rows


def at(rows: np.ndarray, number: int, value: object) -> np.ndarray:
    rows[number] = value
    return rows


def beside(write: Callable[[Path], object]) -> Callable[[Path], None]:
    """my.mp4, and my.npz written so; weights seem to be there."""

    def make(folder: Path) -> None:
        face(folder / "my.mp4")
        write(folder / "my.npz")
        (folder / "fan").touch()

    return make


def saved(**arrays: object) -> Callable[[Path], None]:
    return beside(lambda path: np.savez(path, **arrays))  # type: ignore[arg-type]


def lying_header(path: Path) -> None:
    """An array that claims a terabyte."""
    head = io.BytesIO()
    claim = {"descr": "<f8", "fortran_order": False, "shape": (10**9, 68, 2)}
    np.lib.format.write_array_header_1_0(head, claim)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("landmarks.npy", head.getvalue())


def short_body(path: Path) -> None:
    head = io.BytesIO()
    claim = {"descr": "<f8", "fortran_order": False, "shape": (12, 68, 2)}
    np.lib.format.write_array_header_1_0(head, claim)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("landmarks.npy", head.getvalue() + bytes(99))


def cut_npz(path: Path) -> None:
    np.savez(path, landmarks=points())
    path.write_bytes(path.read_bytes()[:-100])


def flipped_npz(path: Path) -> None:
    np.savez(path, landmarks=points())
    content = bytearray(path.read_bytes())
    content[2000] ^= 0xFF
    path.write_bytes(content)


def crops(*frames: int) -> Callable[[Path], None]:
    def holds(folder: Path) -> None:
        made = sorted((folder / "cropped").glob("my_ffhq*.mp4"))
        assert [count_frames(path) for path in made] == list(frames)
        record = read_json(folder / "cropped/my_shake.json")
        assert record["settings"]["landmarks"] == "brought" and record["weights"] == {} and len(record["brought"]) == 64
        assert record["dropped"] == 12 - sum(frames) and str(folder) not in json.dumps(record)

    return holds


def upright(folder: Path) -> None:
    """The crop of wide pixels is that of the same video with square ones."""
    one, other = (np.stack(list(read_frames(folder / f"{name}/my_ffhq.mp4"))).astype(int) for name in ("one", "other"))
    assert one.shape == other.shape and np.abs(one - other).mean() < 6


def wide_face(folder: Path) -> None:
    """The same face, once in square pixels, once in half as many that are twice as wide."""
    (folder / "square").mkdir()
    face(folder / "square/my.mp4")
    run_ffmpeg(
        "-i", folder / "square/my.mp4", "-vf", "scale=32:64,setsar=2/1", "-c:v", "libx264", "-crf", 5, folder / "my.mp4"
    )
    np.savez(folder / "my.npz", landmarks=points())


KEEP_PIXELS = r"Give pixels of the frame as a viewer sees it, and nan where there is no face\."
NO_SHARES = r"Give pixels, not shares; write nan where there is no face\."
ROWS = r"Write a row for each frame, nan where there is no face\."
SAVEZ = r"Write it by np\.savez\(FILE, {}=ARRAY\)\."
GOOD_FILES: dict[str, tuple[Callable[[Path], None], tuple[int, ...]]] = {
    "of the whole video": (lambda folder: saved(landmarks=points())(folder), (12,)),
    "of two frames less in the middle": (lambda folder: saved(landmarks=without(points(), 5, 6))(folder), (12,)),
    "of no face at both ends": (lambda folder: saved(landmarks=without(points(), 0, 1, 11))(folder), (9,)),
    "in half precision": (lambda folder: saved(landmarks=points().astype(np.float16))(folder), (12,)),
    "in whole pixels": (lambda folder: saved(landmarks=points().astype(np.int16))(folder), (12,)),
    "that is compressed and has more in it": (
        lambda folder: beside(lambda path: np.savez_compressed(path, landmarks=points(), more=np.arange(3)))(folder),
        (12,),
    ),
    "of the eyes and the mouth alone": (
        lambda folder: saved(landmarks=at(points(), (slice(None), [*range(36), 49, 67]), np.nan))(folder),  # type: ignore
        (12,),
    ),
}
BAD_LANDMARKS: dict[str, tuple[Callable[[Path], None], str]] = {
    "that is not there": (beside(lambda path: None), r"does not exist\. docs/cropping\.md says how to write it\."),
    "that is a folder": (beside(lambda path: path.mkdir()), r"cannot be read \(Is a directory\)\. .*"),
    "of text": (
        beside(lambda path: path.write_text("1 2 3")),
        rf"is no whole \.npz file \(.*\)\. {SAVEZ.format('landmarks')}",
    ),
    "of no bytes": (beside(lambda path: path.touch()), r"is no whole \.npz file \(.*\)\. .*"),
    "that is cut": (beside(cut_npz), r"is no whole \.npz file \(.*\)\. .*"),
    "with flipped bits": (beside(flipped_npz), r"is no whole \.npz file \(.*CRC-32.*\)\. .*"),
    "that ends too early": (beside(short_body), r"is no whole \.npz file \(.*\)\. .*"),
    "that is an empty zip": (
        beside(lambda path: zipfile.ZipFile(path, "w").close()),
        r"holds nothing but no landmarks\. .*",
    ),
    "of other keys": (
        lambda f: saved(points=points(), x=[1])(f),
        rf"holds points, x but no landmarks\. {SAVEZ.format('landmarks')}",
    ),
    "of objects": (
        saved(landmarks=np.array([None, {}], object)),
        r"landmarks: holds object, not numbers\. Write them as float32\.",
    ),
    "of words": (saved(landmarks=np.array(["a", "b"])), r"landmarks: holds <U1, not numbers\. .*"),
    "of complex numbers": (
        saved(landmarks=np.zeros((12, 68, 2), complex)),
        r"landmarks: holds complex128, not numbers\. .*",
    ),
    "of a frame less": (
        lambda f: saved(landmarks=points()[1:])(f),
        rf"landmarks: is \[11, 68, 2\], but \[12, 68, 2\] is needed: the video has 12 frames\. {ROWS}",
    ),
    "of a frame more": (
        lambda f: saved(landmarks=points()[[*range(12), 0]])(f),
        r"landmarks: is \[13, 68, 2\], but .*",
    ),
    "of no frame": (saved(landmarks=np.zeros((0, 68, 2))), r"landmarks: is \[0, 68, 2\], but .*"),
    "of 67 points": (saved(landmarks=np.ones((12, 67, 2))), r"landmarks: is \[12, 67, 2\], but .*"),
    "with depth": (saved(landmarks=np.ones((12, 68, 3))), r"landmarks: is \[12, 68, 3\], but .*"),
    "of several faces": (saved(landmarks=np.ones((12, 2, 68, 2))), r"landmarks: is \[12, 2, 68, 2\], but .*"),
    "of one number": (saved(landmarks=3), r"landmarks: is \[\], but .*"),
    "that claims a terabyte": (beside(lying_header), r"landmarks: is \[1000000000, 68, 2\], but .*"),
    "without a face": (
        lambda f: saved(landmarks=points() * np.nan)(f),
        r"landmarks: has a face in no frame: all are nan\. Leave the video out\.",
    ),
    "with infinity in it": (
        lambda f: saved(landmarks=at(points(), 3, np.inf))(f),
        rf"landmarks: frame 3 is far outside of the image of 64 x 64\. {KEEP_PIXELS}",
    ),
    "with huge numbers": (lambda f: saved(landmarks=at(points(), 4, 1e30))(f), r"landmarks: frame 4 is far outside .*"),
    "of another size of the video": (
        lambda f: saved(landmarks=points() * 4)(f),
        r"landmarks: frame 0 is far outside .*",
    ),
    "of zeros where there is no face": (
        lambda f: saved(landmarks=at(points(), 7, 0))(f),
        rf"landmarks: frame 7 has no face of 4 pixels or more\. {NO_SHARES}",
    ),
    "of shares of the image": (lambda f: saved(landmarks=points() / 64)(f), r"landmarks: frame 0 has no face of 4 .*"),
}
BAD_BOXES: dict[str, tuple[Callable[[Path], None], str]] = {
    "of other keys": (
        lambda f: saved(landmarks=points())(f),
        rf"holds landmarks but no boxes\. {SAVEZ.format('boxes')}",
    ),
    "with scores": (saved(boxes=np.ones((12, 5))), rf"boxes: is \[12, 5\], but \[12, 4\] is needed: .*\. {ROWS}"),
    "of a frame less": (lambda f: saved(boxes=boxes()[1:])(f), r"boxes: is \[11, 4\], but \[12, 4\] is needed: .*"),
    "without a face": (saved(boxes=np.full((12, 4), np.nan)), r"boxes: has a face in no frame: all are nan\. .*"),
    "with infinity in it": (lambda f: saved(boxes=at(boxes(), 2, np.inf))(f), r"boxes: frame 2 is far outside of .*"),
    "that end before they begin": (
        lambda f: saved(boxes=boxes()[:, [2, 3, 0, 1]])(f),
        rf"boxes: frame 0 has no face of 4 pixels or more\. {NO_SHARES}",
    ),
    "of zeros": (saved(boxes=np.zeros((12, 4))), r"boxes: frame 0 has no face of 4 pixels or more\. .*"),
}
CROP = "crop my.mp4 --landmarks my.npz --resolution 64 --device cpu"
FFHQ = "{type: ffhq, landmarks: faces}"


def faces(**arrays: object) -> Callable[[Path], None]:
    """films/my film.mp4 and films/other.mp4, with landmarks of the first, and of the second what is given."""

    def make(folder: Path) -> None:
        face(folder / "films/my film.mp4")
        path = face(folder / "films/other.mp4")
        run_ffmpeg("-i", folder / "films/my film.mp4", "-vf", "hflip", path)
        (folder / "faces").mkdir()
        np.savez(folder / "faces/my_film.npz", landmarks=points())
        if arrays:
            np.savez(folder / "faces/other.npz", **arrays)  # type: ignore[arg-type]

    return make


def brought_census(folder: Path) -> None:
    census = read_json(folder / "results/data/mine/census.json")
    assert census["faces"]["landmarks"] == "brought" and not census["faces"]["weights"]
    assert all(len(video["brought"]) == 64 for video in census["faces"]["videos"])


def uneven_face(folder: Path) -> None:
    """24 frames of a face of which the second half is shown thrice as long, and the landmarks of all."""
    make_talking_faces(folder / "all", videos=1, frames=24, size=64, fps=25, seed=3)
    (folder / "some/original").mkdir(parents=True)
    (folder / "all/landmarks").rename(folder / "some/landmarks")
    select = r"select=lt(n\,12)+eq(n\,23)+not(mod(n\,3))"
    run_ffmpeg(
        "-i",
        folder / "all/original/face_0000.mp4",
        "-vf",
        select,
        "-fps_mode",
        "vfr",
        "-c:v",
        "libx264",
        folder / "some/original/face_0000.mp4",
    )


def named_face(folder: Path, name: str) -> dict[str, str]:
    face(folder / f"{name}.mp4")
    np.savez(folder / f"{name}.npz", landmarks=points())
    return {"file": name}


def named_crop(folder: Path, name: str) -> None:
    assert count_frames(folder / f"{name}_ffhq.mp4") == 12
    assert read_json(folder / f"{name}_shake.json")["video"] == f"{name}.mp4"


def even_crop(folder: Path) -> None:
    assert count_frames(folder / "cropped/face_0000_ffhq.mp4") == 24


LANDMARKS = [
    Case(
        "the crop of a video of variable rate shows all at its time",
        uneven_face,
        "crop some/original/face_0000.mp4 --set landmarks=rendered --set jitters=1 --resolution 32 --device cpu",
        holds=even_crop,
    ),
    *(
        Case(
            f"landmarks of a file named {name!r}",
            lambda folder, name=name: named_face(folder, name),
            "crop {file}.mp4 --landmarks {file}.npz --resolution 32 --device cpu --out .",
            shows=(rf"{re.escape(printable(name))}_ffhq\.mp4: ours jerks by .*",),
            holds=lambda folder, name=name: named_crop(folder, name),
        )
        for name in (LATIN1, "concat:a", "%d")
    ),
    Case(
        "landmarks of a video of variable rate",
        uneven_face,
        "crop some/original/face_0000.mp4 --landmarks some/landmarks/face_0000.npz",
        code=2,
        line=r"some/original/face_0000\.mp4: has a variable rate, so landmarks do not tell their time\. Convert it "
        r"first, `ffmpeg -i face_0000\.mp4 -r 25 even\.mp4`, and find the faces in that\.",
    ),
    *(
        Case(f"landmarks {name}", make, CROP, shows=(r"cropped/my_ffhq\.mp4: ours jerks by .*",), holds=crops(*frames))
        for name, (make, frames) in GOOD_FILES.items()
    ),
    Case(
        "landmarks of a video of wide pixels",
        wide_face,
        "crop square/my.mp4 --landmarks my.npz --resolution 64 --device cpu --out one\n"
        "crop my.mp4 --landmarks my.npz --resolution 64 --device cpu --out other",
        holds=upright,
    ),
    *(
        Case(f"landmarks {name}", make, CROP, code=2, line=rf"my\.npz: {line}")
        for name, (make, line) in BAD_LANDMARKS.items()
    ),
    *(
        Case(
            f"boxes {name}",
            make,
            "crop my.mp4 --boxes my.npz --device cpu",
            code=2,
            line=rf"my\.npz: {line}",
            environment={"STYLEINV_WEIGHTS_FAN_2D4": "fan"},
        )
        for name, (make, line) in BAD_BOXES.items()
    ),
    denied(
        "unreadable landmarks",
        lambda folder: saved(landmarks=points())(folder) or locked(folder / "my.npz"),
        CROP,
        rf"my\.npz: cannot be read {DENIED}\. Check its permissions\.",
    ),
    *(
        Case(name, lambda folder: saved(landmarks=points(), boxes=boxes())(folder), command, code=2, line=line)
        for name, command, line in (
            (
                "neither weights nor landmarks",
                "crop my.mp4",
                r"crop: ffhq: needs the weights retinaface_resnet50 and fan_2d4, which are not here\. Run `styleinv "
                r"weights fetch retinaface_resnet50 fan_2d4` where there is a network, or bring landmarks of your own: "
                r"docs/cropping\.md\.",
            ),
            (
                "boxes without the weights of FAN",
                "crop my.mp4 --boxes my.npz",
                r"crop: ffhq: needs the weights fan_2d4, which are not here\. Run `styleinv weights fetch fan_2d4` .*",
            ),
            (
                "landmarks that are no .npz",
                "crop my.mp4 --landmarks my.csv",
                r"my\.csv: --landmarks: is no \.npz file\. docs/cropping\.md says how to write it\.",
            ),
            (
                "landmarks twice",
                CROP + " --set landmarks=other.npz",
                r"--landmarks: says what --set landmarks=other\.npz says\. Leave one of them out\.",
            ),
            (
                "landmarks and boxes",
                CROP + " --boxes my.npz",
                r"--set: boxes would do nothing where landmarks are brought\. .*",
            ),
            (
                "landmarks and shifts",
                CROP + " --set jitters=3",
                r"--set: jitters would do nothing where landmarks are brought\. Correct this value\.",
            ),
            (
                "landmarks and a preset of a network",
                CROP + " --preset single",
                r"--set: decoding, flip, jitters, radius would do nothing where landmarks are brought\. .*",
            ),
            (
                "boxes and the detector's confidence",
                "crop my.mp4 --boxes my.npz --set confidence=0.5",
                r"--set: confidence would do nothing where boxes are brought\. .*",
            ),
            (
                "landmarks and a comparison with the usual crop",
                CROP + " --report",
                r"--report: compares with the usual crop, whose landmarks only FAN finds\. Leave it out, .*",
            ),
            (
                "landmarks for a data set",
                "crop talking_faces --landmarks my.npz",
                r"--landmarks: is for a video file, not for the data set talking_faces\. .*",
            ),
        )
    ),
    Case(
        "landmarks of a data set",
        with_dataset(
            lambda folder: faces(landmarks=points()[:, [*range(16, -1, -1), *range(17, 68)]])(folder), crop=FFHQ
        ),
        "fetch mine\ncrop mine",
        holds=both(keeps(12, 12), brought_census),
    ),
    Case(
        "landmarks of a data set without those of a video",
        with_dataset(lambda folder: faces()(folder), crop=FFHQ),
        "fetch mine\ncrop mine",
        code=2,
        line=r"faces/other\.npz: does not exist\. docs/cropping\.md says how to write it\.",
    ),
    Case(
        "a video without landmarks is left out",
        with_dataset(lambda folder: faces()(folder), crop=FFHQ, on_bad_video="skip"),
        "fetch mine\ncrop mine",
        holds=both(keeps(12), missing(other=r"other\.npz: does not exist\. .*"), brought_census),
    ),
    Case(
        "a video of wrong landmarks is left out",
        with_dataset(lambda folder: faces(landmarks=points()[:5])(folder), crop=FFHQ, on_bad_video="skip"),
        "fetch mine\ncrop mine",
        holds=both(keeps(12), missing(other=r"other\.npz: landmarks: is \[5, 68, 2\], but .*"), brought_census),
    ),
    *(
        Case(
            name,
            with_dataset(lambda folder: faces(landmarks=points())(folder), crop=crop, **keys),
            "fetch mine\ncrop mine",
            code=2,
            line=line,
        )
        for name, crop, keys, line in (
            (
                "a folder of landmarks that is not there",
                "{type: ffhq, landmarks: fann}",
                {},
                r"fann: crop\.landmarks: is not a folder\. Use fan, or name the folder that holds <video>\.npz of .*",
            ),
            (
                "landmarks and another rate",
                FFHQ,
                {"fps": 25},
                r"fps: landmarks are brought for the frames as they are stored\. Set fps: null, .*",
            ),
            (
                "no landmarks at all are usable",
                "{type: ffhq, landmarks: films}",
                {"on_bad_video": "skip"},
                r"results/data/mine/raw: no video is usable; my_film: my_film\.npz: does not exist\. .*",
            ),
            (
                "boxes of a data set without the weights of FAN",
                "{type: ffhq, boxes: faces}",
                {},
                r"crop: ffhq: needs the weights fan_2d4, which are not here\. .*",
            ),
        )
    ),
    Case(
        "landmarks and shifts in a data set",
        with_dataset(lambda folder: faces()(folder), crop="{type: ffhq, landmarks: faces, jitters: 3}"),
        "fetch mine",
        code=2,
        line=r"config/datasets/mine\.yaml: crop: jitters would do nothing where landmarks are brought\. .*",
    ),
]


CASES = [*PIXELS, *RATES, *broken_cases(), *NAMES, *UNREADABLE, *METADATA, *ZIPS, *HOPELESS, *LANDMARKS]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_brought(case: Case, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    run_case(case, tmp_path, capsys, monkeypatch)
