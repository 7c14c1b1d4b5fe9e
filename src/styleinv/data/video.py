"""Reading and writing of video files, through ffmpeg.

The executable is the system's `ffmpeg` where there is one of version 6 or newer, else the one that imageio-ffmpeg
brings. `ffprobe` is not needed.
"""

import contextlib
import functools
import math
import os
import re
import shutil
import subprocess
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import IO, Any

import ffmpeg
import imageio_ffmpeg
import numpy as np

from styleinv.data.tree import walk
from styleinv.errors import UserError, cannot_read
from styleinv.files import atomic

VIDEO_SUFFIXES = frozenset(
    ".3gp .avi .flv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .ogv .ts .webm .wmv".split()
)  # compared in lower case

# swscale without these takes fast paths that differ between processors.
_EXACT_SCALER = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact"

# The pixels of DV and of many phones are no squares. Where they are wide (or high), the image is made as much wider (or
# higher), so that no detail is lost and a video that is turned by a flag is the upright one, turned. `_shown` is the
# same in Python.
MAX_ASPECT = 8  # sides of a pixel; real ones stay below 4
_SQUARE_PIXELS = {"w": f"round(iw*clip(sar,1,{MAX_ASPECT}))", "h": f"round(ih*clip(1/sar,1,{MAX_ASPECT}))"}

# By default ffmpeg rounds times to the nominal rate, and refuses two frames that fall on one number.
_FINE_TIME = {"enc_time_base": "1:1000000"}

# Stands for the video's path in a command until it runs: ffmpeg-python takes no path that is not UTF-8.
_PATH = "file:the video"


@dataclass(frozen=True)
class VideoInfo:
    """Size in square pixels as the viewer sees it (after rotation flags) and nominal frames per second."""

    width: int
    height: int
    fps: float


@dataclass(frozen=True)
class Measured:
    """What is known of a video that has been decoded from its first to its last frame.

    Attributes:
        width, height: in square pixels, as the viewer sees it.
        aspect: width by height of a pixel as it is stored.
        times: float64 [frames], seconds from the first frame to each.
    """

    width: int
    height: int
    aspect: Fraction
    times: np.ndarray

    @property
    def frames(self) -> int:
        """Number of frames that `read_frames` yields without resampling."""
        return len(self.times)

    def uneven(self, fps: float) -> float:
        """How far a frame may be from where it would be at a constant rate, in frames of that rate."""
        return float(np.abs(self.times * fps - np.arange(self.frames)).max())


def probe(path: str | Path) -> VideoInfo:
    """Read size and frame rate of a video from its first decoded frame.

    Raises:
        UserError: the file is missing, empty, cannot be read, or its first frame cannot be decoded.
    """
    stream = _source(path).output("pipe:", format="yuv4mpegpipe", pix_fmt="yuv444p", vframes=1, strict="-1")
    with _decoder(stream, path) as pipe:
        header = pipe.readline().decode("ascii", "replace")
        while pipe.read(1 << 20):
            pass
    found = re.match(r"YUV4MPEG2 W(\d+) H(\d+) F(\d+):(\d+)(?: I\S)?(?: A(\d+):(\d+))?", header)
    if not found:
        raise UserError("contains no video frame", file=path, cure="Remove it or fetch it again.")
    width, height, numerator, denominator, across, down = (int(number or 0) for number in found.groups())
    if not numerator or not denominator:
        raise UserError("does not say its frame rate", file=path, cure="Convert it to mp4 first.")
    return VideoInfo(*_shown(width, height, _aspect(across, down, path)), numerator / denominator)


def count_frames(path: str | Path) -> int:
    """Count the frames that `read_frames(path)` yields; see `measure`."""
    return measure(path).frames


