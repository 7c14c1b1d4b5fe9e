"""MetFaces (Karras et al. 2020): 1,336 aligned faces of paintings and sculptures, each with a published MD5."""

from styleinv.config import MetFacesSource
from styleinv.data.fetch import Manifest
from styleinv.data.sources.images import take_images
from styleinv.data.sources.job import Job, Probe, local, probe_local
from styleinv.errors import UserError
from styleinv.files import read_json

OBTAIN = (
    "Download images/ (1.6 GB, https://drive.google.com/drive/folders/1iChdwdW7mZFUyivKtDwL8ehCNhYKQz6D) and "
    "metfaces.json (https://drive.google.com/file/d/1o11-JkkwBbZW61w03O7qGrhkydNALDSH) into one folder and name it in "
    "source.path or STYLEINV_METFACES."
)


def fetch(source: MetFacesSource, job: Job) -> Manifest:
    """Take in `images/`, compare every image with its MD5 and list those that are absent.

    Raises:
        UserError: `metfaces.json` names no hashes.
    """
    folder = local(source.path, OBTAIN, ("images", "metfaces.json"))
    table = folder / "metfaces.json"
    known = read_json(table)
    rows = known if isinstance(known, list) else list(known.values()) if isinstance(known, dict) else []
    md5 = {
        str(row["image_md5"]).lower(): str(row.get("image_path", f"image {number}"))
        for number, row in enumerate(rows)
        if isinstance(row, dict) and "image_md5" in row
    }
    if not md5:
        raise UserError("names no image", file=table, field="image_md5", cure="Download it again.")
    return take_images(folder / "images", job, md5, "metfaces")


def probe(source: MetFacesSource, job: Job) -> Probe:
    """Whether the folder is there."""
    return probe_local(source.path, OBTAIN, ("images", "metfaces.json"))
