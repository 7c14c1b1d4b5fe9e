"""Files that try to run something, or to exhaust memory or the stack: refused in one line, and nothing ran."""

import copyreg
import pickle
import struct
import tracemalloc
from pathlib import Path

import pytest

from styleinv.errors import UserError
from styleinv.interop.reader import read_pickle
from tests.interop.checkpoints import import_checkpoint
from tests.interop.pickles import (
    OPEN,
    blob,
    call,
    image_nets,
    integer,
    name,
    official,
    stream,
    tensor,
    text,
    whole,
)


@pytest.fixture
def sentinel(tmp_path: Path) -> Path:
    return tmp_path / "ran"


def refused(tmp_path: Path, data: bytes, *words: str) -> str:
    """Reading and importing `data` both fail with one line that names the file and `words`."""
    file = tmp_path / "bad.pkl"
    file.write_bytes(data)
    message = ""
    for read in (import_checkpoint, read_pickle):
        with pytest.raises(UserError) as caught:
            read(file)
        message = str(caught.value)
        assert "\n" not in message and message.startswith(str(file)) and len(message) < 400 + len(str(file))
        assert all(word in message for word in words), message
    return message


def persistent(state: bytes, class_name: str = "Generator", version: bytes = b"K\x06") -> bytes:
    meta = text("type") + text("class") + text("version") + version + text("module_src") + text("raise SystemError")
    meta += text("class_name") + text(class_name) + text("state") + state
    return call(name("torch_utils.persistence", "_reconstruct_persistent_obj"), b"}(" + meta + b"u")


def with_options(options: bytes) -> bytes:
    """A generator whose constructor options are these opcodes."""
    return whole(b"}" + text("G_ema") + persistent(b"}" + text("_init_kwargs") + options + b"s") + b"s")


def attacks(path: str) -> dict[str, bytes]:
    """Payloads that would create `path` if any of the names in them were the real thing."""
    code, shell = text(OPEN.format(path=path)), text(f"touch {path}")
    getattr_ = name("builtins", "getattr")
    system = call(getattr_, call(name("builtins", "__import__"), text("os")), text("system"))
    return {
        "os.system": call(name("os", "system"), shell),
        "posix.system": text("posix") + text("system") + b"\x93(" + shell + b"tR",
        "subprocess": call(name("subprocess", "getoutput"), shell),
        "eval": call(name("builtins", "eval"), code),
        "exec": call(name("builtins", "exec"), code),
        "python 2 eval": call(name("__builtin__", "eval"), code),
        "compile": call(name("builtins", "compile"), code, text("x"), text("exec")),
        "getattr chain": system + b"(" + shell + b"tR",
        "numpy.load": call(name("numpy", "load"), text(path)),
        "torch.load": call(name("torch", "load"), text(path)),
        "torch.serialization": call(name("torch.serialization", "load"), text(path)),
        "partial": call(name("functools", "partial"), name("os", "system"), shell),
        "itemgetter": call(name("operator", "methodcaller"), text("write_text"), text("ran")),
        "numpy reconstruct": call(name("numpy.core.multiarray", "_reconstruct"), name("numpy", "ndarray")),
        "dotted omegaconf": text("omegaconf.dictconfig") + text("DictConfig.__init__.__globals__") + b"\x93",
        "dotted torch": text("torch.nn.modules.conv") + text("os.system") + b"\x93(" + shell + b"tR",
        "lower-case torch": call(name("torch.nn.modules.module", "register_module_forward_hook"), code),
        "type called": call(name("builtins", "int"), text("1")),
        "typing called": call(name("typing", "Any")),
        "torch class called": call(name("torch.nn.modules.conv", "Conv2d"), integer(1)),
        "EasyDict called": call(name("dnnlib.util", "EasyDict")),
        "reconstruct with source": call(
            name("torch_utils.persistence", "_reconstruct_persistent_obj"), b"}" + text("module_src") + code + b"s"
        ),
        "persistence helper": call(name("torch_utils.persistence", "_src_to_module"), code),
        "NEWOBJ": name("os", "_wrap_close") + b")\x81",
        "NEWOBJ with arguments": name("dnnlib.util", "EasyDict") + b"(" + text("x") + b"t\x81",
        "NEWOBJ_EX": name("dnnlib.util", "EasyDict") + b")}\x92",
        "NEWOBJ of a dict": b"})\x81",
        "REDUCE of a dict": b"})R",
        "INST": b"(" + shell + b"ios\nsystem\n",
        "OBJ": b"(" + name("os", "system") + shell + b"o",
        "EXT1": b"\x82\xf0(" + shell + b"tR",
        "EXT2": b"\x83\xf0\x00(" + shell + b"tR",
        "EXT4": b"\x84\xf0\x00\x00\x00(" + shell + b"tR",
        "persistent id": text("storage") + b"Q",
        "text persistent id": b"Pstorage\n",
        "BUILD of a global": name("collections", "OrderedDict")
        + b"}"
        + text("__setstate__")
        + name("builtins", "set")
        + b"sb",
        "BUILD of a dict": b"}}" + text("x") + b"K\x01sb",
        "BUILD of a persistent object": persistent(b"}") + b"}" + text("__setstate__") + code + b"sb",
        "BUILD with slots": name("torch.nn.modules.conv", "Conv2d") + b")\x81(N}" + text("a") + code + b"stb",
        "BUILD with other keys": name("torch.nn.modules.conv", "Conv2d") + b")\x81}K\x01" + code + b"sb",
        "APPEND to a dict": b"}" + code + b"a",
        "SETITEM of a list": b"]K\x01" + code + b"s",
        "SETITEM of a module": name("torch.nn.modules.conv", "Conv2d") + b")\x81" + text("a") + code + b"s",
        "object dtype": call(name("numpy", "dtype"), text("O8"), b"\x89", b"\x88"),
        "structured dtype": call(name("numpy", "dtype"), text("V8"), b"\x89", b"\x88"),
        "object scalar": call(name("numpy._core.multiarray", "scalar"), call(name("numpy", "dtype"), text("O")), code),
        "short scalar": call(
            name("numpy._core.multiarray", "scalar"), call(name("numpy", "dtype"), text("f8")), blob(b"1")
        ),
        "wrong version": persistent(b"}", version=b"K\x05"),
        "state that is no dict": persistent(b"]"),
        "codec": call(name("_codecs", "encode"), code, text("zlib")),
        "nested pickle": tensor(pickle.dumps(0x1950A86A20F9469CFC6C, 2) + whole(call(name("os", "system"), shell))),
        "nested pickle first": tensor(whole(call(name("builtins", "eval"), code))),
        "nested persistent global": tensor(stream(kind="system", module="os")),
        "nested persistent call": tensor(stream(persistent=call(name("os", "system"), shell))),
        "nested known function": tensor(stream(persistent=call(name("torch.storage", "_load_from_bytes"), blob(b"")))),
        "nested object storage": tensor(stream(kind="UntypedStorage")),
        "nested system": tensor(stream(system=whole(call(name("os", "system"), shell), 2))),
        "protocol 0": b"cos\nsystem\n(S'touch " + path.encode() + b"'\ntR.",
    }


