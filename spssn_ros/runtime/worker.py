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
"""The dedicated thread that owns the network."""

import concurrent.futures
import queue
import threading
import traceback
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from spssn_ros.runtime.mailbox import Mailbox

T = TypeVar('T')
R = TypeVar('R')


class Worker(Generic[T]):
    """Runs tasks and handles frames, one after the other, on one thread of its own.

    Everything that touches the network (loading, warming, frames, freeing) runs here, so that
    the network needs no lock and CUDA sees one thread. Tasks go before frames.

    Args:
        handle: called with (slot, item) for each frame.
        on_error: called with (slot, item, exception) when `handle` raises; the thread goes on.
        name: of the thread.

    """

    def __init__(
        self,
        handle: Callable[[Hashable, T], None],
        on_error: Callable[[Hashable, T, BaseException], None],
        name: str = 'inference',
    ) -> None:
        self.mailbox: Mailbox[T] = Mailbox()
        self._handle = handle
        self._on_error = on_error
        self._tasks: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = queue.SimpleQueue()
        self._stopping = threading.Lock()
        # A daemon, so that a forward pass of many seconds cannot hold up the process's end.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, task: Callable[[], R]) -> 'Future[R]':
        """Have `task` run on the thread; the future holds its result or exception.

        It is cancelled if the thread is stopped before it comes to the task.
        """
        future: Future[R] = Future()
        with self._stopping:
            if self.mailbox.closed:
                future.cancel()
                return future
            self._tasks.put((future, task))
        self.mailbox.wake()
        return future

    def call(self, task: Callable[[], R], going: Callable[[], bool]) -> R | None:
        """Have `task` run on the thread and wait; None if stopped, or `going` is false, before."""
        future = self.submit(task)
        try:
            while going() and not future.cancelled():
                # A time-out of result() could not be told from a task's own TimeoutError.
                concurrent.futures.wait([future], 0.1)
                if future.done() and not future.cancelled():
                    return future.result()
            return None
        finally:
            # A task's exception holds this frame, and the future holds the exception: without
            # this, what the caller works on is freed by the garbage collector alone.
            del future

    def stop(self, timeout_s: float) -> bool:
        """End the thread after what it is doing; return whether it ended within the time."""
        # No task may slip in behind the thread's last look at them, or its caller waits for ever.
        with self._stopping:
            self.mailbox.close()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self.mailbox.closed:
            self._run_tasks()
            taken = self.mailbox.take()
            if taken is None:
                continue
            slot, item = taken
            try:
                self._handle(slot, item)
            # Whatever a frame causes must end with that frame, the report of it included. That
            # holds for SystemExit too, which would end the thread without a word.
            except BaseException as error:
                try:
                    self._on_error(slot, item, error)
                except BaseException:
                    traceback.print_exc()
        while not self._tasks.empty():
            self._tasks.get()[0].cancel()

    def _run_tasks(self) -> None:
        while not (self._tasks.empty() or self.mailbox.closed):
            future, task = self._tasks.get()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(task())
            except BaseException as error:
                future.set_exception(error)
            # As in `call`; waiting for the next frame would keep both.
            del future, task