def measure(path: str | Path) -> Measured:
    """Measure a video by decoding the whole file without converting pixels.

    Raises:
        UserError: the file is missing, cannot be read, is not a video, cut or corrupt.
    """
    started = _source(path).filter("setpts", "PTS-STARTPTS")
    stream = started.output("pipe:", format="framecrc", fps_mode="passthrough", **_FINE_TIME)
    width = height = across = down = 0
    times = array("q")
    with _decoder(stream, path) as pipe:
        for line in pipe:
            if not line.startswith(b"#"):
                times.append(int(line.split(b",")[2]))
            elif line.startswith(b"#dimensions 0:"):
                width, height = (int(number) for number in line.split()[-1].split(b"x"))
            elif line.startswith(b"#sar 0:"):
                across, down = (int(number) for number in line.split()[-1].split(b"/"))
    if not times:
        raise UserError("contains no video frame", file=path, cure="Remove it or fetch it again.")
    aspect = _aspect(across, down, path)
    return Measured(*_shown(width, height, aspect), aspect, np.array(times, np.float64) / 1e6)


def read_frames(path: str | Path, fps: float | None = None, as_stored: bool = False) -> Iterator[np.ndarray]:
    """Yield every frame in order; memory does not grow with the length.

    Args:
        path: any file that ffmpeg reads; sound is ignored, rotation flags are applied and pixels made square.
        fps: resample in time to this constant rate (nearest frame); None keeps the frames as they are stored.
        as_stored: take pixels for squares whatever the file says of their shape.

    Yields:
        uint8 RGB [H, W, 3], each a fresh array.

    Raises:
        UserError: the file is missing, not a video, cut or corrupt. The error comes at the latest after the last good
            frame, so whoever reads to the end never takes a damaged file for a shorter one.
    """
    video = _source(path)
    if fps is not None:
        video = _resampled(video, fps)
    size = {} if as_stored else _SQUARE_PIXELS
    video = video.filter("scale", flags=_EXACT_SCALER, **size).filter("format", "rgb24")
    # A PPM image carries its own size, so no second process has to ask for it.
    stream = video.output("pipe:", format="image2pipe", vcodec="ppm", fps_mode="passthrough", **_FINE_TIME)
    count = 0
    with _decoder(stream, path) as pipe:
        while (frame := _read_ppm(pipe)) is not None:
            count += 1
            yield frame
    if not count:
        raise UserError("contains no video frame", file=path, cure="Remove it or fetch it again.")


def read_selected(path: str | Path, fps: float, ranges: Sequence[tuple[int, int]]) -> Iterator[tuple[int, np.ndarray]]:
    """Yield chosen frames of a long video with their numbers, in one pass over the file.

    Args:
        path: as for `read_frames`.
        fps: the rate that frames are numbered at, by their time stamps, from 0 for the first; at the video's own
            constant rate every frame counts once.
        ranges: (first, number of frames) of what is wanted.

    Yields:
        (frame number, uint8 RGB [H, W, 3]), ascending, each once even where ranges overlap.

    Raises:
        UserError: as `read_frames`; only where a wanted frame, or one before it, cannot be decoded.
    """
    merged: list[list[int]] = []
    for first, frames in sorted(ranges):
        if merged and first <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], first + frames)
        else:
            merged.append([first, first + frames])
    chosen = "+".join(f"between(n,{first},{end - 1})" for first, end in merged)
    video = _resampled(_source(path), fps).filter("trim", end_frame=merged[-1][1])
    video = video.filter("select", chosen).filter("scale", flags=_EXACT_SCALER, **_SQUARE_PIXELS)
    video = video.filter("format", "rgb24")
    stream = video.output("pipe:", format="image2pipe", vcodec="ppm", fps_mode="passthrough")
    numbers = (number for first, end in merged for number in range(first, end))
    with _decoder(stream, path) as pipe:
        while (frame := _read_ppm(pipe)) is not None:
            yield next(numbers), frame


