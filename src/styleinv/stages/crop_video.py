"""crop FILE: cut the stabilised face out of one video, and measure how much steadier it is than the usual crop."""

import functools
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from styleinv.crop import shake
from styleinv.crop.align import Aligner, Frames, require_weights
from styleinv.crop.brought import READERS
from styleinv.crop.follow import Followed
from styleinv.crop.raw import BadVideo
from styleinv.crop.settings import Alignment
from styleinv.crop.stabilise import Clip
from styleinv.data.check import VARIABLE
from styleinv.data.video import VideoInfo, measure, probe, read_frames, write_video
from styleinv.errors import UserError, printable
from styleinv.files import sha256, write_json
from styleinv.schema import Layer, parse
from styleinv.stages.crop import STAND_IN, make_aligner
from styleinv.stages.setting import Setting
from styleinv.training.distribution import device_of

MIN_FRAMES = 8  # shorter clips are not written
USUAL = "single"  # the preset that the report compares with


def crop_video(
    file: Path, out: Path, keys: dict[str, Any], resolution: int, report: bool, device: str, setting: Setting
) -> str:
    """Write `<stem>_ffhq.mp4`, one file per clip where long gaps split the video, and `<stem>_shake.json`.

    Args:
        file: any video that ffmpeg reads; sound is lost, and a variable rate becomes the one that the file says.
        out: the folder for the results.
        keys: preset and changed keys of `crop.settings.Alignment`.
        resolution: side of the crop in pixels.
        report: also crop with the preset `single` and write both, side by side, as `<stem>_comparison.mp4`.
        device: auto, cpu or cuda.
        setting: where the weights are.

    Returns:
        What was written and how much it shakes, in a few lines.

    Raises:
        UserError: no such video, no face in it, unknown keys, or weights that are not there.
    """
    # Check everything before any work.
    if resolution < 16:
        raise UserError(f"must be at least 16, not {resolution}", field="--resolution", cure="Give 256, for instance.")
    if out.exists() and not out.is_dir():
        raise UserError("is not a folder", file=out, cure="Give another --out.")
    settings = parse(Alignment, Layer("--set", keys))
    if report and settings.brought == "landmarks":
        cure = "Leave it out, or bring boxes alone."
        raise UserError("compares with the usual crop, whose landmarks only FAN finds", field="--report", cure=cure)
    info = probe(file)
    require_weights(settings, setting.paths.weights)
    known, source = _known(settings, file, info)
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("there is no GPU that torch can use", field="--device", cure="Use cpu or auto.")

    # Follow the face, then write its clips.
    torch_device = device_of(device)
    aligner = make_aligner(settings, resolution, setting, torch_device)
    frames = functools.partial(read_frames, file, None if source else info.fps)
    followed, clips = _follow(aligner, file, frames, (info.height, info.width), known)
    names = [f"{file.stem}_ffhq{f'_{i + 1}' if len(clips) > 1 else ''}.mp4" for i in range(len(clips))]
    measured = {}
    for name, clip in zip(names, clips, strict=True):
        fidelity = shake.FrameFidelity()
        crops = aligner.crop(islice(frames(), clip.start, clip.start + len(clip)), clip, followed.size)
        write_video(out / name, _watched(crops, fidelity), info.fps)
        itf = shake.rounded({"itf_db": fidelity.value})
        measured[name] = {"first_frame": clip.start, "frames": len(clip)} | aligner.shake(clip, info.fps) | itf

    record: dict[str, Any] = {"video": file.name, "stand_in": aligner.stand_in, "weights": aligner.hashes}
    record |= {"settings": aligner.settings.record(), "fps": info.fps, "resolution": resolution}
    record |= {"brought": sha256(source)} if source else {}
    record |= _census(followed, clips) | {"clips": measured}
    lines = [f"{out / name}: {_line(aligner.settings.preset, measured[name])}" for name in names]
    if report:
        # The same frames by the usual preset, side by side.
        usual_settings = Alignment(preset=USUAL, landmarks=settings.landmarks, boxes=settings.boxes)
        usual = make_aligner(usual_settings, resolution, setting, torch_device)
        _, other = _follow(usual, file, frames, followed.size, known)
        comparison = out / f"{file.stem}_comparison.mp4"
        films = _SideBySide(frames, (usual, aligner), (other, clips), followed.size)
        write_video(comparison, films.frames(), info.fps)
        left, right = (fidelity.value or 0.0 for fidelity in films.fidelities)
        record["compared_with"] = {
            "settings": usual.settings.record(),
            "clips": [usual.shake(clip, info.fps) for clip in other],
            "itf_gain_db": shake.rounded(right - left),
        }
        longest = max(other, key=len)
        lines.append(f"{comparison}: {_line(USUAL, usual.shake(longest, info.fps))}")
    write_json(out / f"{file.stem}_shake.json", record)
    if aligner.stand_in:
        lines.append(STAND_IN)
    return printable("\n".join(lines))


