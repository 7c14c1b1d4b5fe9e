"""Detectors: identity, call, and that nothing runs before its hash is verified."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from styleinv.data import weights
from styleinv.errors import UserError
from styleinv.evaluation.detectors import load_detector, load_detectors
from styleinv.files import sha256, write_json
from styleinv.forms import OLD_TORCH_BEGINS, Form
from tests.evaluation.fakes import video


class ImageNet(torch.nn.Module):
    def forward(self, x: torch.Tensor, return_features: bool = False) -> torch.Tensor:
        means = x.float().mean([2, 3])
        if return_features:
            return means
        return means.softmax(1)


class ClipNet(torch.nn.Module):
    def forward(
        self, x: torch.Tensor, rescale: bool = False, resize: bool = False, return_features: bool = False
    ) -> torch.Tensor:
        assert rescale and resize and return_features
        return x.float().mean([3, 4]).std(2)


@pytest.fixture
def scripts(tmp_path: Path) -> dict[str, Path]:
    paths = {"image": tmp_path / "image.pt", "video": tmp_path / "video.pt"}
    torch.jit.script(ImageNet()).save(str(paths["image"]))
    torch.jit.script(ClipNet()).save(str(paths["video"]))
    return paths


def test_stand_ins_have_a_fixed_identity() -> None:
    detectors = load_detectors("stand-in")
    assert (detectors.image.dim, detectors.video.dim) == (48, 32)
    assert detectors.stand_in and detectors.image.name == f"stand-in:{detectors.image.sha256[:12]}"
    # A change of these weights changes every demonstration score.
    assert detectors.image.name == "stand-in:574e9e74e44b" and detectors.video.name == "stand-in:c4bfcdc86345"


def test_stand_ins_see_colour_structure_and_motion() -> None:
    detectors = load_detectors("stand-in")
    base = torch.from_numpy(video(0, 16)).permute(3, 0, 1, 2)[None]
    still = base[:, :, :1].expand(-1, -1, 16, -1, -1)
    assert np.abs(detectors.video(base) - detectors.video(still)).max() > 0.05
    image = base[:, :, 0]
    for other in (
        image.flip(1),
        image.roll(8, dims=3) // 2,
        image[..., torch.randperm(16, generator=torch.manual_seed(0))],
    ):
        assert np.abs(detectors.image(image) - detectors.image(other)).max() > 0.05


def test_stand_ins_take_any_size() -> None:
    detectors = load_detectors("stand-in")
    small = torch.from_numpy(video(0, 4)).permute(3, 0, 1, 2)[None]
    large = small.repeat_interleave(16, -1).repeat_interleave(16, -2)
    np.testing.assert_allclose(detectors.video(small), detectors.video(large), atol=0.2)
    assert detectors.video(small[..., :13, :]).shape == (1, 32)


def test_wrong_input_is_a_bug_not_a_score() -> None:
    image = load_detector("image", "stand-in")
    for wrong in (
        torch.zeros(1, 3, 8, 8),
        torch.zeros(1, 3, 4, 8, 8, dtype=torch.uint8),
        torch.zeros(1, 8, 8, 3, dtype=torch.uint8),
    ):
        with pytest.raises(ValueError, match="image detector takes"):
            image(wrong)


def test_own_files(scripts: dict[str, Path]) -> None:
    for kind, shape in (("image", (2, 3, 8, 8)), ("video", (2, 3, 5, 8, 8))):
        detector = load_detector(kind, scripts[kind], sha256=sha256(scripts[kind]))
        assert detector.dim == 3 and not detector.stand_in and detector.name == f"{kind}.pt"
        assert detector(torch.ones(shape, dtype=torch.uint8)).shape == (2, 3)


class ConvNet(torch.nn.Module):
    """What a detector is made of: convolutions of several sizes, over frames too, and a mean at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.frames = torch.nn.Conv3d(3, 8, 3, padding=1)
        self.images = torch.nn.Sequential(torch.nn.Conv2d(8, 16, 3), torch.nn.ReLU(), torch.nn.Conv2d(16, 8, 1))

    def forward(
        self, x: torch.Tensor, rescale: bool = False, resize: bool = False, return_features: bool = False
    ) -> torch.Tensor:
        frames = self.frames(x.float() / 127.5 - 1).transpose(1, 2)
        return self.images(frames.reshape(-1, 8, 8, 8)).mean([2, 3]).reshape(x.shape[0], -1)


