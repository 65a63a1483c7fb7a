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
"""The mailbox hands over the newest item of each slot, in turn, and counts what it drops."""

import threading

import pytest

from spssn_ros.runtime import Mailbox, SlotCounts

GUARD_S = 20.0


@pytest.fixture
def mailbox() -> Mailbox[int]:
    return Mailbox()


def test_the_newest_replaces_what_waits(mailbox: Mailbox[int]) -> None:
    assert [mailbox.put('a', i) for i in range(4)] == [False, True, True, True]
    assert mailbox.take(0) == ('a', 3)
    assert mailbox.take(0) is None
    assert mailbox.put('a', 4) is False
    assert mailbox.counts('a') == SlotCounts(received=5, dropped=3)


def test_slots_are_counted_apart(mailbox: Mailbox[int]) -> None:
    mailbox.put('a', 1)
    mailbox.put('b', 2)
    mailbox.put('b', 3)
    assert mailbox.counts('a') == SlotCounts(1, 0)
    assert mailbox.counts('b') == SlotCounts(2, 1)
    assert mailbox.counts('c') == SlotCounts(0, 0)


def test_slots_are_served_in_turn_whatever_one_of_them_floods(mailbox: Mailbox[int]) -> None:
    served = []
    mailbox.put('flood', 0)
    for i in range(9):
        for slot in ('slow', 'other'):
            mailbox.put(slot, i)
        for _ in range(50):
            mailbox.put('flood', i)
        taken = mailbox.take(0)
        assert taken is not None
        served.append(taken[0])
    assert served == ['flood', 'slow', 'other'] * 3


def test_a_flood_from_another_thread_starves_nobody(mailbox: Mailbox[int]) -> None:
    stop = threading.Event()

    def flood() -> None:
        while not stop.is_set():
            mailbox.put('flood', 0)

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        for i in range(100):
            mailbox.put('slow', i)
            # Whatever the flood does, at most one of its items goes before.
            first, second = mailbox.take(GUARD_S), mailbox.take(GUARD_S)
            assert ('slow', i) in (first, second)
    finally:
        stop.set()
        thread.join()


def test_a_replaced_item_keeps_its_place(mailbox: Mailbox[int]) -> None:
    mailbox.put('a', 1)
    mailbox.put('b', 1)
    mailbox.put('a', 2)
    assert [mailbox.take(0), mailbox.take(0)] == [('a', 2), ('b', 1)]


def test_take_waits_for_an_item(mailbox: Mailbox[int]) -> None:
    threading.Timer(0.02, mailbox.put, ('a', 7)).start()
    assert mailbox.take(GUARD_S) == ('a', 7)


def test_waking_ends_one_take(mailbox: Mailbox[int]) -> None:
    threading.Timer(0.02, mailbox.wake).start()
    assert mailbox.take(GUARD_S) is None
    # A wake that nobody waits for is kept, once, and loses no item.
    mailbox.put('a', 1)
    mailbox.wake()
    mailbox.wake()
    assert mailbox.take(GUARD_S) is None
    assert mailbox.take(GUARD_S) == ('a', 1)


def test_clearing_throws_away_what_waits(mailbox: Mailbox[int]) -> None:
    mailbox.put('a', 1)
    mailbox.clear()
    assert mailbox.take(0) is None
    assert mailbox.put('a', 2) is False
    assert mailbox.take(0) == ('a', 2)


def test_closing_wakes_every_waiter_and_ends_it(mailbox: Mailbox[int]) -> None:
    taken: list[object] = []
    threads = [
        threading.Thread(target=lambda: taken.append(mailbox.take(GUARD_S))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    mailbox.close()
    for thread in threads:
        thread.join(GUARD_S)
    assert taken == [None] * 3
    assert mailbox.closed
    assert mailbox.put('a', 1) is False
    assert mailbox.take(GUARD_S) is None
    assert mailbox.counts('a') == SlotCounts(0, 0)


def test_closing_forgets_what_waits(mailbox: Mailbox[int]) -> None:
    mailbox.put('a', 1)
    mailbox.close()
    assert mailbox.take(GUARD_S) is None


def test_more_of_a_kind_are_taken_in_turn_and_the_rest_stays(mailbox: Mailbox[int]) -> None:
    for slot, item in (('a', 2), ('b', 3), ('c', 4), ('d', 6), ('e', 8)):
        mailbox.put(slot, item)
    assert mailbox.take(0) == ('a', 2)
    assert mailbox.take_more(2, lambda item: item % 2 == 0) == [('c', 4), ('d', 6)]
    assert mailbox.take_more(9, lambda item: item > 100) == []
    assert mailbox.take(0) == ('b', 3)
    assert mailbox.take_more(9, lambda item: True) == [('e', 8)]
    assert mailbox.take_more(9, lambda item: True) == []
    assert mailbox.counts('e') == SlotCounts(1, 0)
