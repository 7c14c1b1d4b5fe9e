"""The JPEG round trip is Pillow's, and kept frames are the scored ones."""

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from styleinv.evaluation.codec import stored
from styleinv.evaluation.protocol import Protocol
from tests.evaluation.fakes import video


def clips() -> torch.Tensor:
    return torch.from_numpy(np.stack([video(seed, 3) for seed in (1, 2)])).permute(0, 1, 4, 2, 3)


def pillow(frame: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    # What the official scripts do: Pillow ignores their q=95.
    Image.fromarray(frame).save(file, "JPEG", q=95)
    return np.asarray(Image.open(file))


def test_round_trip_is_pillows_default() -> None:
    before = clips()
    after = stored(before, Protocol(), ["a", "b"])
    assert after.dtype == torch.uint8 and after.shape == before.shape and not torch.equal(after, before)
    for video_index, frame in np.ndindex(2, 3):
        want = pillow(before[video_index, frame].permute(1, 2, 0).numpy())
        np.testing.assert_array_equal(after[video_index, frame].permute(1, 2, 0).numpy(), want)


def test_clean_changes_nothing() -> None:
    before = clips()
    assert stored(before, Protocol(protocol="lossless"), ["a", "b"]) is before


def test_kept_frames_are_what_was_scored(tmp_path: Path) -> None:
    for name, suffix in (("styleinv", "jpg"), ("lossless", "png")):
        after = stored(clips(), Protocol(protocol=name), ["a", "b"], tmp_path / name)
        files = sorted(path.relative_to(tmp_path / name).as_posix() for path in (tmp_path / name).rglob("*.*"))
        assert files == [f"{v}/{f:06d}.{suffix}" for v in "ab" for f in range(3)]
        read = np.asarray(Image.open(tmp_path / name / "b" / f"000002.{suffix}"))
        np.testing.assert_array_equal(read, after[1, 2].permute(1, 2, 0).numpy())
