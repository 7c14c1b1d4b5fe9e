"""Every command line of README, docs and examples is one that its program takes.

Lines of `styleinv`, `snakemake` and `dvc` go through the programs' own parsers, with data sets, methods, weights,
scales, tables and stages that exist; `make` and `python` name targets and files that exist. That they do what they say
is for the tests of the commands; the last test here finds those.
"""

import contextlib
import re
import shlex
import tempfile
from pathlib import Path

import pytest
import yaml

from styleinv.cli import _parse
from styleinv.commands import COMMANDS
from styleinv.config import (
    Study,
    experiments,
    figure_names,
    load_dataset,
    load_scale,
    method_title,
    question_names,
)
from styleinv.data.weights import WEIGHTS
from styleinv.errors import UserError
from styleinv.runs import CARD, Run, parse_run
from styleinv.schema import Layer, parse, read_layer, read_yaml
from tests.project import ROOT

CONFIG = ROOT / "config"
PAGES = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").glob("*.md"),
    *(ROOT / f"{name}/README.md" for name in ("config", "results")),
]
# Names that stand for the reader's own: a data set, as `styleinv dataset` makes it, a style set, a method of one's own.
OWN = {"mine", "cartoon", "sway"}
# What is not the project's, and what it needs that a test has not: a shell of one's own, a server, a git hook.
FOREIGN = {"source": "a shell", "mlflow": "a server that goes on", "pre-commit": "a clone of one's own"}


