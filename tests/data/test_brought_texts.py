"""Texts that people and machines bring: YAML files, names, paths, servers and what they send, locks, full disks."""

import errno
import hashlib
import io
import json
import os
import random
import re
import shlex
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from styleinv.cli import main
from styleinv.config import load_dataset, training_section
from styleinv.data import weights
from styleinv.data.video import write_video
from styleinv.files import expand
from styleinv.forms import OLD_TORCH_BEGINS
from styleinv.runs import parse_run
from styleinv.schema import dump_yaml, quoted, read_yaml
from tests.brought import Case, run_case
from tests.data.conftest import pictures
from tests.data.server import Server, serving
from tests.interop.pickles import image_nets, official
from tests.project import ROOT

TORCH = OLD_TORCH_BEGINS + random.Random(0).randbytes(300_000)
TORCH_DIGEST = hashlib.sha256(TORCH).hexdigest()
PAGE = b"<!DOCTYPE html><html><body>Please log in to the network</body></html>"
CLIPS = """video_id,start,end,bbox,fps,width,height,partition
aaaaaaaaaaa,0,100,"10,10,40,40",30,64,64,train
"""
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


def folder_called(name: str, found: str = "a.mp4") -> Callable[[Path], dict[str, str]]:
    """A folder of one video, called so."""

    def make(folder: Path) -> dict[str, str]:
        (folder / name).mkdir(parents=True)
        (folder / name / found).touch()
        return {"place": shlex.quote(f"./{name}")}

    return make


def reads_back(name: str) -> Callable[[Path], None]:
    """The data set `mine` is of the folder of this name."""
    return lambda folder: _same(_path_of_mine(folder), folder / name)


def _path_of_mine(folder: Path) -> Path:
    config = load_dataset("mine", folder / "config/demo.yaml")
    _same(config.title, "mine")
    return expand(config.source.path)


def mine(text: str, *, source: str = "{type: folder, path: videos}") -> Callable[[Path], None]:
    """A data set `mine` whose YAML ends like this."""
    whole = f"title: mine\nsource: {source}\ncrop: {{type: centre}}\n{text}"
    return file("config/datasets/mine.yaml", whole)


def file(name: str, text: str) -> Callable[[Path], None]:
    """A file of this name and content."""

    def make(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode("utf-8", "surrogateescape"))

    return make


