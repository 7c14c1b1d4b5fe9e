"""The frames of the synthetic faces, byte for byte, as they were when these hashes were recorded."""

import hashlib
import json
import zipfile
from pathlib import Path

import pytest

from styleinv.data.manifest import Manifest
from styleinv.paths import Paths
from styleinv.stages.crop import crop
from styleinv.stages.fetch import fetch
from styleinv.stages.setting import Setting
from tests.project import make_project

# Of the first raw video: where ffmpeg or its encoder are others, the raw videos are, and nothing can be compared.
RAW = "51be4d48534fa0e9129a4f94e9f520a3b85bbdfdc3f71de9c23514f5ea12c5fe"
STORES = {
    "{type: centre}": "502071d0ad81833538abfe9f2d5a91dc8c8dfb43bc35bcb95f5a373e82b180d5",
    "{type: mask, border: faithful}": "dcaf3b86e723668c0c240b5b154c29111fcecc1a8483faaf47a567712221b3ad",
    "{type: mask, border: fixed}": "d72903ff705f7e1a532de925d4b01fdbec3257a1258db1af7aab0fd4038690f1",
    "{type: ffhq, landmarks: rendered, jitters: 2}": "de4cb47ca2cd7f6b10bb7b7da3709fba8d6ac075a9ae749a15d15532174d2d4b",
}
SCALE = """\
datasets:
  talking_faces:
    source: {videos: 3, identities: 2, frames: 20, size: 64}
    resolution: 32
    min_frames: 16
"""


def digest_of(store: Path) -> str:
    """The SHA-256 of what a crop put into a store: frames and their table, without the settings of the source."""
    digest = hashlib.sha256()
    with zipfile.ZipFile(store) as archive:
        for name in sorted(archive.namelist()):
            content = archive.read(name)
            if name == "dataset.json":
                # The frames do not change with a setting that a source gains.
                table = json.loads(content)
                del table["meta"]["source"]
                content = json.dumps(table, sort_keys=True).encode()
            digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def test_frame_stores_keep_their_bytes(tmp_path: Path) -> None:
    scale = make_project(tmp_path, SCALE) / "config/tiny.yaml"
    setting = Setting(scale, Paths(tmp_path / "results"))
    fetch("talking_faces", setting)
    if Manifest.read(setting.paths.raw("talking_faces")).videos[0].sha256 != RAW:
        pytest.skip("another ffmpeg has made other raw videos")
    for keys, digest in STORES.items():
        scale.write_text(f"{SCALE}    crop: {keys}\n")
        crop("talking_faces", setting)
        assert digest_of(setting.paths.frames("talking_faces")) == digest, keys
