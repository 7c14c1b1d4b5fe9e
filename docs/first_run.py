"""Record docs/first-run.svg: what a terminal shows during a whole `make demo`, as a moving picture.

    python docs/first_run.py [FOLDER [words for Snakemake]]

It runs the demo of a checkout (this one by default) that has not run it yet, and keeps what its screen shows. Time runs
faster in the picture, by as much as its title says.
"""

import importlib.util
import io
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from pathlib import Path

from rich.console import Console, RenderableType
from rich.text import Text

from styleinv.stages.study import View
from styleinv.stages.watch import follow, picture

PICTURE = Path(__file__).parent / "first-run.svg"
WIDTH, FRAMES = 110, 24
# Seconds that a frame stays, and the last one.
EACH, LAST = 0.8, 6.0


def drawn(shown: RenderableType, title: str, height: int, name: str) -> str:
    """Draw one screen as SVG; all of one height, so that nothing jumps."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text("$ make demo", style="bold"))
    console.print(shown)
    used = len(console.export_text(clear=False).splitlines())
    console.print("\n" * max(0, height - used - 1))
    return console.export_svg(title=title, unique_id=name)


def animated(screens: Sequence[RenderableType], title: str) -> str:
    """Show screens one after the other, for ever, in one SVG without scripts."""
    plain = Console(width=WIDTH, file=io.StringIO(), record=True)
    heights = []
    for shown in screens:
        plain.print(shown)
        heights.append(len(plain.export_text().splitlines()) + 1)
    frames = [drawn(shown, title, max(heights), f"f{i}") for i, shown in enumerate(screens)]
    box = re.search(r'viewBox="([^"]+)"', frames[0])
    assert box is not None
    whole = EACH * (len(frames) - 1) + LAST
    styles, parts = [], []
    for i, frame in enumerate(frames):
        begin, end = 100 * i * EACH / whole, 100 * (whole if i == len(frames) - 1 else (i + 1) * EACH) / whole
        keys = f"0% {{opacity: 0}} {begin:.3f}% {{opacity: 1}} {end:.3f}% {{opacity: 0}} 100% {{opacity: 0}}"
        if i == 0:
            keys = f"0% {{opacity: 1}} {end:.3f}% {{opacity: 0}} 100% {{opacity: 0}}"
        elif i == len(frames) - 1:
            keys = f"0% {{opacity: 0}} {begin:.3f}% {{opacity: 1}} 100% {{opacity: 1}}"
        styles.append(f"@keyframes k{i} {{{keys}}} .s{i} {{animation: k{i} {whole:.1f}s step-end infinite}}")
        parts.append(f'<g class="s{i}">{frame}</g>')
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box[1]}">'
    return f"{head}<style>{' '.join(styles)}</style>{''.join(parts)}</svg>\n"


def chosen(seen: Sequence[tuple[float, View]]) -> list[View]:
    """Take some of what was seen, evenly in time."""
    first, last = seen[0][0], seen[-1][0]
    times = [first + (last - first) * i / (FRAMES - 1) for i in range(FRAMES)]
    return [min(seen, key=lambda pair: abs(pair[0] - moment))[1] for moment in times]


def main(folder: Path, words: Sequence[str]) -> int:
    """Run the demo and write the picture; returns the demo's exit code."""
    os.chdir(folder)
    sys.argv[1:] = words
    spec = importlib.util.spec_from_file_location("demo", "workflow/scripts/demo.py")
    assert spec is not None and spec.loader is not None
    demo = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(demo)
    seen: list[tuple[float, View]] = []
    closing = io.StringIO()
    close = demo.close

    def watched(look: Callable[[], View], over: Callable[[], bool]) -> View:
        def looked() -> View:
            seen.append((time.monotonic(), look()))
            return seen[-1][1]

        return follow(looked, over)

    def closed(fresh: bool) -> None:
        with redirect_stdout(closing):
            close(fresh=False)

    demo.follow, demo.close = watched, closed
    if code := demo.main():
        return int(code)
    if not seen:
        print("the demo had run here already: record it in a fresh checkout", file=sys.stderr)
        return 1
    took = seen[-1][0] - seen[0][0]
    faster = took / (EACH * FRAMES)
    screens = [picture(view) for view in chosen(seen)]
    title = f"make demo: {took / 60:.0f} minutes, {faster:.0f} times as fast"
    PICTURE.write_text(animated([*screens, Text(closing.getvalue().strip())], title))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "."), sys.argv[2:]))
