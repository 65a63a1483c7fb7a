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
"""One thread runs tasks and frames, survives their exceptions, and leaves nobody waiting."""

import queue
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import CancelledError, Future
from typing import Any

import pytest

from spssn_ros.runtime import Worker

GUARD_S = 20.0


class Recorder:
    """Handles frames: remembers them, and blocks or raises when told to."""

    def __init__(self) -> None:
        self.frames: list[tuple[Any, Any]] = []
        self.errors: list[tuple[Any, Any, BaseException]] = []
        self.threads: set[int] = set()
        self.entered, self.free = threading.Event(), threading.Event()
        self.free.set()
        self.handled = threading.Semaphore(0)

    def handle(self, slot: Any, item: Any) -> None:
        self.threads.add(threading.get_ident())
        self.entered.set()
        self.free.wait(GUARD_S)
        self.frames.append((slot, item))
        if isinstance(item, BaseException):
            raise item
        self.handled.release()

    def on_error(self, slot: Any, item: Any, error: BaseException) -> None:
        self.threads.add(threading.get_ident())
        self.errors.append((slot, item, error))
        self.handled.release()

    def wait(self) -> None:
        """Wait until one more frame is done with."""
        assert self.handled.acquire(timeout=GUARD_S)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def worker(recorder: Recorder) -> Iterator[Worker[Any]]:
    worker: Worker[Any] = Worker(recorder.handle, recorder.on_error, name='under_test')
    yield worker
    recorder.free.set()
    assert worker.stop(GUARD_S)


def test_everything_runs_on_one_thread_of_its_own(worker: Worker[Any], recorder: Recorder) -> None:
    names = set()

    def task() -> int:
        names.add(threading.current_thread().name)
        return threading.get_ident()

    idents = {worker.submit(task).result(GUARD_S)}
    for i in range(3):
        worker.mailbox.put('a', i)
        recorder.wait()
        idents.add(worker.submit(task).result(GUARD_S))
    worker.mailbox.put('a', ValueError())
    recorder.wait()
    assert recorder.frames[:3] == [('a', 0), ('a', 1), ('a', 2)]
    assert idents == recorder.threads
    assert len(idents) == 1
    assert threading.get_ident() not in idents
    assert names == {'under_test'}


def test_tasks_go_before_frames(worker: Worker[Any], recorder: Recorder) -> None:
    order: list[str] = []
    recorder.free.clear()
    worker.mailbox.put('first', 0)
    assert recorder.entered.wait(GUARD_S)
    worker.mailbox.put('second', 1)
    futures = [
        worker.submit(lambda name=name: order.append(f'{name} after {len(recorder.frames)}'))
        for name in ('one', 'two')
    ]
    recorder.free.set()
    for future in futures:
        future.result(GUARD_S)
    recorder.wait()
    recorder.wait()
    assert order == ['one after 1', 'two after 1']
    assert recorder.frames == [('first', 0), ('second', 1)]


@pytest.mark.parametrize('bad', [ValueError('damaged'), MemoryError(), SystemExit(3)])
def test_a_frame_s_exception_is_handed_on_and_the_thread_goes_on(
    worker: Worker[Any], recorder: Recorder, bad: BaseException
) -> None:
    worker.mailbox.put('a', bad)
    recorder.wait()
    worker.mailbox.put('b', 'good')
    recorder.wait()
    assert recorder.errors == [('a', bad, bad)]
    assert recorder.frames[-1] == ('b', 'good')


def test_a_task_s_exception_is_its_caller_s_and_the_thread_goes_on(worker: Worker[Any]) -> None:
    def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        worker.submit(leave).result(GUARD_S)
    assert worker.submit(lambda: 7).result(GUARD_S) == 7


def test_a_report_that_fails_does_not_end_the_thread(capfd: pytest.CaptureFixture[str]) -> None:
    handled: queue.Queue[str] = queue.Queue()

    def handle(slot: Hashable, item: str) -> None:
        handled.put(item)
        if item == 'bad':
            raise ValueError('damaged')

    def report(slot: Hashable, item: str, error: Exception) -> None:
        raise RuntimeError('the log is gone')

    worker: Worker[str] = Worker(handle, report)
    for item in ('bad', 'good'):
        worker.mailbox.put('a', item)
        assert handled.get(timeout=GUARD_S) == item
    assert worker.stop(GUARD_S)
    assert 'RuntimeError: the log is gone' in capfd.readouterr().err


def test_a_task_s_result_or_exception_comes_back(worker: Worker[Any], recorder: Recorder) -> None:
    def fail() -> None:
        raise KeyError('weights')

    failed = worker.submit(fail)
    with pytest.raises(KeyError, match='weights'):
        failed.result(GUARD_S)
    assert worker.submit(lambda: 5).result(GUARD_S) == 5
    assert recorder.errors == []


def test_a_cancelled_task_does_not_run(worker: Worker[Any], recorder: Recorder) -> None:
    recorder.free.clear()
    worker.mailbox.put('a', 0)
    assert recorder.entered.wait(GUARD_S)
    ran: list[int] = []
    assert worker.submit(lambda: ran.append(1)).cancel()
    last = worker.submit(lambda: ran.append(2))
    recorder.free.set()
    last.result(GUARD_S)
    assert ran == [2]