def commands(text: str) -> list[list[str]]:
    """Commands of a block: without comments, one for each part of a line that `&&` or a redirection ends."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while words:
            end = next((i for i, word in enumerate(words) if word in ("&&", ">", "|")), len(words))
            found.append(words[:end])
            words = words[end + 1 :] if words[end : end + 1] == ["&&"] else []
    return [words for words in found if words]


def blocks() -> list[tuple[str, list[str]]]:
    """(page, words) of every command in a block of a shell."""
    found = []
    for page in PAGES:
        for block in re.findall(r"^```(?:bash|sh|console)\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
            found += [(page.name, words) for words in commands(block)]
    return found


def mentioned() -> list[tuple[str, str]]:
    """(page, text) of every command in the running text."""
    programs = "|".join(CHECKS)
    return [
        (page.name, text)
        for page in PAGES
        # One is made from the code, with names left out; the other tells of what there was.
        if page.name not in ("troubleshooting.md", "CHANGELOG.md")
        for text in re.findall(rf"`((?:{programs}) [^`]+)`", page.read_text())
    ]


def check_dataset(name: str) -> None:
    if name not in OWN:
        load_dataset(name, CONFIG / "paper.yaml")


def check_run(run: Run) -> None:
    check_dataset(run.dataset)
    if run.method not in OWN:
        method_title(run, CONFIG)


def check_styleinv(words: list[str]) -> None:
    if words[1:2] == ["--help"]:
        return
    # Where a packed run lies, as the pages have it.
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
        (Path("shared") / CARD).parent.mkdir()
        (Path("shared") / CARD).touch()
        args = vars(_parse(words[1:]))
    assert (ROOT / args["config"]).exists()
    for run in [*args.get("runs", []), args.get("run"), args.get("style")]:
        if isinstance(run, Run):
            check_run(run)
    for name in [args.get("dataset"), *(args.get("datasets") or [])]:
        if name is not None:
            check_dataset(name)
    if args["command"] == "crop" and not Path(args["what"]).suffix:
        check_dataset(args["what"])
    if args["command"] == "compare":
        for side in ("a", "b"):
            check_run(parse_run(args[side]))
    if args["command"] in ("weights", "data"):
        known = (
            WEIGHTS if args["command"] == "weights" else [file.stem for file in (CONFIG / "datasets").glob("*.yaml")]
        )
        assert set(args["names"]) <= set(known)
    for target in [args.get("experiment"), *args.get("targets", [])]:
        planned = (*experiments(CONFIG), *question_names(CONFIG), "report", "all", "questions")
        assert target is None or "/" in target or target in planned


def check_snakemake(words: list[str]) -> None:
    from snakemake.cli import parse_args

    _, args = parse_args(words[1:])
    targets = {"all", "demo", "figures", "report", "table_s1", "what_if", *experiments(CONFIG), *figure_names(CONFIG)}
    targets |= {"questions", *question_names(CONFIG)}
    assert all(target in targets or target.startswith("results/") for target in args.targets), args.targets
    items = [item.split("=", 1) for item in args.config or []]
    told = Layer("--config", {key: yaml.safe_load(value) for key, value in items})
    study = parse(Study, read_layer(CONFIG / "config.yaml"), told)
    load_scale(CONFIG / f"{study.scale}.yaml")
    for name in study.datasets:
        check_dataset(name)


def check_dvc(words: list[str]) -> None:
    from dvc.cli.parser import get_main_parser

    args = get_main_parser().parse_args(words[1:])
    if words[1] == "repro":
        assert set(args.targets) <= set(read_yaml(ROOT / "dvc.yaml")["stages"])


def check_make(words: list[str]) -> None:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {word for word in words[1:] if "=" not in word} <= set(targets)


def check_python(words: list[str]) -> None:
    module = ROOT / words[2].replace(".", "/") if words[1] == "-m" else None
    files = [module.with_suffix(".py"), module / "__main__.py"] if module else [ROOT / words[1]]
    assert any(file.exists() for file in files)


CHECKS = {
    "styleinv": check_styleinv,
    "snakemake": check_snakemake,
    "dvc": check_dvc,
    "make": check_make,
    "python": check_python,
}


@pytest.fixture(autouse=True)
def at_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)  # profiles are looked for beside the Snakefile


def named(value: str | list[str]) -> str:
    return value if isinstance(value, str) else " ".join(value)


@pytest.mark.parametrize(("page", "words"), blocks(), ids=named)
def test_a_command_of_the_pages_is_one(page: str, words: list[str]) -> None:
    if words[0] not in FOREIGN:
        CHECKS[words[0]](words)


def test_commands_in_the_text_exist_with_their_options(capsys: pytest.CaptureFixture) -> None:
    from dvc.cli.parser import get_main_parser

    from styleinv.cli import _parsers

    parsers = _parsers()[1]
    wrong = []
    for page, text in mentioned():
        program, *words = shlex.split(text.replace("NAME", "mine"))
        name = next((word for word in words if not word.startswith("-")), "")
        if program == "styleinv" and name not in ("COMMAND", "(paper)") and words != ["--help"]:
            known = parsers[name]._option_string_actions if name in COMMANDS else {}
            if name not in COMMANDS or not {word for word in words if word.startswith("--")} <= set(known):
                wrong.append(f"{page}: {text}")
        elif program == "make":
            check_make([program, *words])
        elif program == "python":
            check_python([program, *words])
        elif program == "snakemake" and words != ["--config", "key=value"]:
            check_snakemake([program, *words])
        elif program == "dvc":
            known = get_main_parser()._actions
            assert name in {choice for action in known for choice in action.choices or ()}, f"{page}: {text}"
    assert not wrong, wrong


@pytest.mark.parametrize(
    "line",
    [
        "styleinv train talking_faces/stylegan3",
        "styleinv fetch tachi",
        "styleinv weights fetch i4d",
        "styleinv plan table9",
        "styleinv generate sky/styleinv --outt x",
        "snakemake table9 --cores 1",
        "snakemake table1 --config scales=paper",
        "snakemake table1 --profil slurms",
        "dvc repro evaluate-sky-nothing",
        "dvc pul",
        "make demos",
        "python workflow/scripts/no.py",
    ],
)
def test_a_wrong_line_is_found(line: str) -> None:
    (words,) = commands(line)
    from dvc.cli import DvcParserError

    with pytest.raises((AssertionError, UserError, SystemExit, DvcParserError)):
        CHECKS[words[0]](words)


def test_every_command_runs_in_some_test() -> None:
    """Called by its name through the command line, or through the workflow, whose rules call it."""
    text = "\n".join(file.read_text() for file in (ROOT / "tests").rglob("test_*.py") if file != Path(__file__))
    rules = "\n".join(file.read_text() for file in (ROOT / "workflow/rules").glob("*.smk"))
    calls = r'(?:main\(\[|capsys, |command\(|styleinv\(|"styleinv", |"styleinv.cli", |words = \[)"([a-z]+)"'
    called = set(re.findall(calls, text))
    called |= set(re.findall(r"styleinv ([a-z]+) ", rules)) | {"lowres", "pca"}  # by their rules, under their own names
    assert set(COMMANDS) - called == set(), set(COMMANDS) - called
