"""Write what the questions beyond the paper have measured into docs/beyond.md.

    snakemake questions && python benchmarks/questions.py

Takes the answers that there are; the blocks of the others stay as they are.
"""

import argparse
import re
from pathlib import Path

from styleinv.config import question_names
from styleinv.files import read_object, write_text
from styleinv.paths import Paths

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/beyond.md"
BEGIN, END = "<!-- {}: written by benchmarks/questions.py -->\n", "<!-- end -->\n"
NOT_YET = "Not run yet.\n"


def told(record: Path) -> str:
    """Give what an answer's page says below its question, and the scale at which it was measured."""
    _, _, answer = record.with_suffix(".md").read_text().split("\n\n", 2)
    return f"At the scale {read_object(record)['scale']}:\n\n{answer}"


def place(text: str, name: str, said: str) -> str:
    """Put what was measured into the block of a question.

    Raises:
        ValueError: the page has no such block, or several.
    """
    begin = BEGIN.format(name)
    if text.count(begin) != 1:
        raise ValueError(f"{PAGE} needs one block of {name}: {begin.strip()}")
    return re.sub(f"({re.escape(begin)}).*?({END})", lambda found: found[1] + said + found[2], text, flags=re.DOTALL)


def main() -> None:
    """Write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=ROOT / "results", metavar="DIR", help="default: %(default)s")
    paths, page = Paths(parser.parse_args().results), PAGE.read_text()
    for name in question_names(ROOT / "config"):
        record = paths.answer(name).with_suffix(".json")
        if record.exists():
            page = place(page, name, told(record))
            print(f"{name}: written")
        else:
            print(f"{name}: there is no {record}")
    write_text(PAGE, page)


if __name__ == "__main__":
    main()
