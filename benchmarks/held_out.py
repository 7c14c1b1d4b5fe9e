"""Animate faces that the demo's run has not seen, and write how near they are into docs/apply.md, with a picture.

    make demo && python benchmarks/held_out.py

The synthetic faces say who is who. Videos after the demo's last show its persons in motion that no training saw; their
first frames are inverted and animated. A frame's person is the one whose mean training frame is nearest.
"""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

import styleinv
from styleinv.data.store import FrameStore
from styleinv.data.synthetic import person_of
from styleinv.files import write_json, write_text
from styleinv.paths import Paths
from styleinv.runs import parse_run
from styleinv.schema import merge, read_yaml
from styleinv.stages.crop import crop
from styleinv.stages.fetch import fetch
from styleinv.stages.setting import Setting

ROOT = Path(__file__).parent.parent
RUN = parse_run("talking_faces/styleinv")
PAGE, RECORD, PICTURE = (ROOT / "docs" / name for name in ("apply.md", "held-out.json", "held-out.png"))
BEGIN, END = "<!-- written by benchmarks/held_out.py -->\n", "<!-- end -->\n"
FRAMES, STEPS, EVERY, TIMES = 128, (0, 200), 18, 3


def measure(results: Path, work: Path) -> tuple[dict[str, Any], np.ndarray]:
    """Invert and animate the held-out faces; returns the numbers, and rows of frames uint8 [rows, columns, R, R, 3]."""
    shutil.copytree(ROOT / "config", work / "config")
    scale = work / "config/more.yaml"
    source = read_yaml(ROOT / "config/demo.yaml")["datasets"][RUN.dataset]["source"]
    persons, seen = source["identities"], source["videos"]
    more = {"source": {"videos": seen + persons}}
    scale.write_text(yaml.safe_dump(merge({"extends": "demo"}, {"datasets": {RUN.dataset: more}})))
    setting = Setting(scale, Paths(work / "results"))
    for stage in (fetch, crop):
        stage(RUN.dataset, setting)
    store = FrameStore(setting.paths.frames(RUN.dataset))

    def frames(video: int) -> np.ndarray:
        return store.frames(video, range(FRAMES))

    means = np.stack(
        [
            np.mean([frames(i).mean(0) for i in range(seen) if person_of(i, seen, persons) == person], axis=0)
            for person in range(persons)
        ]
    )

    def kept(video: np.ndarray, person: int) -> float:
        apart = ((video[:, None].astype(float) - means) ** 2).mean(axis=(2, 3, 4))
        return float((apart.argmin(1) == person).mean())

    model = styleinv.load(str(RUN), results, device="cpu")
    rows, films = [], []
    for video in range(seen, seen + persons):
        person, real = person_of(video, seen, persons), frames(video)
        row: dict[str, Any] = {"person": person, "real": kept(real, person)}
        for steps in STEPS:
            found = model.invert(real[0], steps)
            row[f"error_{steps}"] = found.error
        moving = model.animate(found).generate(seed=0, frames=FRAMES)
        row["animated"] = kept(moving, person)
        rows.append(row)
        films.append(np.stack([real[0], found.image, *moving[EVERY - 1 :: EVERY]]))
    return {"frames": FRAMES, "steps": STEPS[-1], "rows": rows}, np.stack(films)


def told(record: dict[str, Any]) -> str:
    """Say in Markdown what was measured."""
    rows, steps = record["rows"], record["steps"]
    mean = {name: float(np.mean([row[name] for row in rows])) for name in rows[0] if name != "person"}
    same = sum(row["animated"] > 0.5 for row in rows)
    return (
        f"On the demo's run, first frames of {len(rows)} held-out videos of its persons: the inversion is off by"
        f" {mean['error_0']:.1f} of 255 a pixel by the encoder, by {mean[f'error_{steps}']:.1f} after {steps} steps of"
        f" refinement. Of {record['frames']} frames of animation {100 * mean['animated']:.0f} % still show the person"
        f" ({same} of {len(rows)} persons keep theirs in most frames), as the nearest mean face says, which is right"
        f" for {100 * mean['real']:.0f} % of the real frames."
    )


def place(record: dict[str, Any], text: str) -> str:
    """Put what was measured into the page."""
    before, rest = text.split(BEGIN)
    return before + BEGIN + told(record) + "\n" + END + rest.split(END)[1]


def main() -> None:
    """Measure and write."""
    with tempfile.TemporaryDirectory() as work:
        record, films = measure(ROOT / "results", Path(work))
    write_json(RECORD, record)
    write_text(PAGE, place(json.loads(RECORD.read_text()), PAGE.read_text()))
    picture = films.transpose(0, 2, 1, 3, 4).reshape(films.shape[0] * films.shape[2], -1, 3)
    Image.fromarray(picture.repeat(TIMES, 0).repeat(TIMES, 1)).save(PICTURE, optimize=True)
    print(told(record))


if __name__ == "__main__":
    main()