def _known(settings: Alignment, file: Path, info: VideoInfo) -> tuple[np.ndarray | Path | None, Path | None]:
    """What is known of the faces of a video before it is looked at, and the file that brings it."""
    if settings.brought:
        source, found = Path(getattr(settings, settings.brought)), measure(file)
        if found.uneven(info.fps) > VARIABLE:
            cure = f"Convert it first, `ffmpeg -i {file.name} -r {info.fps:g} even.mp4`, and find the faces in that."
            raise UserError(f"has a variable rate, so {settings.brought} do not tell their time", file=file, cure=cure)
        return READERS[settings.brought](source, found.frames, (info.height, info.width)), source
    exact = file.absolute().parent.parent / "landmarks" / f"{file.stem}.npz"  # where the synthetic faces have them
    return exact if settings.landmarks == "rendered" and exact.exists() else None, None


def _follow(
    aligner: Aligner, file: Path, frames: Frames, size: tuple[int, int], known: np.ndarray | Path | None
) -> tuple[Followed, list[Clip]]:
    try:
        followed = aligner.follow(frames, file.stem, size, known)
    except BadVideo as problem:
        raise UserError(str(problem), file=file) from None
    clips = [clip for clip in aligner.clips(followed) if len(clip) >= MIN_FRAMES]
    if not clips:
        seen = f"in {followed.detected} of {followed.frames} frames, never in {MIN_FRAMES} in a row"
        what = f"shows a face {seen}" if followed.detected else f"shows no face in any of {followed.frames} frames"
        raise UserError(what, file=file, cure="Try --set confidence=0.5, or another video.")
    return followed, clips


def _watched(crops: Iterable[np.ndarray], fidelity: shake.FrameFidelity) -> Iterator[np.ndarray]:
    for image in crops:
        fidelity.add(image)
        yield image


def _census(followed: Followed, clips: list[Clip]) -> dict[str, Any]:
    stored = sum(map(len, clips))
    return {
        "source_frames": followed.frames,
        "detected": followed.detected,
        "interpolated": sum(int((~clip.measured).sum()) for clip in clips),
        "dropped": followed.frames - stored,
        "splits": len(clips) - 1,
        "crowded": followed.crowded,
    }


class _SideBySide:
    """Two crops of one video side by side, in the frames that both have.

    Attributes:
        fidelities: of the left and of the right half, once the frames have been read.
    """

    def __init__(
        self,
        frames: Frames,
        aligners: tuple[Aligner, Aligner],
        clips: tuple[list[Clip], list[Clip]],
        size: tuple[int, int],
    ):
        self._frames, self._labels = frames, [aligner.settings.preset for aligner in aligners]
        self._squares = [_by_frame(half) for half in clips]
        self._croppers = [
            [aligner.cropper(clip, size) for clip in half] for aligner, half in zip(aligners, clips, strict=True)
        ]
        self.fidelities = shake.FrameFidelity(), shake.FrameFidelity()

    def frames(self) -> Iterator[np.ndarray]:
        """Yield the frames with their labels, uint8 [resolution, 2 resolution, 3]."""
        for number, frame in enumerate(self._frames()):
            if not all(number in squares for squares in self._squares):
                continue
            halves = []
            for half, label in enumerate(self._labels):
                clip, square = self._squares[half][number]
                image = self._croppers[half][clip].crop(frame, square)
                self.fidelities[half].add(image)
                halves.append(_labelled(image, label))
            yield np.concatenate(halves, 1)


def _by_frame(clips: list[Clip]) -> dict[int, tuple[int, np.ndarray]]:
    """Map frame numbers to (index of the clip, square)."""
    return {clip.start + i: (number, clip.squares[i]) for number, clip in enumerate(clips) for i in range(len(clip))}


def _labelled(image: np.ndarray, text: str) -> np.ndarray:
    scale = image.shape[0] / 512
    place = (round(12 * scale), round(30 * scale))
    for colour, width in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, width, cv2.LINE_AA)
    return image


def _line(preset: str, measured: dict[str, Any]) -> str:
    found = measured["jerkiness"]
    return (
        f"{preset} jerks by {found['centre_px']:.2f} px in place, {found['size_px']:.2f} px in size, "
        f"{found['roll_deg']:.2f} degrees"
    )
