"""completion: the completion of the command line for a shell, by shtab."""

import argparse
from pathlib import Path

import shtab


def completion(shell: str, parser: argparse.ArgumentParser) -> str:
    """Write the script that completes commands, options, choices and files.

    Args:
        shell: one that shtab knows.
        parser: of the whole command line.
    """
    (commands,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    for command in commands.choices.values():
        for action in command._actions:
            named = f"{action.metavar or ''}"
            if action.type is Path or named in ("FILE", "DIR"):
                action.complete = shtab.DIRECTORY if named == "DIR" else shtab.FILE  # type: ignore[attr-defined]
    return str(shtab.complete(parser, shell))
