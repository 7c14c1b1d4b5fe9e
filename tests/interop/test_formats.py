"""Protocols, tensor layouts and cut files."""

import struct
from pathlib import Path

import pytest
import torch

from styleinv.errors import UserError
from styleinv.interop.module_records import tensors_of
from styleinv.interop.reader import read_pickle
from tests.interop.checkpoints import import_checkpoint
from tests.interop.pickles import call, image_nets, integer, inversion_nets, name, official, stream, tensor, text, whole


def read_tensor(tmp_path: Path, body: bytes) -> torch.Tensor:
    file = tmp_path / "tensor.pkl"
    file.write_bytes(whole(body))
    return read_pickle(file).tree


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_protocol(protocol: int, tmp_path: Path) -> None:
    file = tmp_path / "snapshot.pkl"
    tree, options = image_nets()
    file.write_bytes(official(tree, options, protocol))
    pickle = read_pickle(file)
    assert pickle.protocol == protocol and list(pickle.tree) == list(tree)
    for net in ("G", "D", "G_ema", "augment_pipe"):
        found, want = tensors_of(pickle.tree[net]), tree[net].state_dict()
        assert list(found) == list(want)
        assert all(torch.equal(found[key], want[key]) for key in want)
    assert pickle.tree["G"].options["synthesis_kwargs"] == options["G"]["synthesis_kwargs"]


@pytest.mark.parametrize("nets", [image_nets, inversion_nets])
@pytest.mark.parametrize("protocol", [2, 4])
def test_cut_files(nets, protocol: int, tmp_path: Path) -> None:
    data = official(*nets(), protocol)
    check_cuts(data, tmp_path)


def test_cut_golden_files(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    folders = request.config.getoption("golden") or [Path(__file__).parents[1] / "golden" / "cases"]
    files = sorted(f for folder in folders for f in Path(folder).glob("official_pickle_*/*.pkl"))
    if not files:
        pytest.skip("no golden cases here")
    for file in files:
        check_cuts(file.read_bytes(), tmp_path)


def check_cuts(data: bytes, tmp_path: Path) -> None:
    file = tmp_path / "cut.pkl"
    for end in sorted({0, 1, 2, 3, len(data) - 1, *(len(data) * k // 50 for k in range(50))}):
        file.write_bytes(data[:end])
        with pytest.raises(UserError) as caught:
            import_checkpoint(file)
        message = str(caught.value)
        assert "\n" not in message and str(file) in message and "cut" in message


def test_no_file_and_other_files(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        import_checkpoint(tmp_path / "none.pkl")
    with pytest.raises(UserError, match="is no folder of MoCoGAN-HD's files"):
        import_checkpoint(tmp_path)
    for content in (b"not a pickle at all", b"PK\x03\x04 not a zip", b"\x80\x04N.", b"\x80\x04}.", b"\x80\x04]."):
        file = tmp_path / "other.pkl"
        file.write_bytes(content)
        with pytest.raises(UserError) as caught:
            import_checkpoint(file)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("location", ["cpu", "cuda:0", "cuda:7", "cuda"])
def test_storages_of_any_device_are_read_to_the_cpu(location: str, tmp_path: Path) -> None:
    data = struct.pack("<4f", 1, 2, 3, 4)
    for module in ("torch", "torch.cuda"):
        found = read_tensor(tmp_path, tensor(stream(location=location, data=data, module=module)))
        assert found.device.type == "cpu" and found.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("kind", "dtype", "data"),
    [
        ("HalfStorage", torch.float16, bytes.fromhex("003c0040")),
        ("BFloat16Storage", torch.bfloat16, bytes.fromhex("803f0040")),
        ("DoubleStorage", torch.float64, struct.pack("<2d", 1, 2)),
        ("LongStorage", torch.int64, struct.pack("<2q", 1, 2)),
        ("IntStorage", torch.int32, struct.pack("<2i", 1, 2)),
        ("ShortStorage", torch.int16, struct.pack("<2h", 1, 2)),
        ("CharStorage", torch.int8, b"\1\2"),
        ("ByteStorage", torch.uint8, b"\1\2"),
    ],
)
def test_storage_types(kind: str, dtype: torch.dtype, data: bytes, tmp_path: Path) -> None:
    found = read_tensor(tmp_path, tensor(stream(kind, numel=2, data=data), size=(2,)))
    assert found.dtype == dtype and found.tolist() == [1, 2]


def test_bool_and_empty_storages(tmp_path: Path) -> None:
    assert read_tensor(tmp_path, tensor(stream("BoolStorage", numel=2, data=b"\0\7"), size=(2,))).tolist() == [
        False,
        True,
    ]
    assert read_tensor(tmp_path, tensor(stream(numel=0, data=b""), size=(0, 3), stride=(3, 1))).shape == (0, 3)
    assert read_tensor(tmp_path, tensor(stream(), offset=3, size=(), stride=())).item() == 0


def test_strides_are_honoured(tmp_path: Path) -> None:
    data = struct.pack("<6f", *range(6))
    found = read_tensor(tmp_path, tensor(stream(numel=6, data=data), size=(2, 3), stride=(1, 2)))
    assert found.tolist() == [[0, 2, 4], [1, 3, 5]]
    found = read_tensor(tmp_path, tensor(stream(numel=6, data=data), offset=1, size=(2, 2), stride=(2, 1)))
    assert found.tolist() == [[1, 2], [3, 4]]


def test_channels_last_networks(tmp_path: Path) -> None:
    file = tmp_path / "nhwc.pkl"
    tree, options = image_nets()
    want = {key: value.clone() for key, value in tree["G_ema"].state_dict().items()}
    tree["G_ema"].to(memory_format=torch.channels_last)
    tree["G"].half()
    tree["D"].to(torch.bfloat16)
    file.write_bytes(official(tree, options))
    assert not tensors_of(read_pickle(file).tree["G_ema"])["synthesis.b8.conv1.weight"].is_contiguous()
    _, found = import_checkpoint(file)
    for key, value in want.items():
        assert torch.equal(found[f"G_ema.{key}"], value) and found[f"G_ema.{key}"].is_contiguous()
    # Parameters are float32 here whatever the file stores.
    assert all(value.dtype == torch.float32 for value in found.values())
    assert torch.equal(found["G.mapping.w_avg"], tree["G"].mapping.w_avg.float())


@pytest.mark.parametrize("module", ["numpy.core.multiarray", "numpy._core.multiarray"])
@pytest.mark.parametrize(("order", "data"), [("<", struct.pack("<d", 0.25)), (">", struct.pack(">d", 0.25))])
def test_numpy_scalars_of_both_numpys(module: str, order: str, data: bytes, tmp_path: Path) -> None:
    state = b"(K\x03" + text(order) + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    dtype = call(name("numpy", "dtype"), text("f8"), b"\x89", b"\x88") + state
    found = read_tensor(tmp_path, call(name(module, "scalar"), dtype, b"C\x08" + data))
    assert found == 0.25 and type(found) is float


def test_large_integers_are_bounded(tmp_path: Path) -> None:
    assert read_tensor(tmp_path, integer(2**200)) == 2**200
