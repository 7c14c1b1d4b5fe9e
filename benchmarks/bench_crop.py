"""Speed of every part of an FFHQ crop, of the frame store, and the memory of a long video.

    python benchmarks/bench_crop.py [--device cuda]

The face networks have random weights of the true shapes: these do not change the time. The store's random access is
measured against a folder of the same JPEG files read by Pillow: the median ratio of CPU times of interleaved pairs.
"""

import argparse
import dataclasses
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from styleinv.crop import ffhq, shake
from styleinv.crop.fan import Fan
from styleinv.crop.follow import chunks, follow
from styleinv.crop.landmarks import find_landmarks
from styleinv.crop.rendered import RenderedFaces
from styleinv.crop.retinaface import RetinaFace
from styleinv.crop.settings import PRESETS, Alignment
from styleinv.crop.stabilise import smooth, split_at_gaps
from styleinv.data.store import FrameStore, encode, write_store
from styleinv.data.synthetic import make_talking_faces
from styleinv.data.video import read_frames, write_video
from styleinv.data.weights import LOCK, WEIGHTS
from styleinv.files import sha256, write_json

SIZE, OUTPUT = 720, 256


def frames_per_second(work: Callable[[], int], repeats: int = 3) -> float:
    """Best of some repetitions; `work` returns how many frames it did."""
    rates = []
    for _ in range(repeats):
        start = time.perf_counter()
        count = work()
        rates.append(count / (time.perf_counter() - start))
    return max(rates)


def random_weights(folder: Path) -> None:
    """Files as they are published, and a lock that trusts them."""
    from face_alignment.models import FAN
    from retinaface.network import RetinaFace as Network

    torch.manual_seed(0)
    layers = {"layer2": 1, "layer3": 2, "layer4": 3}
    warnings.simplefilter("ignore", UserWarning)  # the package speaks to torchvision as one did in 2021
    detector = Network("Resnet50", pretrained=False, in_channels=256, return_layers=layers, out_channels=256)
    torch.save(detector.state_dict(), folder / "inner.pth")
    with zipfile.ZipFile(folder / WEIGHTS["retinaface_resnet50"].file_name, "w") as archive:
        archive.write(folder / "inner.pth", "retinaface_resnet50_2020-07-20.pth")
    fan = FAN(4).state_dict()
    path = folder / WEIGHTS["fan_2d4"].file_name
    # FAN's publisher names the beginning of its hash; of random weights only this can be had.
    WEIGHTS["fan_2d4"] = dataclasses.replace(WEIGHTS["fan_2d4"], sha256_prefix="")
    torch.save(fan, path)
    entries = {WEIGHTS[name].url: folder / WEIGHTS[name].file_name for name in ("retinaface_resnet50", "fan_2d4")}
    write_json(LOCK, {url: {"sha256": sha256(file), "size": file.stat().st_size} for url, file in entries.items()})


def stages(folder: Path, device: torch.device) -> list[np.ndarray]:
    """One line per part of the crop of a video of SIZE x SIZE to OUTPUT x OUTPUT; returns the crops."""
    make_talking_faces(folder, videos=1, frames=48, size=SIZE, fps=25, seed=0)
    video = folder / "original/face_0000.mp4"
    landmarks = np.load(folder / "landmarks/face_0000.npz")["landmarks"].astype(float)
    frames = list(read_frames(video))
    squares = ffhq.square(ffhq.anchors(landmarks))
    random_weights(folder)
    detector, network = RetinaFace(folder, device), Fan(folder, device)
    few = frames[: 48 if device.type == "cuda" else 4]
    boxes = np.concatenate([landmarks.min(1), landmarks.max(1)], 1)
    cropper = ffhq.Cropper(squares, (SIZE, SIZE), OUTPUT)
    crops = [cropper.crop(frame, square) for frame, square in zip(frames, squares, strict=True)]

    def landmark(preset: str) -> int:
        for start in range(0, len(few), 8):
            numbers = range(start, min(start + 8, len(few)))
            chosen = boxes[numbers.start : numbers.stop]
            find_landmarks(network, few[start : start + 8], numbers, chosen, Alignment(preset=preset), "v")
        return len(few)

    def detect() -> int:
        return sum(len(detector.detect(chunk, range(len(chunk)))) for chunk in chunks(few))

    def encode_video() -> int:
        write_video(folder / "crop.mp4", crops, 25)
        return len(crops)

    work: dict[str, Callable[[], int]] = {
        f"decode {SIZE} x {SIZE}": lambda: sum(1 for _ in read_frames(video)),
        "detect (RetinaFace, 960 pixels)": detect,
        "landmark, 1 box (FAN)": lambda: landmark("single"),
        "landmark, 10 boxes (FAN)": lambda: landmark("ours"),
        f"warp to {OUTPUT} x {OUTPUT}": lambda: len([cropper.crop(f, s) for f, s in zip(frames, squares, strict=True)]),
        "encode JPEG 95": lambda: len([encode(crop, "jpeg95") for crop in crops]),
        "encode H.264": encode_video,
    }
    for name, one in work.items():
        slow = device.type == "cpu" and ("FAN" in name or "RetinaFace" in name)
        print(f"{name:40} {frames_per_second(one, 1 if slow else 3):8.1f} frames/s", flush=True)
    return crops