def test_frames_that_come_meanwhile_are_replaced(worker: Worker[Any], recorder: Recorder) -> None:
    recorder.free.clear()
    worker.mailbox.put('a', 0)
    assert recorder.entered.wait(GUARD_S)
    for i in range(1, 6):
        worker.mailbox.put('a', i)
    recorder.free.set()
    recorder.wait()
    recorder.wait()
    assert recorder.frames == [('a', 0), ('a', 5)]
    assert worker.mailbox.counts('a').dropped == 4


def test_stopping_waits_for_the_frame_in_hand_and_drops_the_rest(
    worker: Worker[Any], recorder: Recorder
) -> None:
    recorder.free.clear()
    worker.mailbox.put('a', 0)
    assert recorder.entered.wait(GUARD_S)
    worker.mailbox.put('b', 1)
    assert not worker.stop(0.01)
    recorder.free.set()
    assert worker.stop(GUARD_S)
    assert recorder.frames == [('a', 0)]


def test_stopping_within_a_task_cancels_those_behind_it(worker: Worker[Any]) -> None:
    entered, free = threading.Event(), threading.Event()
    first = worker.submit(lambda: entered.set() or free.wait(GUARD_S))
    assert entered.wait(GUARD_S)
    second = worker.submit(lambda: pytest.fail('it ran'))
    assert not worker.stop(0.01)
    free.set()
    assert worker.stop(GUARD_S)
    assert first.result(0)
    assert second.cancelled()


def test_stopping_an_idle_worker(worker: Worker[Any]) -> None:
    assert worker.stop(GUARD_S)
    assert worker.stop(0)


def test_nobody_waits_for_ever_on_a_stopped_worker(
    worker: Worker[Any], recorder: Recorder
) -> None:
    recorder.free.clear()
    worker.mailbox.put('a', 0)
    assert recorder.entered.wait(GUARD_S)
    before = worker.submit(lambda: 1)
    assert not worker.stop(0.01)
    while_stopping = worker.submit(lambda: 2)
    recorder.free.set()
    assert worker.stop(GUARD_S)
    after = worker.submit(lambda: 3)
    for future in (before, while_stopping, after):
        with pytest.raises(CancelledError):
            future.result(GUARD_S)


def test_no_task_is_lost_under_load(worker: Worker[Any], recorder: Recorder) -> None:
    futures: list[list[Future[int]]] = [[] for _ in range(4)]

    def submit(mine: list[Future[int]]) -> None:
        for i in range(200):
            mine.append(worker.submit(lambda i=i: i))
            worker.mailbox.put(threading.get_ident(), i)

    run_together([lambda mine=mine: submit(mine) for mine in futures])
    assert [[f.result(GUARD_S) for f in mine] for mine in futures] == [list(range(200))] * 4


def test_every_task_ends_when_stop_comes_between(recorder: Recorder) -> None:
    for _ in range(20):
        worker: Worker[Any] = Worker(recorder.handle, recorder.on_error)
        futures: list[Future[int]] = []

        def submit(worker: Worker[Any] = worker, futures: list[Future[int]] = futures) -> None:
            for _ in range(50):
                futures.append(worker.submit(lambda: 1))

        run_together([submit, submit, lambda worker=worker: worker.stop(GUARD_S)])
        assert worker.stop(GUARD_S)
        assert len(futures) == 100
        assert all(future.done() for future in futures)


def test_a_call_waits_for_the_task(worker: Worker[Any], recorder: Recorder) -> None:
    looks: list[float] = []
    third = threading.Event()

    def going() -> bool:
        looks.append(time.monotonic())
        if len(looks) == 3:
            third.set()
        return True

    def task() -> int:
        assert third.wait(GUARD_S)
        return 7

    start = time.monotonic()
    assert worker.call(task, going) == 7
    # It looks about ten times a second, not all the time.
    assert 3 <= len(looks) <= 2 + (time.monotonic() - start) / 0.1


@pytest.mark.parametrize('error', [KeyError('weights'), TimeoutError('the disk is far away')])
def test_a_call_raises_what_the_task_does(worker: Worker[Any], error: Exception) -> None:
    def fail() -> None:
        raise error

    going = iter((True, True))
    with pytest.raises(type(error), match=str(error)):
        worker.call(fail, lambda: next(going))


def test_a_call_ends_when_its_caller_does(worker: Worker[Any], recorder: Recorder) -> None:
    recorder.free.clear()
    worker.mailbox.put('a', 0)
    assert recorder.entered.wait(GUARD_S)
    answers = iter((True, True, False))
    assert worker.call(lambda: 1, lambda: next(answers)) is None
    assert next(answers, None) is None


def test_a_call_ends_when_the_worker_is_stopped(worker: Worker[Any], recorder: Recorder) -> None:
    recorder.free.clear()
    worker.mailbox.put('a', 0)
    assert recorder.entered.wait(GUARD_S)
    answers: list[object] = []
    caller = threading.Thread(
        target=lambda: answers.append(worker.call(lambda: 1, lambda: True)), daemon=True
    )
    caller.start()
    worker.stop(0.01)
    recorder.free.set()
    caller.join(GUARD_S)
    assert answers == [None]
    assert worker.stop(GUARD_S)
    assert worker.call(lambda: 1, lambda: True) is None


def run_together(jobs: list[Callable[[], Any]]) -> None:
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(GUARD_S)
        assert not thread.is_alive()