# How videos are stored, by the ending of their names.
_CODECS: dict[str, dict[str, Any]] = {
    ".mp4": {"format": "mp4", "vcodec": "libx264", "preset": "medium", "movflags": "+faststart"},
    ".webm": {"format": "webm", "vcodec": "libvpx-vp9", "video_bitrate": 0, "row-mt": 0},
    ".gif": {"format": "gif"},
}


def write_video(
    path: str | Path, frames: Iterable[np.ndarray], fps: float, crf: int = 10, comment: str | None = None
) -> None:
    """Write a video; the same frames always give the same bytes.

    The name's ending chooses: `.mp4` is H.264 that starts playing before it is fully loaded, `.webm` is VP9, `.gif` has
    the 256 colours that suit its frames best. Even sizes are stored as yuv420p, which every player shows. Odd sizes are
    stored as yuv444p, because 4:2:0 would have to add a row or column; colours are BT.709 and tagged so.

    Args:
        path: where the file goes; written atomically.
        frames: uint8 RGB [H, W, 3], all of one size.
        fps: frames per second.
        crf: quality of x264 and VP9, 0 (lossless for yuv) to 51 (worst).
        comment: what the file says of itself; there is no other metadata in it.

    Raises:
        UserError: another ending, no frames, frames of several sizes or types, or ffmpeg failing (for instance a full
            disk).
    """
    codec = _CODECS.get(Path(path).suffix.lower())
    if codec is None:
        raise UserError("has no ending that says how to store a video", file=path, cure=f"Use {', '.join(_CODECS)}.")
    # The first frame tells the size.
    iterator = iter(frames)
    first = next(iterator, None)
    if first is None:
        raise UserError("there are no frames to write", file=path)
    height, width = _checked(first, None, path).shape[:2]
    source = ffmpeg.input("pipe:", format="rawvideo", pix_fmt="rgb24", s=f"{width}x{height}", framerate=_rate(fps))
    if codec["format"] == "gif":
        pair = source.split()
        pictures = ffmpeg.filter([pair[0], pair[1].filter("palettegen")], "paletteuse", dither="none")
        options: dict[str, Any] = {}
    else:
        pictures = source.filter("scale", flags=_EXACT_SCALER, out_color_matrix="bt709", out_range="tv")
        pictures = pictures.filter("format", "yuv420p" if width % 2 == 0 and height % 2 == 0 else "yuv444p")
        tags = {"colorspace": "bt709", "color_primaries": "bt709", "color_trc": "bt709", "color_range": "tv"}
        options = {"crf": crf, "flags:v": "+bitexact"} | tags
    # One thread and no metadata of the writer's, so that the bytes depend on what is given alone.
    options |= {"threads": 1, "map_metadata": -1, "fflags": "+bitexact"}
    options |= {"metadata": f"comment={comment}"} if comment else {}
    with atomic(path) as temporary:
        stream = pictures.output(_PATH, **codec, **options)
        stream = stream.global_args("-v", "error", "-filter_complex_threads", "1").overwrite_output()
        _run(_command(stream, temporary), path, (_checked(frame, first, path) for frame in chain([first], iterator)))


def join_videos(path: str | Path, parts: Sequence[Path], comment: str | None = None) -> None:
    """Put mp4s of one size, rate and codec behind each other, as they are: no frame is decoded or encoded.

    Raises:
        UserError: ffmpeg fails (for instance a full disk).
    """
    with atomic(path) as temporary, tempfile.NamedTemporaryFile("w", suffix=".txt") as listed:
        for part in parts:
            name = str(part.absolute()).replace("'", "'\\''")
            listed.write(f"file '{name}'\n")
        listed.flush()
        options: dict[str, Any] = {"metadata": f"comment={comment}"} if comment else {}
        stream = ffmpeg.input(listed.name, format="concat", safe=0)
        stream = stream.output(_PATH, format="mp4", c="copy", movflags="+faststart", fflags="+bitexact", **options)
        _run(_command(stream.global_args("-v", "error").overwrite_output(), temporary), path)


