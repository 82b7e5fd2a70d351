"""The same work in several processes: in order, and told when one dies."""

from __future__ import annotations

import os
import time

import pytest

from halpose.errors import DataError
from halpose.processes import cores, in_order, pool


def later_is_faster(place: int) -> tuple[int, int]:
    time.sleep(0.02 * (5 - place % 5))
    return place, os.getpid()


def dies(place: int) -> int:
    if place == 2:
        os._exit(9)
    return place


def fails(place: int) -> int:
    raise ValueError(f"portion {place}")


def test_results_come_in_the_order_of_the_tasks_from_several_processes() -> None:
    results = list(in_order(later_is_faster, range(10), workers=2))
    assert [place for place, _ in results] == list(range(10))
    assert os.getpid() not in {process for _, process in results}


@pytest.mark.parametrize(("workers", "tasks"), [(1, 4), (4, 1)])
def test_one_worker_or_one_task_stays_in_this_process(workers: int, tasks: int) -> None:
    assert {process for _, process in in_order(later_is_faster, range(tasks), workers)} == {os.getpid()}


def test_a_dead_process_is_told_and_what_to_do() -> None:
    with pytest.raises(DataError, match="working process died .* try fewer workers"):
        list(in_order(dies, range(6), workers=2))
    with pytest.raises(DataError, match="so many words"), pool(1, "so many words") as processes:
        processes.submit(dies, 2).result()


def test_an_error_of_the_work_itself_stays_what_it_is() -> None:
    with pytest.raises(ValueError, match="portion 0"):
        list(in_order(fails, range(6), workers=2))


def test_this_process_has_a_core() -> None:
    assert 1 <= cores() <= (os.cpu_count() or 1)
