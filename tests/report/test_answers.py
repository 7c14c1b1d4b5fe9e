"""What is written of numbers: which lie apart, and what is left unsaid."""

import math

from styleinv.report.answers import COLUMNS, REAL, Answer, Row


def row(run: str, frames: int, mean: float, std: float, n: int = 16, dataset: str = "faces", on: str = "") -> Row:
    return dict(zip(COLUMNS, (dataset, run, on, frames, "same_person", mean, std, n), strict=True))


def answer(rows: list[Row], measures: tuple[str, ...] = ("same_person",), trainings: int = 1) -> Answer:
    names = {REAL: "real videos", "faces": "Faces", "masks": "Masks", "faces/a": "A", "faces/b": "B", "masks/a": "A"}
    return Answer("Title", "Asked?", measures, rows, names, {}, trainings, "demo")


def test_what_lies_apart_is_named_with_what_differs() -> None:
    rows = [
        row(REAL, 16, 1, 0),
        row("faces/a", 16, 0.9, 0.1),
        row("faces/a", 512, 0.5, 0.1),
        row("faces/b", 16, 0.88, 0.1),
    ]
    text = answer(rows).findings()
    assert text == (
        "- *Frames that show the person of the first one.* More than 2 standard errors lie between"
        " A at 16 (90 %) and at 512 frames (50 %)."
    )
    near = answer([row("faces/a", 16, 0.9, 0.1), row("faces/b", 16, 0.86, 0.1)]).findings()
    assert "More than" not in near and "within 2 standard errors" in near
    # Over so few videos the same difference means nothing.
    few = answer([row("faces/a", 16, 0.9, 0.4, n=2), row("faces/a", 512, 0.5, 0.4, n=2)]).findings()
    assert "More than" not in few


def test_one_method_on_two_data_sets() -> None:
    rows = [row("faces/a", 16, 0.9, 0.01), row("masks/a", 16, 0.4, 0.01, dataset="masks")]
    assert "between A on Faces (90 %) and A on Masks (40 %)." in answer(rows).findings()
    # Two methods on one of several data sets are named with it, two lengths likewise.
    methods = [row("faces/b", 16, 0.8, 0.01), row("masks/a", 16, 0.4, 0.01, dataset="masks")]
    assert "A (90 %) and B (80 %) on Faces;" in answer([rows[0], *methods]).findings()
    lengths = [row("faces/a", 512, 0.8, 0.01), row("masks/a", 16, 0.4, 0.01, dataset="masks")]
    assert "A at 16 (90 %) and at 512 frames (80 %) on Faces;" in answer([rows[0], *lengths]).findings()


def test_what_differs_in_all_is_still_compared() -> None:
    """A style tuned on one data set's parent, and another variant of it on another's."""
    rows = [
        row("faces/a", 16, 0.98, 0.02, on="faces/c"),
        row("masks/a", 16, 0.91, 0.1, dataset="masks", on="masks/c"),
    ]
    assert "between A on Faces (98 %) and A on Masks (91 %)." in answer(rows).findings()
    # Of two lengths nothing is comparable.
    assert "standard errors" not in answer([rows[0], rows[1] | {"frames": 512}]).findings()


def test_a_single_number_has_no_deviation_and_lies_apart_from_nothing() -> None:
    rows = [row("faces/a", 16, 0.9, math.nan, n=1), row("faces/b", 16, 0.1, math.nan, n=1), row(REAL, 16, 1, 0)]
    page = answer(rows, trainings=2).markdown()
    assert "| Faces | A | 16 | 90 % |" in page and "standard errors" not in page and "over 16 videos" in page
    assert "with 2 seeds" in page


def test_the_table_has_a_line_for_each_run_and_length_and_no_column_that_is_empty() -> None:
    rows = [row("faces/a", 0, 0.5, 0.1), row("faces/a", 2048, 0.9, 0.1) | {"measure": "loopiness"}]
    page = answer(rows, ("same_person", "loopiness", "w_shift")).markdown()
    assert "| Faces | A | 2,048 | 50 ± 10 % | 0.9 ± 0.1 |" in page and "shift of w" not in page


def test_the_last_frames_are_compared_with_the_first() -> None:
    rows = [
        row("faces/a", 512, 0.8, 0.1) | {"measure": "yaw_first"},
        row("faces/a", 512, 0.2, 0.1) | {"measure": "yaw_last"},
    ]
    text = answer(rows, ("yaw_last",)).findings()
    assert "real = 1.* As a share of what it is in the first 128 frames that is: A 0.25." in text
    assert "the first 128 frames, real" not in text
