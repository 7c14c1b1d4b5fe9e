"""MetFaces (Karras et al. 2020): 1,336 aligned faces of paintings and sculptures, each with a published MD5."""

from pathlib import Path

from styleinv.data.manifest import Manifest
from styleinv.data.source import Job, Probe, SourceConfig, local, probe_by
from styleinv.data.sources.frames import images_below
from styleinv.data.sources.images import take_images
from styleinv.errors import UserError, printable
from styleinv.files import read_json

OBTAIN = (
    "Download images/ (1.6 GB, https://drive.google.com/drive/folders/1iChdwdW7mZFUyivKtDwL8ehCNhYKQz6D) and "
    "metfaces.json (https://drive.google.com/file/d/1o11-JkkwBbZW61w03O7qGrhkydNALDSH) into one folder and name it in "
    "source.path or STYLEINV_METFACES."
)


class Config(SourceConfig):
    """MetFaces: aligned images and `metfaces.json`, which knows the MD5 of each.

    Attributes:
        path: the folder that holds `images/` and `metfaces.json`.
    """

    path: str = "$STYLEINV_METFACES"


def fetch(source: Config, job: Job) -> Manifest:
    """Take in `images/`, compare every image with its MD5 and list those that are absent.

    Raises:
        UserError: `metfaces.json` names no hashes.
    """
    folder = local(source.path, OBTAIN, ("images", "metfaces.json"))
    return take_images(folder / "images", job, _hashes(folder), "metfaces")


def probe(source: Config, job: Job) -> Probe:
    """Report how many images are there, and how many should be."""

    def look() -> str:
        folder = local(source.path, OBTAIN, ("images", "metfaces.json"))
        wanted = len(_hashes(folder))
        found = sum(map(len, images_below(folder / "images", job, job.denied(), OBTAIN).values()))
        return f"{folder} holds {found} images, metfaces.json names {wanted}"

    return probe_by(look)


def _hashes(folder: Path) -> dict[str, str]:
    """Read the name of each image by its MD5.

    Raises:
        UserError: `metfaces.json` names no hashes.
    """
    table = folder / "metfaces.json"
    known = read_json(table)
    rows = known if isinstance(known, list) else list(known.values()) if isinstance(known, dict) else []
    md5 = {
        str(row["image_md5"]).lower(): printable(row.get("image_path", f"image {number}"))
        for number, row in enumerate(rows)
        if isinstance(row, dict) and "image_md5" in row
    }
    if not md5:
        raise UserError("names no image", file=table, field="image_md5", cure="Download it again.")
    return md5
