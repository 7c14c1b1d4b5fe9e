"""Published network weights: their addresses, their hashes, and where they lie.

Jobs never touch the network: `styleinv weights fetch` downloads, everything else only looks. A weight whose publisher
gives no SHA-256 is trusted on first use: the hash seen then is written to the lock file and enforced ever after.
TorchScript and pickle files are programs, so nothing is opened before its hash has been verified.

A file that is here already is named by `STYLEINV_WEIGHTS_<NAME>` (upper case, such as STYLEINV_WEIGHTS_I3D); its hash
counts all the same. `STYLEINV_WEIGHTS_MIRROR` is the address of a folder on a server of one's own that holds these
files under their names; it is asked where the published addresses fail.
"""

import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from styleinv.data.download import download
from styleinv.data.trust import Trust
from styleinv.errors import UserError
from styleinv.files import expand
from styleinv.forms import PICKLE, TORCH, ZIP, Form

LOCK = Path("config/weights.lock.json")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Weight:
    """One published file.

    Attributes:
        url: where it is fetched from.
        sha256: its hash; None where the publisher gives none (trust on first use).
        size: bytes, None where unknown.
        licence: in a few words.
        serves: what it is for; those that serve the same stand together.
        form: what the file looks like.
        sha256_prefix: the part of the hash that the publisher put into the file name, "" for none.
        mirrors: other addresses of the same bytes, tried in this order.
    """

    url: str
    sha256: str | None
    size: int | None
    licence: str
    serves: str
    form: Form
    sha256_prefix: str = ""
    mirrors: tuple[str, ...] = ()

    @property
    def file_name(self) -> str:
        """Name of the file on disk."""
        return self.url.split("?")[0].rsplit("/", 1)[1]


# What weights are for.
SCORES = "scores by the official detectors, FID and FVD as published"
INVERSION = "training the inversion encoder at the scales small and paper"
STYLE = "style transfer, besides arcface_ir_se50"
CROPS = "finding faces and their landmarks, which crops of real videos need"
IMPORT = "trying `styleinv import` on an official StyleGAN2"

WEIGHTS = {
    "inception": Weight(
        "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics/inception-2015-12-05.pt",
        # From public pins of this address by others; the file itself has not been fetched and verified here.
        "f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4",
        95_607_719,
        "Inception: Apache-2.0; packaging: NVIDIA, non-commercial",
        SCORES,
        TORCH,
    ),
    "i3d": Weight(
        "https://www.dropbox.com/s/ge9e5ujwgetktms/i3d_torchscript.pt?dl=1",
        "bec6519f66ea534e953026b4ae2c65553c17bf105611c746d904657e5860a5e2",
        51_235_320,
        "I3D: Apache-2.0",
        SCORES,
        TORCH,
        mirrors=(
            "https://huggingface.co/flateon/FVD-I3D-torchscript/resolve/1c2d61711c52571ad617a1063e6fa691b212e184/"
            "i3d_torchscript.pt",
        ),
    ),
    "arcface_ir_se50": Weight(
        "https://github.com/xinntao/facexlib/releases/download/v0.1.0/recognition_arcface_ir_se50.pth",
        "a035c768259b98ab1ce0e646312f48b9e1e218197a0f80ac6765e88f8b6ddf28",
        175_367_323,
        "code MIT; trained on face data for research use",
        INVERSION,
        TORCH,
    ),
    "alexnet": Weight(
        "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
        None,
        None,
        "BSD-3; ImageNet terms",
        INVERSION,
        TORCH,
        "7be5be79",
    ),
    "lpips_alex": Weight(
        "https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/master/lpips/weights/v0.1/alex.pth",
        None,
        None,
        "BSD-2",
        INVERSION,
        TORCH,
    ),
    "vgg16": Weight(
        "https://download.pytorch.org/models/vgg16-397923af.pth",
        "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        553_433_881,
        "BSD-3; ImageNet terms",
        STYLE,
        TORCH,
    ),
    "lpips_vgg": Weight(
        "https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/master/lpips/weights/v0.1/vgg.pth",
        None,
        None,
        "BSD-2",
        STYLE,
        TORCH,
    ),
    "retinaface_resnet50": Weight(
        "https://github.com/ternaus/retinaface/releases/download/0.01/retinaface_resnet50_2020-07-20-f168fae3c.zip",
        None,
        None,
        "code MIT; WIDER FACE data for research use",
        CROPS,
        ZIP,
    ),
    "fan_2d4": Weight(
        "https://www.adrianbulat.com/downloads/python-fan/2DFAN4-11f355bf06.pth.tar",
        None,
        None,
        "code BSD-3; 300W-LP data for research use",
        CROPS,
        TORCH,
        "11f355bf06",
    ),
    "stylegan2_ffhq256": Weight(
        "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/transfer-learning-source-nets/"
        "ffhq-res256-mirror-paper256-noaug.pkl",
        None,
        None,
        "NVIDIA Source Code License, non-commercial",
        IMPORT,
        PICKLE,
    ),
}


