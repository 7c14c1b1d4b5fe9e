"""Rules that the golden cases do not reach."""

import itertools
import random

import pytest

from styleinv.errors import UserError
from tests.golden.oracles.order_of_data import StyleInVOrder, TimeRules, endless_order, group_by_folder


def test_a_list_of_distances_keeps_its_last_member() -> None:
    powers = tuple(2**power for power in range(12))
    assert TimeRules(3, True, 32, powers).spans(128) == [2, 4, 8, 16, 32]
    assert TimeRules(3, True, 128, powers).spans(128) == [2, 4, 8, 16, 32, 64]
    assert TimeRules(3, True, 32, None).spans(128) == list(range(2, 32))


def test_times_are_sorted_distinct_and_inside() -> None:
    rules, rng = TimeRules(3, True, 32, None), random.Random(0)
    for length in (4, 12, 128):
        for _ in range(200):
            zero, *times = rules.draw(rng, length)
            assert zero == 0 and times == sorted(set(times)) and times[-1] < length
    with pytest.raises(UserError, match="too short"):
        rules.draw(rng, 3)


def test_two_ranks_make_up_the_whole_stream() -> None:
    alone = list(itertools.islice(endless_order(9, 0, 1, True, 4, 0.5), 60))
    parts = [list(itertools.islice(endless_order(9, rank, 2, True, 4, 0.5), 30)) for rank in (0, 1)]
    assert [number for pair in zip(*parts, strict=True) for number in pair] == alone
    with pytest.raises(UserError):
        next(endless_order(9, 2, 2, True, 0, 0.5))


def test_grouping_of_nothing_and_of_one() -> None:
    assert group_by_folder([]) == []
    assert group_by_folder(["a.png"]) == [["a.png"]]


def test_whole_windows_stay_inside_their_video() -> None:
    order = StyleInVOrder(lengths=(10, 16, 40), use="videos", seed=0, frames=6, stride=3, mirror=True)
    assert order.kept == [1, 2] and len(order) == 4
    for item in order.items():
        video, frames = item[0][0], [frame for _, frame, _ in item]
        assert len(frames) == 6 and frames[-1] < (10, 16, 40)[video]
        assert {b - a for a, b in itertools.pairwise(frames)} == {3}
