"""Reproduce, compare and extend StyleInV: one command for each stage. See README.md."""

import argparse
import importlib
import inspect
import io
import logging
import os
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

from styleinv.errors import UserError, of_system
from styleinv.evaluation.protocol import STORAGE, Kernel
from styleinv.methods import preparations
from styleinv.paths import Paths
from styleinv.runs import parse_run, parse_seeds
from styleinv.stages.setting import Setting

# Set where a log is kept: the rules of the workflow ask how a job has ended.
LOGGED = "STYLEINV_LOGGED"

Argument = tuple[tuple[str, ...], dict[str, Any]]


def argument(*names: str, **options: Any) -> Argument:
    """Describe one argument as argparse takes it."""
    return names, options


DATASET = argument("dataset")
RUN = argument("run", type=parse_run, help="<dataset>/<method>[-<variant>]")
RUNS = argument("runs", nargs="+", metavar="run", type=parse_run)
FOLDER = argument("folder", type=Path)
OUT = argument("--out", type=Path, required=True, metavar="DIR")

# Name -> (function of `styleinv.stages`, what it does, its arguments). Each argument goes to the parameter of its name.
COMMANDS: dict[str, tuple[str, str, list[Argument]]] = {
    "fetch": ("fetch:fetch", "obtain the raw videos of a data set", [DATASET]),
    "crop": (
        "crop_any:crop_any",
        "crop the raw videos of a data set into a frame store, or the face out of one video file; the options are for "
        "a file, a data set's YAML says these things instead (docs/cropping.md)",
        [
            argument("what", metavar="dataset | FILE"),
            argument("--out", type=Path, metavar="DIR", help="where the results go (default: cropped)"),
            argument("--align", choices=["ffhq"], help="how (default: ffhq)"),
            argument(
                "--landmarks", type=Path, metavar="FILE.npz", help="those of another detector, in the networks' place"
            ),
            argument("--boxes", type=Path, metavar="FILE.npz", help="likewise; the landmarks in them are found here"),
            argument("--preset", choices=["ours", "naruniec", "single", "gaussian"], help="default: ours"),
            argument("--set", dest="changes", action="append", metavar="KEY=VALUE", help="change a key of the preset"),
            argument("--resolution", type=int, help="side of the crop (default: 256)"),
            argument("--device", choices=["auto", "cpu", "cuda"], help="default: auto"),
            argument("--report", action="store_true", help="also a comparison video and how much both shake"),
        ],
    ),
    **{
        name: ("prepare:prepare_for", made.help, [argument("what", metavar=made.per)])
        for name, made in preparations().items()
    },
    "train": (
        "train:train",
        "train a run, or continue it",
        [
            RUN,
            argument(
                "--processes", type=int, default=1, metavar="N", help="one for each GPU of this machine (default: 1)"
            ),
            argument("--afresh", action="store_true", help="set the state of an earlier training aside"),
            argument("--same-code", action="store_true", help="set it aside also if other code made it"),
            argument(
                "--verify-resume",
                type=int,
                metavar="STEPS",
                nargs="?",
                const=12,
                help="train so many steps twice in temporary folders, once killed half-way, and compare (default: "
                "%(const)s)",
            ),
        ],
    ),
    "evaluate": (
        "evaluate:evaluate_any",
        "score a run, or one folder of videos against another",
        [
            argument("run", nargs="?", type=parse_run, help="<dataset>/<method>[-<variant>]"),
            argument("--real", type=Path, metavar="DIR", help="folder or frame store of real videos"),
            argument("--fake", type=Path, metavar="DIR", help="folder or frame store of generated videos"),
            argument("--detectors", choices=["official", "stand-in"], help="of folders (default: official)"),
            argument("--protocol", choices=list(STORAGE), help="of folders (default: styleinv)"),
            argument("--n", type=int, metavar="N", help="videos of each folder (default: the protocol's 2048)"),
            argument("--lengths", type=int, nargs="+", metavar="L", help="clips of FVD on folders (default: 16 128)"),
            argument("--metrics", nargs="+", metavar="M", help="of folders, such as kvd (default: fid fvd)"),
            argument("--resize", choices=get_args(Kernel), help="bring generated folders to the size of the real one"),
            argument("--out", type=Path, metavar="FILE", help="also write the scores of folders to this JSON file"),
            argument("--keep", type=Path, metavar="DIR", help="keep the generated frames of a run here"),
        ],
    ),
    "progress": ("progress:progress", "score the models that a run has kept along its training", [RUN]),
    "table": (
        "summary:table",
        "write the table of an experiment beside the published numbers",
        [argument("experiment", help="name of a file in config/experiments"), RUNS],
    ),
    "figures": ("summary:figures", "draw curves and film strips of runs", [RUNS]),
    "report": ("summary:report", "write the HTML report of runs", [RUNS]),
    "cost": (
        "cost:cost_text",
        "measure parameters, memory and time of trainings before they run",
        [
            RUNS,
            argument(
                "--group-size",
                type=int,
                metavar="N",
                dest="size",
                help="samples per group (default: the method's)",
            ),
        ],
    ),
    "plan": (
        "plan:plan",
        "say what a study will take: jobs, days, disk and wall time, from the table of `cost`",
        [
            argument("targets", nargs="+", metavar="target", help="experiments such as table1, report, all, or runs"),
            argument("--gpus", type=int, default=1, metavar="N", help="of all trainings together (default: 1)"),
            argument("--each", type=int, metavar="N", help="GPUs of a training (default: `gpus` of config.yaml)"),
            argument("--datasets", nargs="+", metavar="D", help="default: those of config.yaml, likewise:"),
            argument("--methods", nargs="+", metavar="M"),
            argument("--seeds", nargs="+", type=int, metavar="S"),
        ],
    ),
    "compare": (
        "compare:compare",
        "compare the scores of two runs or two metrics.json files",
        [argument("a"), argument("b")],
    ),
    "generate": (
        "generate:generate",
        "write videos of a trained run",
        [
            RUN,
            OUT,
            argument("--seeds", type=parse_seeds, default="0-7", help="such as 0-7 or 3,5 (default: %(default)s)"),
            argument("--seconds", type=float, default=5.0),
            argument("--slowmo", type=float, default=1.0, help="2 doubles the frame rate by interpolation in time"),
            argument(
                "--style",
                type=parse_run,
                metavar="RUN",
                help="<style set>/style_transfer: show this style beside the video",
            ),
        ],
    ),
    "dataset": (
        "dataset:write_dataset",
        "turn a folder of videos into a data set",
        [
            FOLDER,
            argument("--name", required=True, help="lower-case letters, digits and _"),
            argument("--resolution", type=int, default=256),
        ],
    ),
    "check": (
        "check:check",
        "list what is wrong with a folder of videos before anything is trained on it",
        [
            FOLDER,
            argument("--min-frames", type=int, default=128),
            argument(
                "--fps", type=float, metavar="N", help="count frames at this rate, as `fps` of a data set resamples"
            ),
        ],
    ),
    "data": (
        "doctor:doctor",
        "ask whether the sources of data sets are there",
        [
            argument("_", metavar="doctor", choices=["doctor"]),
            argument("names", nargs="*", help="data sets (default: all of config/datasets)"),
        ],
    ),
    "import": (
        "importing:import_file",
        "read an official checkpoint without running anything in it",
        [argument("file", type=Path), OUT],
    ),
    "export": (
        "importing:export_file",
        "write the image generator of a model for rosinality's tools",
        [
            argument("model", type=Path, help="model.safetensors"),
            argument("--out", type=Path, required=True, metavar="FILE"),
        ],
    ),
    "weights": (
        "upkeep:weights",
        "fetch, verify or locate published weights",
        [argument("action", choices=["fetch", "verify", "where"]), argument("names", nargs="*", help="default: all")],
    ),
    "verify": (
        "integrity:verify",
        "compare what stages wrote with the hashes of their provenance",
        [argument("runs", nargs="*", metavar="run", type=parse_run, help="default: everything under the results")],
    ),
    "track": (
        "upkeep:track",
        "bring all results into MLflow",
        [argument("--uri", help="tracking store (default: MLFLOW_TRACKING_URI, else sqlite:///mlflow.db)")],
    ),
    "selftest": ("upkeep:selftest", "check the metric code against known answers", []),
}
COMMON = ("config", "results", "debug", "command", "_")


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the process exit code (0 done, 1 failed, 2 bad input, 3 no access, 75 stopped)."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names may hold anything
    debug = "--debug" in (sys.argv if argv is None else argv)
    try:
        args = _parse(sys.argv[1:] if argv is None else argv)
        _call(args, Setting(Path(args.config), Paths(Path(args.results))))
        return 0
    except UserError as error:
        return _fail(debug, str(error), error.exit_code)
    except BrokenPipeError:
        # Whoever read the output has gone; Python would say so once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _fail(debug, "the output was closed before its end", 1)
    except OSError as error:
        refusal = of_system(error, args.results)
        return _fail(debug, str(refusal), refusal.exit_code)
    except MemoryError:
        return _fail(debug, "out of memory. Lower training.group_size in the method's YAML.", 1)
    except KeyboardInterrupt:
        return _fail(debug, "interrupted", 130)