@pytest.mark.parametrize("attack", sorted(attacks("")))
def test_nothing_in_a_file_runs(attack: str, tmp_path: Path, sentinel: Path) -> None:
    copyreg.add_extension("os", "system", 0xF0)
    try:
        body = attacks(str(sentinel))[attack]
        data = body if attack == "protocol 0" else whole(body)
        refused(tmp_path, data, "bad.pkl")
        wrapped = whole(b"}" + text("G_ema") + body + b"s")
        refused(tmp_path, body if attack == "protocol 0" else wrapped)
    finally:
        copyreg.remove_extension("os", "system", 0xF0)
    assert not sentinel.exists()


def test_the_attacks_are_real(sentinel: Path) -> None:
    for attack in ("os.system", "posix.system", "eval", "getattr chain", "INST"):
        pickle.loads(whole(attacks(str(sentinel))[attack]))
        assert sentinel.exists(), attack
        sentinel.unlink()


@pytest.mark.parametrize(("module", "attribute"), [("os", "system"), ("builtins", "eval"), ("numpy", "load")])
def test_the_message_names_the_global(module: str, attribute: str, tmp_path: Path) -> None:
    refused(tmp_path, whole(call(name(module, attribute), text("x"))), f"{module}.{attribute}", "not run")


def test_embedded_source_is_never_run(tmp_path: Path, sentinel: Path) -> None:
    file = tmp_path / "snapshot.pkl"
    tree, options = image_nets()
    source = OPEN.format(path=str(sentinel)) + "\nraise SystemError('ran')"
    file.write_bytes(official(tree, options, source=source))
    assert source.splitlines()[1].encode() in file.read_bytes()
    import_checkpoint(file)
    assert not sentinel.exists()


def test_names_cannot_break_the_line(tmp_path: Path) -> None:
    refused(tmp_path, whole(text("a\nb\x1b[31m") + text("c" * 10_000) + b"\x93"))


