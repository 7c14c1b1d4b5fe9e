"""The frame stores of the synthetic faces, byte for byte, as they were when these hashes were recorded."""

from pathlib import Path

import pytest

from styleinv.data.manifest import Manifest
from styleinv.files import sha256
from styleinv.paths import Paths
from styleinv.stages.crop import crop
from styleinv.stages.fetch import fetch
from styleinv.stages.setting import Setting
from tests.project import make_project

# Of the first raw video: where ffmpeg or its encoder are others, the raw videos are, and nothing can be compared.
RAW = "51be4d48534fa0e9129a4f94e9f520a3b85bbdfdc3f71de9c23514f5ea12c5fe"
STORES = {
    "{type: centre}": "3198fc2f101c02fdb708de65d547a32e5b1a5bd55ee5099d7880a87cc4bd80c2",
    "{type: mask, border: faithful}": "c6c8082f86ab20355de7e6c488c89f5f33e3bfb9aef5349b915fe82d1b8ac005",
    "{type: mask, border: fixed}": "dddf2d43be19720bcc6dcf60d3d712fa2aa41667ed8a6aec319fdb765d826424",
    "{type: ffhq, landmarks: rendered, jitters: 2}": "61483fd9787068548aff471756026b6930e5d9b885e18edd80ef61e088dab663",
}
SCALE = """\
datasets:
  talking_faces:
    source: {videos: 3, identities: 2, frames: 20, size: 64}
    resolution: 32
    min_frames: 16
"""


def test_frame_stores_keep_their_bytes(tmp_path: Path) -> None:
    scale = make_project(tmp_path, SCALE) / "config/tiny.yaml"
    setting = Setting(scale, Paths(tmp_path / "results"))
    fetch("talking_faces", setting)
    if Manifest.read(setting.paths.raw("talking_faces")).videos[0].sha256 != RAW:
        pytest.skip("another ffmpeg has made other raw videos")
    for keys, digest in STORES.items():
        scale.write_text(f"{SCALE}    crop: {keys}\n")
        crop("talking_faces", setting)
        assert sha256(setting.paths.frames("talking_faces")) == digest, keys