def weights_folder() -> Path:
    """Folder of the weights: the environment variable `STYLEINV_WEIGHTS`, or `results/weights`."""
    return Path(os.environ.get("STYLEINV_WEIGHTS", "results/weights"))


def fetch_weights(names: Iterable[str], folder: Path | None = None, lock: Path = LOCK) -> list[Path]:
    """Download the weights that are not there yet and verify all; returns their paths in the order of `names`.

    A file that is named by an environment variable is only verified, and trusted on first use like a downloaded one.

    Raises:
        UserError: unknown name, failed download, or a file with another hash or of another form.
    """
    folder = folder or weights_folder()
    paths = []
    for name in names:
        weight = _weight(name)
        if _own(name):
            path, trust = where(name, folder), _trust(weight, lock)
            trust.keep(path, trust.check(path, _cure(name)))
        else:
            _download(weight, folder / weight.file_name, lock)
        verify(name, folder, lock)
        paths.append(where(name, folder))
    return paths


def addresses(weight: Weight) -> list[str]:
    """List the addresses that a weight is asked for, in this order."""
    own = os.environ.get("STYLEINV_WEIGHTS_MIRROR")
    return [weight.url, *weight.mirrors, *([f"{own.rstrip('/')}/{weight.file_name}"] if own else [])]


def _download(weight: Weight, path: Path, lock: Path) -> None:
    """Download a weight from the first address that gives it."""
    *others, last = addresses(weight)
    for url in others:
        try:
            download(url, path, _published(weight), lock, key=weight.url, form=weight.form)
            return
        except UserError as error:
            log.warning("%s Asking the next address.", error)
    download(last, path, _published(weight), lock, key=weight.url, form=weight.form)


def _published(weight: Weight) -> str:
    return weight.sha256 or weight.sha256_prefix


def _trust(weight: Weight, lock: Path) -> Trust:
    return Trust(_published(weight), lock, weight.url, weight.form)


def _own(name: str) -> Path | None:
    """Return the file that an environment variable names."""
    variable = f"STYLEINV_WEIGHTS_{name.upper()}"
    path = os.environ.get(variable)
    return expand(path, variable) if path else None


def where(name: str, folder: Path | None = None) -> Path:
    """Return the path of a weight that has been fetched.

    Raises:
        UserError: unknown name, or not fetched yet.
    """
    path = (folder or weights_folder()) / _weight(name).file_name
    if own := _own(name):
        if not own.is_file():
            raise UserError("does not exist", file=own, field=f"STYLEINV_WEIGHTS_{name.upper()}", cure="Correct it.")
        return own
    if not path.is_file():
        raise UserError(
            "has not been fetched", file=path, cure=f"Run `styleinv weights fetch {name}` where there is a network."
        )
    return path


def verify(name: str, folder: Path | None = None, lock: Path = LOCK) -> str:
    """Hash a fetched weight and return its SHA-256.

    Raises:
        UserError: not fetched, no known hash to compare with, or another hash or size.
    """
    weight, path = _weight(name), where(name, folder)
    trust = _trust(weight, lock)
    if trust.whole is None:
        cure = f"Run `styleinv weights fetch {name}` once to trust it." if _own(name) else _cure(name)
        raise UserError(f"has no SHA-256 in {lock}, so it cannot be trusted", file=path, cure=cure)
    found = trust.check(path, _cure(name))
    if weight.size is not None and path.stat().st_size != weight.size:
        raise UserError(f"has {path.stat().st_size} bytes, expected {weight.size}", file=path, cure=_cure(name))
    return found


def _cure(name: str) -> str:
    """What to do about a wrong file."""
    if _own(name):
        return f"Name the right file in STYLEINV_WEIGHTS_{name.upper()}."
    return f"Delete it and run `styleinv weights fetch {name}`."


def _weight(name: str) -> Weight:
    if name not in WEIGHTS:
        raise UserError(f"no weight is called {name!r}", cure=f"Known: {', '.join(WEIGHTS)}.")
    return WEIGHTS[name]