CLAIMS = {
    "BINBYTES8": b"\x8e" + struct.pack("<Q", 2**62) + b"x",
    "BINUNICODE8": b"\x8d" + struct.pack("<Q", 2**62) + b"x",
    "BYTEARRAY8": b"\x96" + struct.pack("<Q", 2**40) + b"x",
    "BINBYTES": b"B" + struct.pack("<I", 2**32 - 1) + b"x",
    "LONG4": b"\x8b" + struct.pack("<i", 2**31 - 1) + b"x",
    "FRAME": b"\x95" + struct.pack("<Q", 2**62) + b"]q\x00q\x00R",
    "LONG_BINPUT": b"]r\xff\xff\xff\xffj\xff\xff\xff\xffR",
    "numel": tensor(stream(numel=2**60)),
    "negative numel": tensor(stream(numel=-4)),
    "another numel": tensor(stream(claim=3)),
    "short data": tensor(stream(data=b"\0" * 15)),
    "long data": tensor(stream(data=b"\0" * 17)),
    "view outside": tensor(stream(), offset=1),
    "offset outside": tensor(stream(), offset=2**40),
    "negative offset": tensor(stream(), offset=-1),
    "negative stride": tensor(stream(), stride=(-1,)),
    "stride outside": tensor(stream(), size=(2, 2), stride=(3, 1)),
    "zero strides": tensor(stream(), size=(2**39, 1), stride=(0, 0)),
    "size without stride": tensor(stream(), size=(4,), stride=()),
    "huge sizes": tensor(stream(), size=(0, 2**63), stride=(1, 1)),
    "many axes": tensor(stream(), size=(1,) * 9, stride=(1,) * 9),
    "big-endian": tensor(stream(system=pickle.dumps({"little_endian": False}, 2))),
    "memo bomb of storages": b"]("
    + blob(stream("ByteStorage", "cpu", 2**16, b"\0" * 2**16))
    + b"q\x00"
    + (name("torch.storage", "_load_from_bytes") + b"h\x00\x85R") * 1000
    + b"e",
}


@pytest.mark.parametrize("claim", CLAIMS)
def test_claimed_sizes_allocate_nothing(claim: str, tmp_path: Path) -> None:
    tracemalloc.start()
    refused(tmp_path, whole(CLAIMS[claim]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 * 2**20


def test_deep_nesting_does_not_reach_the_stack(tmp_path: Path) -> None:
    depth = 200_000
    deep_tuple = b")" + b"\x85" * depth
    refused(tmp_path, whole(b"}" + deep_tuple + b"K\x01s"), "dictionary key")
    refused(tmp_path, whole(call(name("builtins", "set"), b"]" + deep_tuple + b"a")), "set")
    file = tmp_path / "deep.pkl"
    file.write_bytes(whole(b"]" * depth + b"a" * (depth - 1)))
    read_pickle(file)


def test_deep_options_and_modules(tmp_path: Path) -> None:
    file = tmp_path / "deep.pkl"
    module = persistent(b"}")
    for _ in range(100):
        module = persistent(b"}" + text("_modules") + b"}" + text("m") + module + b"ss")
    for data in (
        with_options((b"}" + text("k")) * 5000 + b"}" + b"s" * 5000),
        with_options(b"]" * 5000 + b"a" * 4999),
        whole(b"}" + text("G_ema") + module + b"s"),
    ):
        file.write_bytes(data)
        read_pickle(file)
        with pytest.raises(UserError, match="without end"):
            import_checkpoint(file)


def test_shared_children_cannot_multiply(tmp_path: Path) -> None:
    file = tmp_path / "bomb.pkl"
    module = persistent(b"}") + b"q\x00"
    options = b"]q\x00"
    for i in range(60):
        twice = b"}(" + text("a") + b"h" + bytes([i]) + text("b") + b"h" + bytes([i]) + b"u"
        module += persistent(b"}" + text("_modules") + twice + b"s") + b"q" + bytes([i + 1])
        options += b"](h" + bytes([i]) + b"h" + bytes([i]) + b"eq" + bytes([i + 1])
    for data in (
        whole(b"}(" + text("x") + b"](" + module + b"e" + text("G_ema") + b"h\x3cu"),
        with_options(b"](" + options + b"e"),
    ):
        file.write_bytes(data)
        with pytest.raises(UserError, match="without end"):
            import_checkpoint(file)


def test_a_dictionary_inside_itself(tmp_path: Path) -> None:
    file = tmp_path / "loop.pkl"
    file.write_bytes(with_options(b"}q\x00" + text("again") + b"h\x00s"))
    with pytest.raises(UserError, match="without end"):
        import_checkpoint(file)


def test_too_many_opcodes(tmp_path: Path) -> None:
    refused(tmp_path, whole(b"](" + b"}" * 1_000_001 + b"e"), "opcodes")


@pytest.mark.parametrize(
    "change",
    [
        {"mapping_kwargs": {"num_layers": 2**31}},
        {"img_resolution": 2**30},
        {"z_dim": 2**62},
        {"z_dim": "16"},
        {"synthesis_kwargs": {"channel_base": 2**62, "channel_max": 2**62}},
        {"synthesis_kwargs": {"conv_clamp": "256"}},
        {"synthesis_kwargs": {"use_noise": "yes"}},
        {"synthesis_kwargs": {"architecture": "resnet"}},
        {"synthesis_kwargs": []},
        {"c_dim": 5},
        {"mapping_kwargs": {"lr_multiplier": 1.0}},
    ],
    ids=str,
)
def test_options_cannot_ask_for_much(change: dict, tmp_path: Path) -> None:
    tree, options = image_nets()
    file = tmp_path / "greedy.pkl"
    file.write_bytes(official(tree, options | {"G_ema": options["G_ema"] | change}))
    if change == {"synthesis_kwargs": []}:
        import_checkpoint(file)
        return
    with pytest.raises(UserError) as caught:
        import_checkpoint(file)
    assert "\n" not in str(caught.value)
