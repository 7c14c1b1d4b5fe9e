"""Texts that people and machines bring: YAML files, names, paths, servers and what they send, locks, full disks."""

import hashlib
import io
import json
import random
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from styleinv.data import weights
from styleinv.forms import OLD_TORCH_BEGINS
from tests.brought import Case, run_case
from tests.data.server import Server, serving

TORCH = OLD_TORCH_BEGINS + random.Random(0).randbytes(300_000)
TORCH_DIGEST = hashlib.sha256(TORCH).hexdigest()
PAGE = b"<!DOCTYPE html><html><body>Please log in to the network</body></html>"
LOCK = Path("config/weights.lock.json")
PLACE = r"http://127\.0\.0\.1:\d+/"


WEB: list[Server] = []


def web() -> Server:
    """The server of this case."""
    return WEB[0]


@pytest.fixture(autouse=True)
def near(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Published weights are asked of that server, without pauses."""
    with serving() as server:
        WEB[:] = [server]
        server.content = TORCH
        local = {
            name: replace(weight, url=f"{server.root}/{weight.file_name}", mirrors=(), sha256=None, size=None)
            for name, weight in weights.WEIGHTS.items()
        }
        local["fan_2d4"] = replace(local["fan_2d4"], sha256_prefix=TORCH_DIGEST[:10])
        monkeypatch.setattr(weights, "WEIGHTS", local)
        monkeypatch.setattr("styleinv.data.download.time.sleep", lambda seconds: None)
        yield


def served(**answers: object) -> Callable[[Path], None]:
    """A server that behaves as told."""

    def make(folder: Path) -> None:
        web().__dict__.update(answers)

    return make


def zipped(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, random.Random(0).randbytes(100_000))
    return file.getvalue()


def locked(text: str, name: str = "lpips_alex", **files: bytes) -> Callable[[Path], None]:
    """A lock file of this text, `@` in it the address of a weight, and that weight's file where it is given."""

    def make(folder: Path) -> None:
        (folder / LOCK).write_bytes(text.replace("@", weights.WEIGHTS[name].url).encode("latin-1"))
        for file, content in files.items():
            (folder / "results/weights").mkdir(parents=True)
            (folder / "results/weights" / f"{file}.pth").write_bytes(content)

    return make


def entry(content: bytes) -> str:
    """A lock file that knows this content of one file."""
    return json.dumps({"@": {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}})


def own(content: bytes) -> Callable[[Path], None]:
    """A file of one's own, own.pth."""

    def make(folder: Path) -> None:
        (folder / "own.pth").write_bytes(content)

    return make


def source(dataset: str, **keys: object) -> Callable[[Path], None]:
    """A scale near.yaml that gives a data set these keys of its source, `@` in them the server's address."""

    def make(folder: Path) -> None:
        told = {key: value.replace("@", web().root) if isinstance(value, str) else value for key, value in keys.items()}
        text = json.dumps({"datasets": {dataset: {"source": told}}})
        (folder / "config/near.yaml").write_text(text)

    return make


def disk(reply: bytes, **files: bytes) -> Callable[[Path], None]:
    """A disk of SkyTimelapse that answers so, `@` in it the server's address."""

    def make(folder: Path) -> None:
        source("sky", api="@/api")(folder)
        web().files["/api"] = reply.replace(b"@", web().root.encode())
        web().files |= {f"/{name}": content for name, content in files.items()}

    return make


def table(content: bytes, **keys: object) -> Callable[[Path], None]:
    """A table of TaiChi's clips without a known hash."""

    def make(folder: Path) -> None:
        source("taichi", **({"metadata": "@/table.csv", "sha256": None} | keys))(folder)
        web().files["/table.csv"] = content

    return make


def holds_lock(names: int) -> Callable[[Path], None]:
    """So many files are trusted."""
    return lambda folder: _same(len(json.loads((folder / LOCK).read_text())), names)


def no_lock(folder: Path) -> None:
    assert not (folder / LOCK).exists() and not (folder / "config/data.lock.json").exists()


def _same(a: object, b: object) -> None:
    assert a == b


ALEX = "weights fetch lpips_alex"
FAN = "weights fetch fan_2d4"
ZIP_OF_FACES = "weights fetch retinaface_resnet50"
SERVERS = [
    Case("an honest server", served(), ALEX, shows=(f"lpips_alex .*alex.pth {'[0-9a-f]' * 64}",), holds=holds_lock(1)),
    Case("in pieces", served(cut=[100_000, 0, 120_000]), ALEX, shows=("lpips_alex .*",), holds=holds_lock(1)),
    Case(
        "a captive portal",
        served(content=PAGE, headers={"Content-Type": "text/html; charset=utf-8"}),
        ALEX,
        2,
        PLACE + r"alex\.pth: gave a web page instead of a checkpoint of torch\. Does this network ask for a login\? .*",
        holds=no_lock,
    ),
    Case(
        "a web page that does not say so",
        served(content=b"\n \xef\xbb\xbf" + PAGE),
        ALEX,
        2,
        PLACE + r"alex\.pth: gave a web page instead of a checkpoint of torch\. Look for another source of it\.",
        holds=no_lock,
    ),
    Case(
        "nothing", served(content=b""), ALEX, 2, PLACE + r"alex\.pth: gave an empty file instead of .*", holds=no_lock
    ),
    Case("blanks", served(content=b"\r\n \n"), ALEX, 2, ".*: gave nothing but blanks instead of .*", holds=no_lock),
    Case("an error as JSON", served(content=b'{"error": 1}'), ALEX, 2, ".*: gave something else, or a part, instead.*"),
    Case(
        "encoded",
        served(headers={"Content-Encoding": "gzip"}),
        ALEX,
        2,
        PLACE + r"alex\.pth: gave the file encoded \(gzip\), not as it is\. Look for another source of it\.",
        holds=no_lock,
    ),
    Case(
        "cut again and again",
        served(cut=[200_000, 0, 0, 0, 0, 0, 0, 0]),
        ALEX,
        2,
        PLACE + r"alex\.pth: could not be downloaded \(cut after 200000 of 300015 bytes\)\. Try .* where it stopped\.",
        holds=no_lock,
        leaves=r".*alex\.pth\.part(\.tag)?",
    ),
    *(
        Case(
            f"a length that is {length}",
            served(headers={"Content-Length": length}),
            ALEX,
            2,
            PLACE + r"alex\.pth: does not say how long the file is, so a cut would go unnoticed\. Look .*",
            holds=no_lock,
        )
        for length in (None, "abc", "-5", "1e6", "²")
    ),
    Case(
        "a length that is too small",
        served(content=zipped("a"), lie=-50),
        ZIP_OF_FACES,
        2,
        ".*: gave something else, or a part, instead of a zip file.*",
        holds=no_lock,
    ),
    Case(
        "a length that is too large",
        served(lie=70_000),
        ALEX,
        2,
        r".*: could not be downloaded \((the file has 300015 bytes now, it had|cut after .* of) 370015( bytes)?\).*",
        holds=no_lock,
    ),
    Case(
        "ranges that are shifted",
        served(cut=[200_000] * 99, shift=-1000),
        ALEX,
        2,
        r".*: could not be downloaded \((the reply holds other bytes than it says|cut after .*)\)\. Try again later\.",
        holds=no_lock,
    ),
    Case(
        "ranges that do not say which",
        served(cut=[200_000] * 99, headers={"Content-Range": None}),
        ALEX,
        2,
        r".*: could not be downloaded .*",
        holds=no_lock,
    ),
    Case(
        "ranges that do not add up",
        served(cut=[200_000] * 99, headers={"Content-Range": "bytes 134464-134563/300015"}),
        ALEX,
        2,
        r".*: could not be downloaded .*",
        holds=no_lock,
    ),
    Case(
        "no ranges, and a cut each time",
        served(cut=[100_000, 110_000, 120_000, 130_000, 140_000, 150_000, 160_000, 170_000], ranges=False),
        ALEX,
        2,
        r".*: could not be downloaded \(cut after \d+ of 300015 bytes\)\. Try again later\.",
        holds=no_lock,
    ),
    *(
        Case(
            f"a redirection to {address}",
            served(redirect=address),
            ALEX,
            2,
            PLACE + r"alex\.pth: (leads to no address that can be downloaded.*|could not be downloaded .*|is not .*)",
            holds=no_lock,
        )
        for address in (
            "http://[::1/x",
            "ftp://127.0.0.1:9/x",
            "file:///etc/passwd",
            "http://127.0.0.1:99999/x",
            "alex",
        )
    ),
    Case("gone", served(failures=[404]), ALEX, 2, r".*alex\.pth: is not there \(HTTP 404\)\. Check the address\."),
    Case("not for you", served(failures=[403]), ALEX, 3, r".*alex\.pth: needs permission \(HTTP 403\).*"),
    Case("in trouble", served(failures=[503] * 9), ALEX, 2, r".*: could not be downloaded \(HTTP 503\).*"),
    Case("a published beginning", served(), FAN, shows=("fan_2d4 .*",), holds=holds_lock(1)),
    Case(
        "another published beginning",
        served(),
        "weights fetch alexnet",
        2,
        PLACE + r"alexnet-owt-7be5be79\.pth: gave a file with SHA-256 \w{64}, expected 7be5be79\.\.\.\. Look .*",
        holds=no_lock,
    ),
    *(
        Case(
            f"the mirror {address}",
            served(failures=[404]),
            ALEX,
            2,
            r".*alex\.pth: is no address that can be downloaded\. Give an http or https address\.",
            environment={"STYLEINV_WEIGHTS_MIRROR": address},
        )
        for address in (
            "http://[::1/x",
            "ftp://a.org",
            "a.org",
            "http://a.org:99999",
            "http://",
            "http://a b",
            "http://ä",
        )
    ),
]


OTHER = OLD_TORCH_BEGINS + b"other"
WRONG = r"SHA-256 \w{64}, expected \w{64} as config/weights\.lock\.json says of http://\S+/alex\.pth\. "
CHANGED = r"If its publisher has changed the file, delete that entry to trust the new one\."
OWN = {"STYLEINV_WEIGHTS_LPIPS_ALEX": "own.pth", "STYLEINV_WEIGHTS_ALEXNET": "own.pth"}
LOCKS = [
    Case("the file that is locked", locked(entry(TORCH)), ALEX, shows=("lpips_alex .*",), holds=holds_lock(1)),
    Case(
        "a file that has changed", locked(entry(OTHER)), ALEX, 2, rf".*/alex\.pth: gave a file with {WRONG}.* {CHANGED}"
    ),
    Case(
        "a published beginning with another lock",
        locked(entry(OTHER), "fan_2d4"),
        FAN,
        2,
        rf".*: gave a file with SHA-256 {TORCH_DIGEST}, expected \w{{64}} as config/weights\.lock\.json says of .*",
    ),
    Case(
        "a file that is here and has changed",
        locked(entry(OTHER), alex=TORCH),
        ALEX,
        2,
        rf"results/weights/alex\.pth: has {WRONG}Delete it to download http://\S+ again\. {CHANGED}",
    ),
    Case(
        "a web page that was trusted",
        locked(entry(PAGE), alex=PAGE),
        "weights verify lpips_alex",
        2,
        r"results/weights/alex\.pth: is a web page instead of a checkpoint of torch\. Delete it and run .*",
    ),
    Case(
        "a file that was never trusted",
        locked("{}", alex=TORCH),
        "weights verify lpips_alex",
        2,
        r".*/alex\.pth: has no SHA-256 in config/weights\.lock\.json, so it cannot be trusted\. Delete it .*",
    ),
    Case(
        "a file of one's own", own(TORCH), ALEX, shows=("lpips_alex own.pth .*",), holds=holds_lock(1), environment=OWN
    ),
    *(
        Case(f"own file: {name}", own(content), ALEX, 2, rf"own\.pth: is {what}.*", holds=no_lock, environment=OWN)
        for name, content, what in (
            ("a web page", PAGE, "a web page instead of a checkpoint of torch"),
            ("empty", b"", "an empty file instead"),
            ("half a zip", zipped("a")[:-9], "something else, or a part, instead"),
        )
    ),
    Case(
        "own file: another published beginning",
        own(TORCH),
        "weights fetch alexnet",
        2,
        r"own\.pth: has SHA-256 \w{64}, expected 7be5be79\.\.\.\. Name the right file in STYLEINV_WEIGHTS_ALEXNET\.",
        holds=no_lock,
        environment=OWN,
    ),
    Case(
        "own file: none",
        served(),
        ALEX,
        2,
        r"own\.pth: STYLEINV_WEIGHTS_LPIPS_ALEX: does not exist\. Correct it\.",
        holds=no_lock,
        environment=OWN,
    ),
    Case(
        "own file: not the locked one",
        lambda folder: [make(folder) for make in (own(TORCH), locked(entry(OTHER)))] and None,
        ALEX,
        2,
        rf"own\.pth: has {WRONG}Name the right file in STYLEINV_WEIGHTS_LPIPS_ALEX\. {CHANGED}",
        environment=OWN,
    ),
    *(
        Case(
            f"a lock of {text!r:.20}", locked(text), ALEX, 2, rf"config/weights\.lock\.json: {what}.* Bring it back .*"
        )
        for text, what in (
            ("[]", "is no lock file: it must hold {address: "),
            ("null", "is no lock file"),
            ("5", "is no lock file"),
            ('"x"', "is no lock file"),
            ("", "is not valid JSON"),
            ("{", "is not valid JSON"),
            ("\xff", "is not valid JSON"),
            ("[" * 100_000, "is not valid JSON .it nests too deep"),
            ('{"@": null}', 'http://\\S+/alex.pth: must be {"sha256": 64 digits, "size": bytes}'),
            (f'{{"@": "{TORCH_DIGEST}"}}', ".*alex.pth: must be"),
            (f'{{"@": {{"sha256": "{TORCH_DIGEST}"}}}}', ".*alex.pth: must be"),
            ('{"@": {"sha256": "12", "size": 1}}', ".*alex.pth: must be"),
            (f'{{"x": {{"sha256": "{TORCH_DIGEST}", "size": -1}}}}', "x: must be"),
        )
    ),
]
NEAR = "--config config/near.yaml"
SOURCES = [
    Case("a disk with a web page", disk(PAGE), f"fetch sky {NEAR}", 2, ".*/api.*: did not answer with JSON. Try .*"),
    Case("a disk too deep", disk(b"[" * 100_000), f"fetch sky {NEAR}", 2, ".*: did not answer with JSON. Try .*"),
    Case("a disk without an address", disk(b'{"href": 5}'), f"fetch sky {NEAR}", 2, ".*: href: names no address .*"),
    Case("a disk with no address", disk(b'{"href": "http://[::1/x"}'), f"fetch sky {NEAR}", 2, ".*: is no address .*"),
    Case(
        "a zip that is a web page",
        disk(b'{"href": "@/sky.zip"}', **{"sky.zip": PAGE}),
        f"fetch sky {NEAR}",
        2,
        PLACE + r"sky\.zip: gave a web page instead of a zip file\. Look for another source of it\.",
        holds=no_lock,
    ),
    Case(
        "half a zip",
        disk(b'{"href": "@/sky.zip"}', **{"sky.zip": zipped("a/0.jpg")[:-30]}),
        f"fetch sky {NEAR}",
        2,
        r".*sky\.zip: gave something else, or a part, instead of a zip file\. .*",
        holds=no_lock,
    ),
    Case(
        "a table that is a web page",
        table(PAGE),
        f"fetch taichi {NEAR}",
        2,
        ".*: gave a web page instead of a table .*",
    ),
    Case(
        "another table",
        table(b"a,b\n1,2\n"),
        f"fetch taichi {NEAR}",
        2,
        ".*table.csv: gave something else, or a part, instead of a table with columns video_id, .*",
        holds=no_lock,
    ),
    Case(
        "a hash that is none",
        table(b"", sha256="12xy"),
        f"fetch taichi {NEAR}",
        2,
        "config/near.yaml: datasets.taichi.source.sha256: .*got '12xy'. Correct this value.",
    ),
    Case(
        "an address that is none",
        table(b"", metadata="http://[::1/x"),
        f"fetch taichi {NEAR}",
        2,
        r"http://\[::1/x: is no address that can be downloaded\. Give .*",
    ),
]


@pytest.mark.parametrize("case", LOCKS + SOURCES, ids=lambda case: case.name)
def test_locks_and_sources(
    case: Case, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_case(case, tmp_path, capsys, monkeypatch)


@pytest.mark.parametrize("case", SERVERS, ids=lambda case: case.name)
def test_servers(case: Case, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    run_case(case, tmp_path, capsys, monkeypatch)
    assert len(web().requests) < 12
