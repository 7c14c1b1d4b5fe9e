"""SkyTimelapse (Xiong et al. 2018) as StyleGAN-V released it: 256 x 256 frames in one zip on a public Yandex disk."""

import urllib.parse

from styleinv.data.download import download, download_json, probe_url
from styleinv.data.manifest import Manifest
from styleinv.data.source import Job, Probe, SourceConfig, local
from styleinv.data.sources.frames import probe_frames, take_frames
from styleinv.errors import UserError
from styleinv.forms import ZIP

OBTAIN = "Name a copy of the zip, or the unpacked folder of folders of frames, in source.path."


class Config(SourceConfig):
    """SkyTimelapse as StyleGAN-V released it: a zip of 256 x 256 frames on a public Yandex disk.

    Attributes:
        public_key: the public address.
        member: path of the zip inside of it, where the address is a folder.
        api: what turns the public address into one that can be downloaded.
        path: a copy of the zip, or the unpacked folder, that is used instead.
    """

    public_key: str = "https://disk.yandex.ru/d/7JU3c5mdWQfrHw"
    member: str = ""
    api: str = "https://cloud-api.yandex.net/v1/disk/public/resources/download"
    path: str | None = None


def fetch(source: Config, job: Job) -> Manifest:
    """Download the zip, or take the copy that is named, and read its folders as videos.

    Raises:
        UserError: the disk does not answer, or gives another file than it gave the first time.
    """
    if source.path is not None:
        return take_frames(local(source.path, OBTAIN), job, "sky")
    path = job.raw / "download" / "sky_timelapse.zip"
    key = f"{source.public_key}#{source.member}" if source.member else source.public_key
    # The address that can be downloaded is made for the moment; the lock file knows the public one.
    url = source.public_key if path.exists() else _address(source)
    return take_frames(download(url, path, lock=job.lock, key=key, form=ZIP), job, "sky")


def probe(source: Config, job: Job) -> Probe:
    """Ask the disk for the zip, or look for the copy."""
    if source.path is not None:
        return probe_frames(source.path, OBTAIN, job)
    try:
        good, says = probe_url(_address(source, attempts=1))
    except UserError as error:
        return Probe(False, str(error))
    return Probe(good, f"{source.public_key} {says}")


def _address(source: Config, attempts: int = 5) -> str:
    query = {"public_key": source.public_key} | ({"path": source.member} if source.member else {})
    reply = download_json(f"{source.api}?{urllib.parse.urlencode(query)}", attempts)
    if not isinstance(reply, dict) or not isinstance(reply.get("href"), str):
        raise UserError("names no address to download", file=source.public_key, field="href", cure=OBTAIN)
    return reply["href"]
