from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterator

import pytest

from procvid.phantom import load_alone
from procvid.phantom.load_alone import computing, each_computed, loading


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


@pytest.fixture
def order() -> list[str]:
    return []


def test_two_compute_at_once_and_one_loads_alone(order: list[str]) -> None:
    both, go = threading.Barrier(3), threading.Event()

    def compute() -> None:
        with computing():
            both.wait(20)
            go.wait(20)
            order.append("computed")

    def load() -> None:
        with loading(), loading():
            order.append("loaded")

    threads = [in_thread(compute), in_thread(compute)]
    both.wait(20)
    threads.append(in_thread(load))
    while not load_alone._loading:
        pass
    # A later step waits for the one that wants to load.
    threads.append(in_thread(lambda: [order.append(text) for text in each_computed(["step"])]))
    go.set()
    for thread in threads:
        thread.join(20)
    assert order == ["computed", "computed", "loaded", "step"]


def test_two_that_load_in_the_middle_of_their_steps_do_not_wait_for_each_other(
    order: list[str],
) -> None:
    both = threading.Barrier(2)

    def steps(name: str) -> Iterator[str]:
        both.wait(20)
        with loading():
            order.append(name)
        with computing():
            yield name

    threads = [in_thread(lambda name=name: list(each_computed(steps(name)))) for name in "ab"]
    for thread in threads:
        thread.join(20)
    assert sorted(order) == ["a", "b"]
    assert not load_alone._loading and not load_alone._computing


def test_an_error_leaves_nothing_behind() -> None:
    with pytest.raises(KeyError), computing(), loading():
        raise KeyError
    assert not load_alone._loading and not load_alone._computing


def compute() -> None:
    with computing():
        pass


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_does_not_wait_for_threads_that_it_lacks() -> None:
    loads, go = threading.Event(), threading.Event()

    def load() -> None:
        with loading():
            loads.set()
            go.wait(20)

    thread = in_thread(load)
    loads.wait(20)
    process = multiprocessing.get_context("fork").Process(target=compute, daemon=True)
    process.start()
    process.join(20)
    go.set()
    thread.join(20)
    assert process.exitcode == 0