def folder(name: str) -> Callable[[Path], None]:
    """A folder of this name."""
    return lambda place: (place / name).mkdir(parents=True)


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
        PLACE + r"alexnet-owt-7be5be79\.pth: gave a file with SHA-256 \w{64}, expected 7be5be79 at its .*",
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
        r"own\.pth: has SHA-256 \w{64}, expected 7be5be79 at its beginning\. Name the right .*_ALEXNET\.",
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
    *(
        Case(
            f"a record of YouTube videos: {text}",
            lambda folder, text=text: [
                table(CLIPS.encode())(folder),
                file("results/data/taichi/raw/youtube/status.json", text)(folder),
                file("results/data/taichi/raw/download/x", "")(folder),
            ],
            f"fetch taichi {NEAR}",
            2,
            ".*/youtube/status.json: (must hold|is not valid JSON).* Delete it to ask for all videos again.",
            leaves=r"results/data/taichi/raw/download/taichi-metadata-\w+\.csv|config/data\.lock\.json",
        )
        for text in ("[]", "null", '{"a": 5}', '{"a": {}}', "{")
    ),
    *(
        Case(
            f"provenance that is {text}",
            file("results/a/b/provenance.json", text),
            "verify a/b",
            2,
            f"results/a/b/provenance.json: {what}.*",
        )
        for text, what in (
            ("[]", "must hold a JSON object"),
            ("{}", "outputs: names no files"),
            ('{"outputs": []}', "outputs: names no files"),
            ("{", "is not valid JSON"),
        )
    ),
    Case(
        "the doctor at a login page",
        lambda folder: [disk(b'{"href": "@/sky.zip"}')(folder), served(headers={"Content-Type": "text/html"})(folder)],
        f"data doctor {NEAR} sky",
        1,
        "1 of 1 sources are not there: sky",
        shows=(r".* sky: NOT THERE: https://\S+ HTTP 200, but with a web page",),
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


PATHS = (
    "my videos: best",
    "a # b",
    "trail ",
    " lead",
    "tab\t",
    "$HOME dir",
    "${HOME}",
    "$$",
    "cost $5",
    "$",
    "it's",
    'say "x"',
    "new\nline",
    "~",
    "\N{GRINNING FACE} \N{CJK UNIFIED IDEOGRAPH-5909}",
    "[a], {b}",
    "&a *b !c %d @e `f | >",
    "a: ",
    "- x",
    "null",
    "1e3",
    "back\\slash",
    "\x1b[31m red",
    "line\u2028separator \x85",
    "long " * 40,
)
DATASET = "dataset {place} --name mine --resolution 32"
NEXT = r"snakemake table1 report --profile profiles/demo --config 'datasets=\[mine\]'"
NAMED = [
    Case(
        "what is next", folder_called("my videos"), DATASET, shows=("wrote config/datasets/mine.yaml", f"next: {NEXT}")
    ),
    Case(
        "what is next after a check",
        lambda place: write_video(place / "my videos/a.mp4", pictures(4), 25),
        "check 'my videos' --min-frames 3",
        shows=("next: styleinv dataset 'my videos' --name mine --resolution 32", f"then: {NEXT}"),
    ),
    Case("names between options", served(), "weights --results results fetch --config config/demo.yaml lpips_alex"),
    Case("names behind --", folder_called("-videos"), "dataset --name mine --resolution 32 -- -videos"),
    *(
        Case(
            f"a folder called {name!r:.40}", folder_called(name), f"{DATASET}\ndata doctor mine", holds=reads_back(name)
        )
        for name in PATHS
    ),
    Case(
        "a folder that is not UTF-8",
        folder_called(os.fsdecode(b"caf\xe9")),
        DATASET,
        2,
        r"caf\\udce9: is no UTF-8, which no YAML can hold\. Rename it\.",
    ),
    *(
        Case(
            f"the name {name!r:.20}",
            folder_called("videos"),
            f"dataset {{place}} --name {shlex.quote(name)}",
            2,
            "--name: .* is no name. Use lower-case .*",
        )
        for name in (
            "Mine",
            "a-b",
            "",
            "a b",
            "../x",
            "\N{LATIN SMALL LETTER A WITH DIAERESIS}",
            "12",
            "on",
            "null",
            "1_0",
        )
    ),
    *(
        Case(
            f"--resolution {number}",
            folder_called("videos"),
            f"dataset {{place}} --name mine --resolution={number}",
            2,
            rf"--resolution: must be a power of two from 8 to 2048, not {number}\. Use 32, 64, 128, 256 \.\.\.",
        )
        for number in (100, 0, -32, 4, 4096, 40000, 1 << 70)
    ),
    *(
        Case(
            f"resolution: {value}",
            mine(f"resolution: {value}\n"),
            "fetch mine",
            2,
            f"config/datasets/mine.yaml: resolution: {what}, got .*. Correct this value.",
        )
        for value, what in (
            ("100", "must be a power of two from 8 to 2048"),
            ("40000", "must be a power of two from 8 to 2048"),
            ("4", "must be a power of two from 8 to 2048"),
            ("0", "must be a power of two from 8 to 2048"),
            ("-64", "must be a power of two from 8 to 2048"),
            ("big", "Input should be a valid integer.*"),
            ("64.5", "Input should be a valid integer.*"),
        )
    ),
    Case(
        "a resolution in the scale",
        file("config/near.yaml", "datasets: {sky: {resolution: 100}}"),
        "fetch sky --config config/near.yaml",
        2,
        "config/near.yaml: datasets.sky.resolution: must be a power of two from 8 to 2048, got 100. .*",
    ),
    *(
        Case(
            f"a name of 300 letters: {command}",
            folder_called("videos"),
            command.replace("@", "a" * 300),
            2,
            r"(config/datasets/)?a{300}(\.yaml)?: is too long for a file name\. Give a shorter name\.",
        )
        for command in (
            "fetch @",
            "crop @",
            "data doctor @",
            "train @/stylegan2",
            "dataset {place} --name @ --resolution 32",
        )
    ),
    Case(
        "a path with a null character",
        mine("resolution: 32\n", source='{type: folder, path: "a\\0b"}'),
        "fetch mine",
        2,
        r"config/datasets/mine\.yaml: source\.path: must not hold a null character, got .*",
    ),
    Case(
        "a variable that is not set",
        mine("resolution: 32\n", source="{type: folder, path: $NOBODY_HAS_SET/x}"),
        "fetch mine",
        2,
        r"source\.path: the environment variable NOBODY_HAS_SET is not set\. Set it, or write \$\$ for a dollar sign\.",
        environment={"NOBODY_HAS_SET": None},
    ),
]
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
BOMB_INSIDE = ", ".join(f"{{{line}}}" for line in BOMB.splitlines())
TEXTS = [
    *(
        Case(
            f"a YAML file: {name}",
            file("config/datasets/mine.yaml", text),
            "fetch mine",
            2,
            f"config/datasets/mine.yaml: is not valid YAML .{what}.*. Correct the line it names.",
        )
        for name, text, what in (
            ("100,000 brackets", "[" * 100_000, "line 1: nests deeper than 50"),
            ("3,000 blocks", "{a: " * 3000 + "}" * 3000, "line 1: nests deeper than 50"),
            ("100 lists", "\n".join(" " * n + "-" for n in range(100)), "line 51: nests deeper than 50"),
            ("an alias bomb", BOMB, "line 6: more than 100,000 values"),
            (
                "an alias bomb in methods",
                f"title: x\nmethods:\n  {BOMB.replace(chr(10), chr(10) + '  ')}",
                "line 8: more",
            ),
            ("an alias of itself", "a: &a {b: [*a]}", r"line 1: \*a holds itself"),
            ("a date that is none", "title: 2020-99-99", "month must be in"),
            ("a number too long", f"resolution: {'1' * 5000}", "Exceeds the limit"),
            ("a tag", "title: !!int x", "invalid literal"),
            ("two keys", "title: a\ntitle: b", "the key 'title' occurs twice"),
            ("a list as a key", "{[a]: 1}", "while constructing a mapping"),
            ("not UTF-8", os.fsdecode(b"title: caf\xe9"), "'utf-8' codec can't decode"),
        )
    ),
    Case("a YAML file that is empty", file("config/datasets/mine.yaml", ""), "fetch mine", 2, ".*: must hold `key: .*"),
    Case(
        "a scale of brackets",
        file("config/x.yaml", "{a: " * 99_999),
        "fetch sky --config config/x.yaml",
        2,
        ".*: is .*",
    ),
    Case(
        "the results are a file",
        file("taken", ""),
        "fetch talking_faces --results taken",
        2,
        "taken: is no folder, and in the place of one. Move it away, or name another place.",
    ),
    Case(
        "the results are in a file",
        file("taken", ""),
        "weights fetch lpips_alex --results taken/deep/results",
        2,
        "taken: is no folder, and in the place of one. Move it away, or name another place.",
    ),
    Case(
        "the data set is a folder",
        folder("config/datasets/mine.yaml"),
        "fetch mine",
        2,
        ".*/mine.yaml: is a folder, .*",
    ),
    Case(
        "the scale is a folder", served(), "fetch sky --config config", 2, "config: is a folder, and in the place of .*"
    ),
    Case("the lock is a folder", folder(str(LOCK)), ALEX, 2, ".*: cannot be read .Is a directory.. Move it away.*"),
    Case(
        "the scale is in a file",
        served(),
        "fetch sky --config config/demo.yaml/x.yaml",
        2,
        "config/demo.yaml: is no folder, and in the place of one. .*",
    ),
    Case(
        "the scale is a link to itself",
        lambda place: (place / "x.yaml").symlink_to("x.yaml"),
        "fetch sky --config x.yaml",
        2,
        "x.yaml: is a link that leads to itself. Remove it.",
    ),
    Case(
        "an import into a file",
        lambda place: [(place / "a.pkl").write_bytes(official(*image_nets())), file("taken", "")(place)],
        "import a.pkl --out taken",
        2,
        "taken: is no folder, and in the place of one. Move it away, or name another place.",
    ),
    Case(
        "a data set where nobody may write",
        lambda place: [folder_called("videos")(place), (place / "config/datasets").chmod(0o555)],
        "dataset videos --name mine --resolution 32",
        2,
        "config/datasets/mine.yaml: cannot be written .Permission denied.. Check its permissions.",
        powerless=True,
    ),
    Case(
        "a scale that nobody may read",
        lambda place: (place / "config/demo.yaml").chmod(0),
        "fetch sky",
        2,
        "config/demo.yaml: cannot be read .Permission denied.. Check its permissions.",
        powerless=True,
    ),
    Case(
        "a folder that nobody may enter",
        lambda place: (place / "config").chmod(0o666),
        "fetch sky",
        2,
        "config/demo.yaml: cannot be reached .Permission denied.. Check its permissions.",
        powerless=True,
        holds=lambda place: (place / "config").chmod(0o777),
    ),
]


def brought(name: str, keys: str, make: Callable[[Path], object], why: str, code: int = 2) -> list[Case]:
    """What `fetch` refuses of a source, and the doctor with the same words."""

    def place(folder: Path) -> None:
        make(folder)
        file("config/near.yaml", f"datasets: {{{name}: {{source: {keys}}}}}")(folder)

    words = f"{name}, {why}"
    return [
        Case(f"fetch {words}", place, f"fetch --config config/near.yaml {name}", code, f"{why}.*"),
        Case(
            f"doctor {words}",
            place,
            f"data doctor --config config/near.yaml {name}",
            1,
            f"1 of 1 sources are not there: {name}",
            shows=(rf"\d{{4}}-\d\d-\d\d {name}: NOT THERE: {why}.*",),
        ),
    ]


def clips(place: Path) -> None:
    """An empty folder, and a table of TaiChi's clips."""
    (place / "own").mkdir()
    (place / "table.csv").write_text(CLIPS)


OWN_PATH = "{path: own}"
LOOKS = [
    case
    for rows in (
        brought(
            "deeperforensics", OWN_PATH, folder("own/source_videos"), "own/source_videos: holds no video named like"
        ),
        brought(
            "deeperforensics",
            OWN_PATH,
            file("own/source_videos/M001_light_up_happy_camera_left.mp4", ""),
            "own/source_videos: holds no video named like",
        ),
        brought("deeperforensics", OWN_PATH, folder("own"), "own: holds no source_videos", 3),
        brought(
            "deeperforensics",
            "{path: .}",
            file("source_videos/M001_light_uniform_happy_camera_front.mp4", ""),
            r"results/data/deeperforensics/raw: lies inside the source \.",
        ),
        brought(
            "faceforensics",
            OWN_PATH,
            lambda place: [folder(f"own/train/{name}")(place) for name in ("original", "mask")],
            "own/train/original: contains no video files",
        ),
        brought(
            "faceforensics",
            OWN_PATH,
            lambda place: [file("own/train/original/a.mp4", "")(place), folder("own/train/mask")(place)],
            "own/train/mask: contains no video files",
        ),
        brought("celebvhq", OWN_PATH, folder("own"), "own: contains no video files"),
        brought(
            "celebvhq",
            OWN_PATH,
            lambda place: [file("own/a.mp4", "")(place), file("own/celebvhq_info.json", "[]")(place)],
            "own/celebvhq_info.json: clips: names no clips",
        ),
        brought("metfaces", OWN_PATH, folder("own/images"), "own: holds no metfaces.json", 3),
        brought(
            "metfaces",
            OWN_PATH,
            lambda place: [folder("own/images")(place), file("own/metfaces.json", "[]")(place)],
            "own/metfaces.json: image_md5: names no image",
        ),
        brought(
            "metfaces",
            OWN_PATH,
            lambda place: [folder("own/images")(place), file("own/metfaces.json", '[{"image_md5": "0"}]')(place)],
            "own/images: holds no images",
        ),
        brought("sky", OWN_PATH, folder("own"), "own: holds no images"),
        brought("sky", OWN_PATH, file("own", "no zip"), r"\S*own: is no whole zip file"),
        brought(
            "sky",
            OWN_PATH,
            lambda place: (place / "own").write_bytes(zipped("sky.zip")),
            "own: holds no images but sky.zip. Unpack it",
        ),
        brought("sky_original", OWN_PATH, file("own/a.txt", ""), "own: holds no images"),
        brought("arcane", OWN_PATH, folder("own"), "own: holds no images"),
        brought("arcane", OWN_PATH, lambda place: (place / "own").write_bytes(zipped("a.txt")), "own: holds no images"),
        brought(
            "taichi",
            "{metadata: table.csv, sha256: null, path: own}",
            clips,
            "own: holds none of the 1 videos of the table",
        ),
    )
    for case in rows
]


@pytest.mark.parametrize("case", SERVERS + LOCKS + SOURCES + NAMED + TEXTS + LOOKS, ids=lambda case: case.name)
def test_what_people_bring(
    case: Case, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = time.monotonic()
    run_case(case, tmp_path, capsys, monkeypatch)
    assert len(web().requests) < 12 and time.monotonic() - began < 20


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (OSError(errno.ENOSPC, "No space"), 1, "results: no space left on device. Free some and run again."),
        (OSError(errno.ENOSPC, "No space", "a.zip"), 1, "a.zip: no space left on device. Free some and run again."),
        (OSError(errno.EDQUOT, "Quota"), 1, "results: no space left in the quota. Free some and run again."),
        (
            OSError(errno.EIO, "I/O error", "a.zip"),
            1,
            "a.zip: cannot be read or written, its disk fails. Check the disk.",
        ),
        (OSError(errno.EMFILE, "Too many", "a"), 1, "a: too many open files. Raise the limit: `ulimit -n 4096`."),
        (
            OSError(errno.EROFS, "Read-only", "a", None, "b"),
            2,
            "b: cannot be written, its file system is read-only. .*",
        ),
        (OSError(errno.ENOENT, "No such file", b"a"), 2, "a: does not exist. Check the path."),
        (OSError(errno.EXDEV, "Invalid link", "a"), 1, "a: Invalid link"),
        (OSError(errno.ECONNREFUSED, "Connection refused"), 1, "Connection refused"),
        (OSError("something"), 1, "something"),
        (OSError(), 1, "OSError"),
    ],
    ids=str,
)
def test_every_refusal_of_the_system_is_one_line(
    error: OSError, code: int, line: str, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise error

    monkeypatch.setattr("styleinv.stages.upkeep.selftest", refuse)
    assert main(["selftest"]) == code
    assert re.fullmatch(f"styleinv: {line}\n", capsys.readouterr().err)


def test_output_that_nobody_reads_is_one_line() -> None:
    command = [sys.executable, "-m", "styleinv.cli", "data", "doctor", "talking_faces"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (1, "styleinv: the output was closed before its end\n")


def test_every_yaml_that_is_written_reads_back(tmp_path: Path) -> None:
    """Texts of all kinds of letters, as values, keys and in lists, through both ways of writing."""
    letters = "abc 019.:#$'\"\\-?[]{}&*!|>%@`~,=_eE+\t\n\r\0\a\x1b\x7f\x85\x9f\u2028\u2029\ufeff\u00e9\u5909\U0001f600"
    draw, path = random.Random(0), tmp_path / "x.yaml"
    texts = "1e3 1e-5 1_000 0x1F 012 190:20:30 null ~ yes No on OFF true .inf .nan - = << 2020-01-01 !x %a 1.".split()
    texts += ["", " ", "a: b", "a #b", "- a", "--- a", "word " * 60]
    texts += ["".join(draw.choices(letters, k=draw.randint(1, 12))) for _ in range(400)]
    for text in texts:
        value = {"a": text, "b": [text, {"c": [text]}], text: 1e-5, "d": float("inf"), "e": None}
        path.write_text(dump_yaml(value), encoding="utf-8")
        assert read_yaml(path) == value
        path.write_text(f"a: {quoted(text)}\n", encoding="utf-8")
        assert read_yaml(path) == {"a": text} and "\n" not in quoted(text)
    for run in ("talking_faces/styleinv", "sky/mocogan_hd-ffa_st"):
        section = training_section(parse_run(run), ROOT / "config/paper.yaml")
        path.write_text(dump_yaml(section), encoding="utf-8")
        assert read_yaml(path) == json.loads(json.dumps(section))
