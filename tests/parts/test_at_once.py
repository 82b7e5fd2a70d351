"""What runs at once runs as if it were alone."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator

import pytest
import torch

from halpose.parts.at_once import at_once


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_results_come_in_order_and_calls_really_run_at_once() -> None:
    met = threading.Barrier(2, timeout=20)  # neither gets past it alone
    assert at_once(lambda: met.wait() * 0 + 1, lambda: met.wait() * 0 + 2) == [1, 2]


def test_one_thread_does_all_of_it_here() -> None:
    torch.set_num_threads(1)
    assert at_once(threading.get_ident, threading.get_ident) == [threading.get_ident()] * 2


def test_threads_are_shared_out_and_the_callers_are_left_alone() -> None:
    assert at_once(torch.get_num_threads, torch.get_num_threads) == [1, 1]
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("follows", [True, False])
def test_gradients_are_followed_as_outside(follows: bool) -> None:
    with torch.set_grad_enabled(follows):
        assert at_once(torch.is_grad_enabled, torch.is_inference_mode_enabled) == [follows, False]
    with torch.inference_mode():
        assert at_once(torch.is_inference_mode_enabled, torch.is_inference_mode_enabled) == [True, True]


def test_an_error_is_the_callers() -> None:
    with pytest.raises(ZeroDivisionError):
        at_once(lambda: 1 // 0, lambda: 1)


def _in_fork(results: multiprocessing.Queue[list[int]]) -> None:
    results.put(at_once(lambda: 1, lambda: 2))


def test_a_fork_has_threads_of_its_own() -> None:
    at_once(lambda: 0, lambda: 0)
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    child = context.Process(target=_in_fork, args=(results,))
    child.start()
    assert results.get(timeout=60) == [1, 2]
    child.join(60)
    assert child.exitcode == 0