def _run(command: list[str], path: str | Path, frames: Iterable[np.ndarray] = ()) -> None:
    """Run ffmpeg on frames that it reads from a pipe."""
    with tempfile.TemporaryFile() as messages:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=messages)
        assert process.stdin is not None
        # Messages go to a file: a full pipe would block ffmpeg.
        try:
            # Where it has ended by itself, its exit code and message follow.
            with contextlib.suppress(BrokenPipeError):
                for frame in frames:
                    process.stdin.write(np.ascontiguousarray(frame).data)
                process.stdin.close()
        except BaseException:
            process.kill()
            process.wait()
            raise
        if process.wait() != 0:
            raise UserError(f"could not be written ({_complaint(messages)})", file=path)


def comment_of(path: str | Path) -> str:
    """Read the comment in a video's metadata; empty where there is none.

    Raises:
        UserError: there is no such file, or it is no video.
    """
    _source(path)  # says what is wrong with it
    name = f"file:{Path(path).absolute()}"
    command = [executable(), "-v", "error", "-i", name, "-f", "ffmetadata", "pipe:"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
    if done.returncode:
        raise UserError("is no video that ffmpeg reads", file=path)
    lines = done.stdout.decode(errors="replace").splitlines()
    found = [line.partition("=")[2] for line in lines if line.lower().startswith("comment=")]
    return found[0].replace("\\", "") if found else ""


def list_videos(folder: str | Path, denied: list[OSError] | None = None) -> list[Path]:
    """List all video files below a folder (symlinks followed, hidden ones left out), sorted by path.

    Args:
        folder: where they are.
        denied: gets the error of each folder below it that cannot be listed; None lets the first one be raised.

    Raises:
        UserError: there is no such folder, no video in it, or it cannot be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError("is not a folder", file=folder, cure="Name the folder that holds the videos.")
    videos = [place / name for place, names in walk(folder, denied) for name in names if is_video(name)]
    if not videos and denied:
        raise cannot_read(denied[0].filename, denied[0])
    if not videos:
        cure = f"Known suffixes: {' '.join(sorted(VIDEO_SUFFIXES))}."
        raise UserError("contains no video files", file=folder, cure=cure)
    return sorted(videos, key=lambda video: video.relative_to(folder).as_posix())


def is_video(name: str) -> bool:
    """Whether a file name looks like a video that is not hidden."""
    return os.path.splitext(name)[1].lower() in VIDEO_SUFFIXES and not os.path.basename(name).startswith(".")


@functools.cache
def executable() -> str:
    """Return the path of the ffmpeg to run."""
    system = shutil.which("ffmpeg")
    if system:
        banner = subprocess.run([system, "-version"], capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout
        numbered = re.search(r"ffmpeg version n?(\d+)\.", banner)
        # Releases before 6 lose a whole video where a damaged packet should cost the frames behind it. A build without
        # a release number is a recent snapshot.
        if banner.startswith("ffmpeg version") and (not numbered or int(numbered[1]) >= 6):
            return system
    return imageio_ffmpeg.get_ffmpeg_exe()


def _source(path: str | Path) -> Any:
    """The first video stream of a file that can be read, with every decoding error made fatal."""
    path = Path(path)
    try:
        if not path.is_file():
            raise UserError("does not exist" if not path.exists() else "is not a file", file=path)
        if path.stat().st_size == 0:
            raise UserError("is empty (zero bytes)", file=path, cure="Remove it or fetch it again.")
        open(path, "rb").close()
    except OSError as error:
        raise cannot_read(path, error) from None
    return ffmpeg.input(_PATH, err_detect="explode")["v:0"]


def _resampled(video: Any, fps: float) -> Any:
    """Frames at a constant rate: at each time the nearest one, the first at 0.

    A constant-rate video whose times begin between two of the new ones, and are rounded to milliseconds, would lose and
    repeat frames.
    """
    return video.filter("setpts", "PTS-STARTPTS").filter("fps", fps=_rate(fps))


def _aspect(across: int, down: int, path: str | Path) -> Fraction:
    """Width by height of a pixel; 0 stands for a file that does not say."""
    aspect = Fraction(across, down) if across and down else Fraction(1)
    if not 1 / MAX_ASPECT <= aspect <= MAX_ASPECT:
        cure = "Convert it to square pixels: ffmpeg -i IN -vf setsar=1 OUT."
        raise UserError(f"says that its pixels are {across} wide and {down} high", file=path, cure=cure)
    return aspect


def _shown(width: int, height: int, aspect: Fraction) -> tuple[int, int]:
    """Width and height in square pixels; ffmpeg's numbers are doubles too."""
    return math.floor(width * max(float(aspect), 1.0) + 0.5), math.floor(height * max(1 / float(aspect), 1.0) + 0.5)


def _command(stream: Any, path: str | Path) -> list[str]:
    """The words that run ffmpeg on a path."""
    # "file:" keeps ffmpeg from reading a protocol or an option into an unusual name.
    name = f"file:{Path(path).absolute()}"
    return [name if word == _PATH else word for word in stream.compile(cmd=executable())]


@contextlib.contextmanager
def _decoder(stream: Any, path: str | Path) -> Iterator[IO[bytes]]:
    """Run ffmpeg and yield its standard output; an error that it reported is raised afterwards.

    The exit code alone does not tell: a file cut between two packets decodes "well" and only says `partial file`.
    """
    command = _command(stream.global_args("-nostdin", "-v", "error", "-xerror"), path)
    with tempfile.TemporaryFile() as messages:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=messages)
        assert process.stdout is not None
        try:
            yield process.stdout
            code = process.wait()
        finally:
            process.kill()  # a reader that stops early leaves it running
            process.stdout.close()
            process.wait()
        complaint = _complaint(messages)
        if code or complaint:
            what = f"cannot be decoded ({complaint or f'exit code {code}'})"
            raise UserError(what, file=path, cure="It is cut, corrupt or no video.")


