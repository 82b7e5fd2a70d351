"""Reading ahead: in the order of the steps, never further than asked, errors where they can be seen, no thread left."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable

import pytest

from halpose.data.read_ahead import ReadAhead


def square(step: int) -> int:
    return step * step


def settle(is_so: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.parametrize("ahead", [1, 3, 50])
def test_steps_are_made_once_in_their_order_and_in_another_thread(ahead: int) -> None:
    made: list[tuple[int, int]] = []

    def noted(step: int) -> int:
        made.append((step, threading.get_ident()))
        return square(step)

    with ReadAhead(noted, 7, 27, ahead) as coming:
        assert [coming.take(step) for step in range(7, 27)] == [square(step) for step in range(7, 27)]
    assert [step for step, _ in made] == list(range(7, 27))
    assert threading.get_ident() not in {thread for _, thread in made}


@pytest.mark.parametrize("ahead", [1, 3])
def test_no_more_is_made_than_for_the_next_steps(ahead: int) -> None:
    made: list[int] = []

    def noted(step: int) -> int:
        made.append(step)
        return step

    with ReadAhead(noted, 0, 100, ahead) as coming:
        for taken in range(4):
            settle(lambda taken=taken: len(made) == taken + ahead)
            time.sleep(0.03)
            assert made == list(range(taken + ahead))
            coming.take(taken)


def test_what_is_taken_is_not_kept_while_the_next_is_made() -> None:
    class Big:
        pass

    is_making, go_on = threading.Event(), threading.Event()

    def make(step: int) -> Big:
        if step:
            is_making.set()
            go_on.wait(10)
        return Big()

    with ReadAhead(make, 0, 2, ahead=1) as coming:
        first = coming.take(0)
        gone = weakref.ref(first)
        del first
        is_making.wait(10)
        kept = gone()
        go_on.set()
    assert kept is None


def test_the_caller_need_not_wait_for_what_was_made_meanwhile() -> None:
    def slow(step: int) -> int:
        time.sleep(0.05)
        return step

    with ReadAhead(slow, 0, 5, ahead=4) as coming:
        coming.take(0)
        settle(lambda: len(coming._made) == 4)
        begun = time.perf_counter()
        for step in range(1, 5):
            coming.take(step)
        assert time.perf_counter() - begun < 0.05


def test_an_error_in_the_thread_is_raised_where_the_step_is_taken_after_those_before() -> None:
    def failing(step: int) -> int:
        if step == 2:
            raise RuntimeError("no such order")
        return step

    with ReadAhead(failing, 0, 9, ahead=2) as coming:
        assert coming.take(0) == 0 and coming.take(1) == 1
        for _ in range(2):
            with pytest.raises(RuntimeError, match="no such order"):
                coming.take(2)


def test_the_thread_ends_with_the_block_however_it_ends() -> None:
    before = threading.active_count()
    with ReadAhead(square, 0, 1000, ahead=2) as coming:
        coming.take(0)
    assert threading.active_count() == before
    with pytest.raises(KeyboardInterrupt), ReadAhead(square, 0, 1000, ahead=2) as coming:
        raise KeyboardInterrupt
    assert threading.active_count() == before
    with pytest.raises(ValueError, match="the block is over"):
        coming.take(0)


def test_misuse() -> None:
    with pytest.raises(ValueError, match="ahead is 0; one step ahead is the least"):
        ReadAhead(square, 0, 1, ahead=0)
    with ReadAhead(square, 3, 5, ahead=2) as coming:
        for step in (2, 4):
            with pytest.raises(ValueError, match="the next one here is 3"):
                coming.take(step)
        assert [coming.take(step) for step in (3, 4)] == [9, 16]
        with pytest.raises(ValueError, match="the end 5"):
            coming.take(5)
