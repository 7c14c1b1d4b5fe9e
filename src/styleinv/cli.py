"""Reproduce, compare and extend StyleInV: one command for each stage. See README.md."""

import argparse
import difflib
import importlib
import inspect
import io
import logging
import os
import sys
import textwrap
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from styleinv.commands import COMMANDS, GROUPS
from styleinv.errors import UserError, of_system
from styleinv.methods import preparations
from styleinv.paths import Paths
from styleinv.stages.setting import Setting

# Set where a log is kept: the rules of the workflow ask how a job has ended.
LOGGED = "STYLEINV_LOGGED"

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
    module, _, function = COMMANDS[args.command].call.partition(":")
    given = {name: value for name, value in vars(args).items() if name not in COMMON}
    if args.command in preparations():
        given["name"] = args.command
    # Imported here, so that help and usage errors do not wait for torch.
    call = getattr(importlib.import_module(f"styleinv.stages.{module}"), function)
    takes = inspect.signature(call).parameters
    given |= {"setting": setting} if "setting" in takes else {}
    given |= {"parser": _parsers()[0]} if "parser" in takes else {}
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
    if not words:
        parser.print_help(sys.stderr)
        sys.exit(2)
    if not words[0].startswith("-"):
        near = difflib.get_close_matches(words[0], commands, 1)
        cure = f"Is it `styleinv {near[0]}`?" if near else "`styleinv --help` lists them."
        raise UserError(f"no command is called {words[0]!r}", cure=cure)
    return parser.parse_args(words)  # help, version, or what is wrong


def _parsers() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """Make the parser of the whole line, and those of the commands."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--config", default="config/demo.yaml", metavar="FILE", help="scale file (default: %(default)s)"
    )
    common.add_argument("--results", default="results", metavar="DIR", help="results folder (default: %(default)s)")
    common.add_argument("--debug", action="store_true", help="show tracebacks")
    parser = _Overview(prog="styleinv")
    parser.add_argument("--version", action="version", version=f"styleinv {version('styleinv')}")
    commands = parser.add_subparsers(
        required=True, metavar="COMMAND", dest="command", parser_class=argparse.ArgumentParser
    )
    for name, told in COMMANDS.items():
        sub = commands.add_parser(
            name,
            parents=[common],
            help=told.help,
            description=textwrap.fill(f"{told.help[0].upper()}{told.help[1:]}. {told.more}", 80),
            epilog=f"example:\n  {told.example}\n\nwrites:\n  {told.writes}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        for names, options in told.arguments:
            sub.add_argument(*names, **options)
    return parser, commands.choices


class _Overview(argparse.ArgumentParser):
    """The parser of the whole line, whose help lists all commands on one screen, in the order people work."""

    def format_help(self) -> str:
        aim = (__doc__ or "").partition(":")[0]
        lines = ["usage: styleinv COMMAND ...", "", f"{aim}. In the order people work:", ""]
        width = max(map(len, COMMANDS))
        for group, told in GROUPS.items():
            for name, one in told.items():
                lines.append(f"{group if name == next(iter(told)) else '':8} {name:{width}}  {one.help}")
        lines += ["", "`styleinv COMMAND --help` shows its options, an example and what it writes."]
        lines += ["Newcomers begin with `styleinv doctor`, then `make demo`; README.md goes on from there."]
        return "\n".join([*lines, ""])


def command() -> int:
    """Run the command that the process was started with; where a workflow keeps its log, the exit code ends it."""
    logged = os.environ.pop(LOGGED, None)  # of this process, not of those that it starts
    code = main()
    if logged:
        print(f"--- exit {code}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(command())