def _complaint(messages: IO[bytes]) -> str:
    """Return the first error message of ffmpeg, without its internal addresses."""
    messages.seek(0)
    line = next((line for line in messages.read(4096).decode("utf-8", "replace").splitlines() if line.strip()), "")
    return re.sub(r"^(\[[^\]]*\] *)+", "", line).strip()


def _read_ppm(pipe: IO[bytes]) -> np.ndarray | None:
    """Read the next binary PPM image of a pipe; None at its end or at half an image (ffmpeg's exit code tells why)."""
    if pipe.readline() != b"P6\n":
        return None
    width, height = map(int, pipe.readline().split())
    pipe.readline()  # the largest value, 255
    frame = np.empty((height, width, 3), np.uint8)
    filled = pipe.readinto(frame.reshape(-1).data)  # type: ignore[attr-defined]
    return frame if filled == frame.size else None


def _rate(fps: float) -> str:
    """A rate as a fraction: 29.97 as a decimal drifts against 30000/1001."""
    if not 0 < fps < math.inf:
        raise UserError(f"a frame rate must be positive, not {fps}")
    for denominator in (1, 1001):
        numerator = round(fps * denominator)
        if numerator and abs(numerator / denominator - fps) < 1e-6:
            return f"{numerator}/{denominator}"
    fraction = Fraction(fps).limit_denominator(100_000)
    return f"{fraction.numerator}/{fraction.denominator}"


def _checked(frame: np.ndarray, like: np.ndarray | None, path: str | Path) -> np.ndarray:
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        raise UserError(f"frames must be uint8 [height, width, 3], not {frame.dtype} {list(frame.shape)}", file=path)
    if like is not None and frame.shape != like.shape:
        raise UserError(f"frames of several sizes: {list(like.shape[:2])} and {list(frame.shape[:2])}", file=path)
    return frame