def shake_of_presets(folder: Path) -> None:
    """How far each preset is from the exact square, from frame to frame, on heat-maps drawn from exact landmarks."""
    landmarks = np.load(folder / "landmarks/face_0000.npz")["landmarks"].astype(float)
    exact = ffhq.square(ffhq.anchors(landmarks))
    blank = [np.zeros((1, 1, 3), np.uint8)] * len(landmarks)
    print("\nshake in pixels of 256 x 256 (centre, size) and degrees (roll), by preset and noise of the heat-maps")
    for name in PRESETS:
        settings, cells = Alignment(preset=name), []
        for noise in (0.0, 0.01, 0.05):
            faces = RenderedFaces(landmarks, (SIZE, SIZE), 0, "v", noise)
            followed = follow(lambda: blank, faces, faces, settings, "v")
            (clip,) = split_at_gaps(followed.squares, settings.max_gap)
            squares = smooth(clip, settings.sigma_centre, settings.sigma_size).squares
            cells.append(" ".join(f"{value:.3f}" for value in shake.jitter(squares, exact, OUTPUT).values()))
        print(f"{name:10} " + " | ".join(cells))


def store_against_files(folder: Path, crops: list[np.ndarray]) -> None:
    """Random clips of 16 frames from a store, and from a folder of the same JPEG files."""
    rng = np.random.default_rng(0)
    clips = {f"v{i:02d}": crops for i in range(20)}
    write_store(folder / "a.zip", clips.items(), {"fps": 25}, "jpeg95")
    with zipfile.ZipFile(folder / "a.zip") as archive:
        archive.extractall(folder / "files")
    store = FrameStore(folder / "a.zip")
    draws = [(int(rng.integers(20)), rng.integers(0, len(crops), 16)) for _ in range(30)]

    def from_store() -> None:
        for video, numbers in draws:
            store.frames(video, numbers)

    def from_files() -> None:
        for video, numbers in draws:
            names = [folder / f"files/{store.names[video]}/{number:06d}.jpg" for number in numbers]
            np.stack([np.asarray(Image.open(name).convert("RGB")) for name in names])

    ratios, rate = [], 0.0
    for turn in range(7):
        times = []
        for call in (from_files, from_store):
            start = time.process_time()
            call()
            times.append(time.process_time() - start)
        if turn >= 2:
            ratios.append(times[0] / times[1])
            rate = max(rate, 16 * len(draws) / times[1])
    print(f"{'frame store, random access':40} {rate:8.1f} frames/s, {statistics.median(ratios):.2f}x a folder of JPEGs")


MEMORY = """
import re, sys
from pathlib import Path
import torch
from styleinv.stages.crop_video import crop_video
from styleinv.stages.setting import Setting
crop_video(Path(sys.argv[1]), Path(sys.argv[2]), {"landmarks": "rendered", "jitters": 2}, 64, False, "cpu", Setting())
print(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024)
"""


def memory(folder: Path) -> None:
    """Peak memory of cropping a video and one that is ten times as long."""
    make_talking_faces(folder, videos=1, frames=200, size=192, fps=25, seed=0)
    short, long = folder / "original/face_0000.mp4", folder / "original/long.mp4"
    landmarks = np.load(folder / "landmarks/face_0000.npz")["landmarks"]
    turn = [frame for i in range(10) for frame in list(range(200))[:: 1 if i % 2 == 0 else -1]]  # there and back
    frames = list(read_frames(short))
    write_video(long, (frames[i] for i in turn), 25)
    np.savez(folder / "landmarks/long.npz", landmarks=landmarks[turn])
    del frames
    peaks = []
    for file in (short, long):
        words = [sys.executable, "-c", MEMORY, str(file), str(folder / "out")]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        peaks.append(float(done.stdout.split()[-1]))
    print(
        f"{'peak memory, 200 and 2000 frames':40} {peaks[0]:.0f} MB and {peaks[1]:.0f} MB ({peaks[1] / peaks[0]:.3f}x)"
    )


def main() -> None:
    """Print one line per figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    device = torch.device(parser.parse_args().device)
    threads = torch.get_num_threads()
    print(
        f"{os.cpu_count()} cores, {threads} threads, {torch.cuda.get_device_name() if device.type == 'cuda' else 'CPU'}"
    )
    with tempfile.TemporaryDirectory() as name:
        folder, home = Path(name), Path.cwd()
        os.chdir(folder)  # the lock of the random weights is not the project's
        try:
            memory(folder)
            store_against_files(folder, stages(folder, device))
            shake_of_presets(folder)
        finally:
            os.chdir(home)


if __name__ == "__main__":
    main()
