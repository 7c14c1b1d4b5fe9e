"""The built-in data set: synthetic talking faces as real video files, with their masks and landmarks.

It stands in for the gated data sets: the whole pipeline, from files with FaceForensics' layout to the tables, runs on
it within minutes, and every part of the cropping has a known answer.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np

from styleinv.data.cartoon_face import FacePainter, Pose, plain, random_identity
from styleinv.data.video import write_video
from styleinv.errors import UserError
from styleinv.files import atomic
from styleinv.rng import numbered

Drawing = Literal["detailed", "plain", "ink"]
# Clips in memory at once.
WRITTEN_TOGETHER = 3
# What `ink` makes of black and of white: blue lines on cream.
INK, PAPER = np.array([24, 36, 92], np.float32), np.array([252, 240, 212], np.float32)


def make_talking_faces(
    out_dir: str | Path,
    videos: int,
    frames: int,
    size: int,
    fps: float,
    seed: int,
    identities: int | None = None,
    drawing: Drawing = "detailed",
    shots: int = 1,
) -> list[str]:
    """Write `videos` clips of talking cartoon faces; the same arguments always give the same faces and motion.

    Args:
        out_dir: gets `original/<name>.mp4`, `mask/<name>.mp4` (white = background, black = head) and
            `landmarks/<name>.npz` (`landmarks`: float32 [frames, 68, 2], pixels, x right, y down, integers are pixel
            centres, iBUG order). Files of an earlier call are removed.
        videos: number of clips; clip i is the same however many there are.
        frames: frames of each clip.
        size: image side in pixels, at least 32.
        fps: frames per second; motion is defined in seconds.
        seed: another seed gives other persons.
        identities: number of persons; clip i shows person i modulo this. None: every clip another person.
        drawing: `plain` leaves out what a picture of some 32 pixels cannot show; `ink` draws that in blue on cream, for
            style sets.
        shots: equal parts of each clip; every cut shows another person, in the motion that goes on.

    Returns:
        The names, `face_0000` and on.

    Raises:
        UserError: a number out of range.
    """
    if videos < 1 or frames < 1 or size < 32 or not fps > 0 or (identities is not None and identities < 1):
        given = f"{videos}, {frames}, {size}, {fps}, {identities}"
        raise UserError(
            f"needs videos, frames, identities >= 1, size >= 32 and fps > 0, not {given}",
            cure="Correct `source` in the data set's YAML.",
        )
    if not 1 <= shots <= frames or (shots > 1 and (identities or videos) < 2):
        cure = "Correct `source.shots` in the data set's YAML."
        raise UserError(f"{shots} shots need as many frames, and several need two persons", cure=cure)
    out_dir = Path(out_dir)
    for old in [*out_dir.glob("*/face_[0-9]*.mp4"), *out_dir.glob("*/face_[0-9]*.npz")]:
        old.unlink()
    names = [f"face_{number:04d}" for number in range(videos)]

    def make(number: int, name: str) -> None:
        shown = persons_of(number, videos, identities, frames, shots)
        painters = {person: _painter(person, seed, drawing, size) for person in dict.fromkeys(shown)}
        poses = poses_of(number, seed, frames, fps)
        drawn = [painters[person].draw(pose) for person, pose in zip(shown, poses, strict=True)]
        if drawing == "ink":
            drawn = [(ink(image), mask, points) for image, mask, points in drawn]
        write_video(out_dir / "original" / f"{name}.mp4", (image for image, _, _ in drawn), fps)
        write_video(out_dir / "mask" / f"{name}.mp4", (np.repeat(mask[..., None], 3, 2) for _, mask, _ in drawn), fps)
        _write_landmarks(out_dir / "landmarks" / f"{name}.npz", np.stack([points for _, _, points in drawn]))

    # While one clip is drawn, ffmpeg writes another.
    with ThreadPoolExecutor(WRITTEN_TOGETHER) as pool:
        for _ in pool.map(make, range(videos), names):
            pass
    return names


def _painter(person: int, seed: int, drawing: Drawing, size: int) -> FacePainter:
    who = random_identity(numbered(seed, 2 * person), person)
    return FacePainter(who if drawing == "detailed" else plain(who), size)


def person_of(number: int, videos: int, identities: int | None) -> int:
    """Number the person that a clip shows, at first where it has several shots."""
    return number % (identities or videos)


def persons_of(number: int, videos: int, identities: int | None, frames: int, shots: int) -> list[int]:
    """Number the person in each frame of a clip."""
    return [person_of(number + frame * shots // frames, videos, identities) for frame in range(frames)]


def poses_of(number: int, seed: int, frames: int, fps: float) -> list[Pose]:
    """Give the exact pose in each frame of a clip; arguments as for `make_talking_faces`."""
    return list(talking_motion(numbered(seed, 2 * number + 1), frames, fps))


def ink(image: np.ndarray) -> np.ndarray:
    """Draw a picture, uint8 RGB [H, W, 3], in shades of one ink on paper."""
    light = image.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32) / 255
    return (INK + light[..., None] * (PAPER - INK)).round().astype(np.uint8)


def talking_motion(rng: np.random.Generator, frames: int, fps: float) -> Iterator[Pose]:
    """Yield poses of smooth head motion, blinks and speech: sums of slow sines of random rate, phase and strength."""
    seconds = np.arange(frames) / fps

    def wave(strength: float, slow: float, fast: float) -> np.ndarray:
        rates, phases = rng.uniform(slow, fast, 2), rng.uniform(0, 2 * np.pi, 2)
        first, second = np.sin(2 * np.pi * rates[:, None] * seconds + phases[:, None])
        return strength * (0.65 * first + 0.35 * second)

    lively = rng.uniform(0.75, 1.0)
    x, y = wave(0.055 * lively, 0.15, 0.45), wave(0.03 * lively, 0.2, 0.5)
    roll, scale = wave(0.13 * lively, 0.15, 0.4), 1 + wave(0.05 * lively, 0.1, 0.35)
    yaw, pitch = wave(0.42 * lively, 0.15, 0.45), wave(0.16 * lively, 0.15, 0.4)
    smile, brow, gaze = rng.uniform(0.1, 0.5) + wave(0.5, 0.1, 0.35), wave(0.9, 0.2, 0.5), wave(0.8, 0.2, 0.6)
    eagerness = np.clip(0.55 + wave(0.7, 0.15, 0.4), 0, 1)
    syllables = 0.5 + wave(0.5, 1.6, 2.8)
    mouth = np.clip(eagerness * syllables * 1.15, 0, 1)
    blinks = np.cumsum(rng.uniform(1.3, 3.0, 1 + int(frames / fps / 1.3))) - rng.uniform(0.3, 1.2)
    blink = np.exp(-(((seconds[:, None] - blinks[None]) / 0.075) ** 2)).sum(1).clip(0, 1)
    smile, brow, gaze = (values.clip(-1, 1) for values in (smile, brow, gaze))
    for values in zip(x, y, roll, scale, yaw, pitch, smile, mouth, blink, brow, gaze, strict=True):
        yield Pose(*map(float, values))


def _write_landmarks(path: Path, landmarks: np.ndarray) -> None:
    with atomic(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, landmarks=landmarks.astype(np.float32))