def test_convolutions_of_a_file_run_in_channels_last(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = ConvNet()
    torch.jit.script(network).save(str(tmp_path / "video.pt"))
    detector = load_detector("video", tmp_path / "video.pt", sha256=sha256(tmp_path / "video.pt"))
    clips = torch.randint(0, 256, (2, 3, 16, 8, 8), dtype=torch.uint8)
    with torch.no_grad():
        plain = network.images(network.frames(clips.float() / 127.5 - 1).transpose(1, 2).reshape(-1, 8, 8, 8))
    np.testing.assert_allclose(detector(clips), plain.mean([2, 3]).reshape(2, -1).numpy(), atol=1e-5)
    first, _, second, *_ = detector._network.parameters()
    assert first.ndim == 5 and first.is_contiguous()
    assert second.is_contiguous(memory_format=torch.channels_last)


def test_no_file_is_opened_before_its_hash_is_right(scripts: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args, **kwargs):
        raise AssertionError("opened")

    monkeypatch.setattr(torch.jit, "load", never)
    with pytest.raises(UserError, match="no SHA-256"):
        load_detector("image", scripts["image"])
    with pytest.raises(UserError, match="expected 0000"):
        load_detector("image", scripts["image"], sha256="0" * 64)
    with pytest.raises(UserError, match="does not exist"):
        load_detector("image", scripts["image"].with_name("none.pt"), sha256="0" * 64)


def test_file_that_is_no_torchscript(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    path.write_bytes(b"hello")
    with pytest.raises(UserError, match="not a TorchScript"):
        load_detector("image", path, sha256=sha256(path))


def test_official_files_are_fetched_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLEINV_WEIGHTS", str(tmp_path))
    with pytest.raises(UserError, match="styleinv weights fetch inception") as caught:
        load_detector("image", "official")
    assert caught.value.exit_code == 2


def test_trust_on_first_use(tmp_path: Path, scripts: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLEINV_WEIGHTS", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    weight = replace(weights.WEIGHTS["inception"], sha256=None, size=None)
    monkeypatch.setitem(weights.WEIGHTS, "inception", weight)
    path = tmp_path / weight.file_name
    path.write_bytes(scripts["image"].read_bytes())
    with pytest.raises(UserError, match="no SHA-256 in config/weights.lock.json"):
        load_detector("image", "official")
    write_json(weights.LOCK, {weight.url: {"sha256": sha256(path), "size": path.stat().st_size}})
    assert load_detector("image", "official").sha256 == sha256(path)
    path.write_bytes(scripts["video"].read_bytes())
    with pytest.raises(UserError, match="has SHA-256"):
        load_detector("image", "official")


def test_published_hash_and_size_are_enforced(tmp_path: Path) -> None:
    for name, file, hash_ in (
        ("i3d", "i3d_torchscript.pt", "bec6519f"),
        ("inception", "inception-2015-12-05.pt", "f58cb9b6"),
    ):
        (tmp_path / file).write_bytes(b"x")
        with pytest.raises(UserError, match=f"expected {hash_}"):
            weights.verify(name, tmp_path)
    with pytest.raises(UserError, match="no weight is called 'ic3d'"):
        weights.where("ic3d")


def test_fetch_downloads_once_and_verifies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def download(url: str, path: Path, sha256_known: str, lock: Path, key: str, form: Form) -> None:
        asked.append((url, sha256_known, lock))
        path.write_bytes(OLD_TORCH_BEGINS)
        write_json(lock, {url: {"sha256": sha256(path), "size": path.stat().st_size}})
        assert (key, form) in ((weight.url, weight.form) for weight in weights.WEIGHTS.values())

    monkeypatch.setattr(weights, "download", download)
    unknown = replace(weights.WEIGHTS["inception"], sha256=None, size=None)
    monkeypatch.setitem(weights.WEIGHTS, "inception", unknown)
    lock = tmp_path / "lock.json"
    assert weights.fetch_weights(["inception"], tmp_path, lock) == [tmp_path / "inception-2015-12-05.pt"]
    assert asked == [(weights.WEIGHTS["inception"].url, "", lock)]
    with pytest.raises(UserError, match="i3d_torchscript.pt: has SHA-256"):
        weights.fetch_weights(["i3d"], tmp_path, lock)
    assert asked[1][1:] == (weights.WEIGHTS["i3d"].sha256, lock)
    # The publisher names part of the hash: another file is refused although it is what the lock says.
    with pytest.raises(UserError, match="expected 7be5be79"):
        weights.fetch_weights(["alexnet"], tmp_path, lock)
