"""Small pickles in the official format, and hostile ones, made without any official code."""

import contextlib
import io
import pickle
import struct
import sys
import types
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from styleinv.methods.inversion.encoder import PSP
from styleinv.methods.stylegan2.discriminator import Discriminator
from styleinv.methods.stylegan2.synthesis import Generator
from styleinv.methods.styleinv.model import StyleInV
from styleinv.nn.augment import AugmentPipe
from styleinv.nn.video_discriminator import VideoDiscriminator

OPEN = "open({path!r}, 'w').write('ran')"

IMAGE: dict[str, Any] = {
    "z_dim": 16,
    "w_dim": 16,
    "mapping_kwargs": {"num_layers": 2},
    "synthesis_kwargs": {
        "channel_base": 128,
        "channel_max": 8,
        "num_fp16_res": 0,
        "conv_clamp": None,
        "use_noise": True,
    },
}
MOTION = {
    "z_dim": 8,
    "v_dim": 8,
    "motion_z_distance": 4,
    "max_num_frames": 16,
    "kernel_size": 11,
    "time_dim": 4,
    "min_period_len": 16,
    "max_period_len": 128,
}


class EasyDict(dict):
    """Stands for the official class of this name."""


def _reconstruct_persistent_obj(meta: dict) -> None:
    raise AssertionError("a test unpickled for real")


def _place(thing: Any, module: str) -> Any:
    thing.__module__, thing.__qualname__ = module, thing.__name__
    return thing


_place(EasyDict, "dnnlib.util")
_place(_reconstruct_persistent_obj, "torch_utils.persistence")


@contextlib.contextmanager
def official_names() -> Iterator[None]:
    """While pickling, the official names exist, as the pickler looks them up."""
    modules = {
        name: types.ModuleType(name) for name in ("dnnlib", "dnnlib.util", "torch_utils", "torch_utils.persistence")
    }
    modules["dnnlib.util"].EasyDict = EasyDict  # type: ignore[attr-defined]
    modules["torch_utils.persistence"]._reconstruct_persistent_obj = _reconstruct_persistent_obj  # type: ignore[attr-defined]
    assert not set(modules) & set(sys.modules)
    sys.modules.update(modules)
    try:
        yield
    finally:
        for module in modules:
            del sys.modules[module]


class OfficialPickler(pickle.Pickler):
    """Writes our modules as the official persistence code writes its own: class name, source text, attributes."""

    def __init__(self, file: io.BytesIO, protocol: int, source: str, options: dict[int, dict]):
        super().__init__(file, protocol)
        self.source, self.options = source, options

    def reducer_override(self, obj: Any) -> Any:
        if not isinstance(obj, nn.Module) or not type(obj).__module__.startswith("styleinv."):
            return NotImplemented
        state = {k: v for k, v in obj.__dict__.items() if not isinstance(v, torch.dtype)}
        state |= {"_init_args": (), "_init_kwargs": EasyDict(self.options.get(id(obj), {}))}
        meta = {
            "type": "class",
            "version": 6,
            "module_src": self.source,
            "class_name": type(obj).__name__,
            "state": state,
        }
        return _reconstruct_persistent_obj, (meta,)


def official(
    tree: dict[str, Any], options: dict[str, dict] | None = None, protocol: int = 4, source: str = "raise SystemError"
) -> bytes:
    """A pickle in the official format of a dict of modules; `options`: constructor arguments by key."""
    file = io.BytesIO()
    by_id = {id(tree[name]): value for name, value in (options or {}).items()}
    with official_names():
        OfficialPickler(file, protocol, source, by_id).dump(tree)
    return file.getvalue()


def randomize(module: nn.Module, seed: int = 0) -> nn.Module:
    """Parameters and buffers other than filters and counters become random, so that nothing is equal by chance."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in module.state_dict().items():
        if value.is_floating_point() and "filter" not in name and "freqs" not in name and "phase_scales" not in name:
            noise = torch.rand(value.shape, generator=generator)
            value.copy_(value + noise if "running_var" not in name else 0.5 + noise)
    return module.eval().requires_grad_(False)


def image_nets(**changes: Any) -> tuple[dict[str, Any], dict[str, dict]]:
    """(modules, options) of a StyleGAN2-ADA snapshot; `changes` go to the synthesis network's options."""
    synthesis = IMAGE["synthesis_kwargs"] | changes
    options = IMAGE | {"synthesis_kwargs": synthesis, "c_dim": 0, "img_resolution": 16, "img_channels": 3}
    G = Generator(16, 16, 16, mapping_kwargs={"num_layers": 2}, synthesis_kwargs=synthesis)
    shared = {k: synthesis[k] for k in ("channel_base", "channel_max", "num_fp16_res", "conv_clamp")}
    D = Discriminator(16, epilogue_kwargs={"mbstd_group_size": 2}, **shared)
    pipe = AugmentPipe(xflip=1)
    pipe._buffers["p"] = torch.tensor(0.125)  # as official pipes have it
    tree = {
        "training_set_kwargs": EasyDict(path="frames", resolution=16),
        "G": randomize(G, 1),
        "D": randomize(D, 2),
        "G_ema": randomize(Generator(16, 16, 16, mapping_kwargs={"num_layers": 2}, synthesis_kwargs=synthesis), 3),
        "augment_pipe": pipe,
    }
    D_options = shared | {"epilogue_kwargs": {"mbstd_group_size": 2}, "c_dim": 0}
    return tree, {"G": options, "D": D_options, "G_ema": options}