def _fail(debug: bool, line: str, code: int) -> int:
    if debug:
        raise
    print(f"styleinv: {line}", file=sys.stderr)
    return code


def _call(args: argparse.Namespace, setting: Setting) -> None:
    """Call the function of a command and print what it returns, line by line where it gives lines."""
    module, _, function = COMMANDS[args.command][0].partition(":")
    given = {name: value for name, value in vars(args).items() if name not in COMMON}
    if args.command in preparations():
        given["name"] = args.command
    # Imported here, so that help and usage errors do not wait for torch.
    call = getattr(importlib.import_module(f"styleinv.stages.{module}"), function)
    if "setting" in inspect.signature(call).parameters:
        given["setting"] = setting
    result = call(**given)
    lines = result if isinstance(result, Iterable) and not isinstance(result, str) else [result]
    for line in lines:
        if line is not None:
            print(line, flush=True)


def _parse(words: list[str]) -> argparse.Namespace:
    """Read a command line; the options of a command may stand before, between and behind its names."""
    parser, commands = _parsers()
    if words and words[0] in commands:
        command = commands[words[0]]
        # Behind `--` stand names alone, and argparse knows that only without options in between.
        parse = command.parse_args if "--" in words else command.parse_intermixed_args
        return parse(words[1:], argparse.Namespace(command=words[0]))
    return parser.parse_args(words)  # help, version, or what is wrong


def _parsers() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """Make the parser of the whole line, and those of the commands."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--config", default="config/demo.yaml", metavar="FILE", help="scale file (default: %(default)s)"
    )
    common.add_argument("--results", default="results", metavar="DIR", help="results folder (default: %(default)s)")
    common.add_argument("--debug", action="store_true", help="show tracebacks")
    parser = argparse.ArgumentParser(prog="styleinv", description=__doc__)
    parser.add_argument("--version", action="version", version=f"styleinv {version('styleinv')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    for name, (_, help_, arguments) in COMMANDS.items():
        sub = commands.add_parser(name, parents=[common], help=help_, description=help_)
        for names, options in arguments:
            sub.add_argument(*names, **options)
    return parser, commands.choices


def command() -> int:
    """Run the command that the process was started with; where a workflow keeps its log, the exit code ends it."""
    logged = os.environ.pop(LOGGED, None)  # of this process, not of those that it starts
    code = main()
    if logged:
        print(f"--- exit {code}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(command())
