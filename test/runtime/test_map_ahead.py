# Copyright 2026 The spssn_ros developers
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""Results come in order, errors where they belong, and no thread stays."""

import threading
import time
from collections.abc import Generator
from contextlib import closing

import pytest

from spssn_ros.runtime import map_ahead

WORKERS = [0, 1, 2, 4]
GUARD_S = 20.0


@pytest.fixture(autouse=True)
def no_thread_stays() -> Generator[None, None, None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize('workers', WORKERS)
def test_results_come_in_order(workers: int) -> None:
    def slower_for_even(item: int) -> int:
        time.sleep(0.01 * (item % 2 == 0))
        return item * item

    results = map_ahead(slower_for_even, lambda: (i for i in range(20)), workers)
    assert list(results) == [i * i for i in range(20)]


@pytest.mark.parametrize('workers', WORKERS)
def test_nothing_to_do(workers: int) -> None:
    assert list(map_ahead(str, lambda: (i for i in range(0)), workers)) == []


@pytest.mark.parametrize('workers', WORKERS)
def test_errors_come_where_the_result_would_have(workers: int) -> None:
    def picky(item: int) -> int:
        if item == 3:
            raise ValueError('three')
        return item

    taken: list = []
    with pytest.raises(ValueError, match='three'):
        taken.extend(map_ahead(picky, lambda: (i for i in range(9)), workers))
    assert taken == [0, 1, 2]


@pytest.mark.parametrize('workers', WORKERS)
def test_an_error_of_the_items_comes_after_the_items_before_it(workers: int) -> None:
    def damaged() -> Generator[int, None, None]:
        yield from range(5)
        raise OSError('gone')

    taken: list = []
    with pytest.raises(OSError, match='gone'):
        taken.extend(map_ahead(str, damaged, workers))
    assert taken == list('01234')


@pytest.mark.parametrize('workers', [1, 3])
def test_no_more_than_promised_is_under_way(workers: int) -> None:
    read = []

    def items() -> Generator[int, None, None]:
        for item in range(100):
            read.append(item)
            yield item

    with closing(map_ahead(str, items, workers)) as results:
        for count in range(1, 21):
            next(results)
            time.sleep(0.005)
            assert len(read) <= count + 2 * workers + 2
        # It reads ahead as far as that, though.
        until = time.monotonic() + GUARD_S
        while len(read) < 19 + 2 * workers + 2 and time.monotonic() < until:
            time.sleep(0.001)
        assert len(read) == 19 + 2 * workers + 2


@pytest.mark.parametrize('workers', WORKERS)
def test_closing_closes_the_items(workers: int) -> None:
    closed = []

    def items() -> Generator[int, None, None]:
        try:
            yield from range(1000)
        finally:
            closed.append(threading.current_thread().name)

    results = map_ahead(str, items, workers)
    assert next(results) == '0'
    results.close()
    assert len(closed) == 1
    # By the thread that used it: some bags want that.
    assert (closed[0] == 'map_ahead_reader') == bool(workers)