def inversion_nets() -> tuple[dict[str, Any], dict[str, dict]]:
    """(modules, options) of an inversion snapshot."""
    tree, options = image_nets()
    psp = randomize(PSP(16, 16, (8, 8, 16), (2, 1)), 4)
    return {"training_set_kwargs": {}, "pSp": psp, "G": tree["G_ema"]}, {"G": options["G_ema"]}


def video_nets(**changes: Any) -> tuple[dict[str, Any], dict[str, dict]]:
    """(modules, options) of a StyleInV snapshot; `changes` go to our `StyleInV`."""
    image, options = image_nets()
    ours = {
        "mapping": {"motion": MOTION, "content_dim": 16, "w_dim": 16},
        "encoder": {"w_dim": 16, "style_dim": 16, "widths": (8, 8, 16), "units": (2, 1), "normalize_adain": False},
    } | changes
    nets = {name: randomize(StyleInV(**ours), seed) for name, seed in (("SI", 5), ("SI_ema", 6))}
    D = VideoDiscriminator(16, 4, max_num_frames=16, concat_res=8, channel_base=128, channel_max=8)
    said = {
        "mapping_opts": {"motion": {"motion_z_distance": 4}, "sampling": {"max_num_frames": 16}},
        "encoder_opts": {"normalize_adain": False},
    }
    tree = {"training_set_kwargs": {}, "G": image["G_ema"], "D": randomize(D, 7), **nets, "augment_pipe": None}
    return tree, {"G": options["G_ema"], "SI": said, "SI_ema": said}


# Raw opcodes, to write what no pickler would.


def text(value: str) -> bytes:
    """BINUNICODE."""
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def blob(value: bytes) -> bytes:
    """BINBYTES."""
    return b"B" + struct.pack("<I", len(value)) + value


def name(module: str, attribute: str) -> bytes:
    """GLOBAL."""
    return f"c{module}\n{attribute}\n".encode()


def call(function: bytes, *arguments: bytes) -> bytes:
    """REDUCE."""
    return function + b"(" + b"".join(arguments) + b"tR"


def whole(body: bytes, protocol: int = 4) -> bytes:
    """A complete pickle around opcodes that leave one value."""
    return b"\x80" + bytes([protocol]) + body + b"."


def integer(value: int) -> bytes:
    """LONG1."""
    data = value.to_bytes((value.bit_length() + 8) // 8, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def stream(
    kind: str = "FloatStorage",
    location: str = "cpu",
    numel: int = 4,
    data: bytes = b"\0" * 16,
    *,
    module: str = "torch",
    claim: int | None = None,
    persistent: bytes | None = None,
    system: bytes | None = None,
) -> bytes:
    """An embedded legacy torch.save stream."""
    pid = text("storage") + name(module, kind) + text("0") + text(location) + integer(numel) + b"N"
    system = system or pickle.dumps({"protocol_version": 1001, "little_endian": True, "type_sizes": {}}, 2)
    return (
        pickle.dumps(0x1950A86A20F9469CFC6C, 2)
        + pickle.dumps(1001, 2)
        + system
        + whole((persistent or b"(" + pid + b"t") + b"Q", 2)
        + pickle.dumps(["0"], 2)
        + struct.pack("<q", numel if claim is None else claim)
        + data
    )


def tensor(storage: bytes, offset: int = 0, size: tuple = (4,), stride: tuple = (1,)) -> bytes:
    """Opcodes of a tensor on a stream."""

    def numbers(values: tuple) -> bytes:
        return b"(" + b"".join(integer(v) for v in values) + b"t"

    contents = call(name("torch.storage", "_load_from_bytes"), blob(storage))
    hooks = call(name("collections", "OrderedDict"))
    return call(
        name("torch._utils", "_rebuild_tensor_v2"),
        contents,
        integer(offset),
        numbers(size),
        numbers(stride),
        b"\x89",
        hooks,
    )
