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
"""Work on items ahead of who takes the results, in their order."""

import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from queue import SimpleQueue
from typing import TypeVar

Item = TypeVar('Item')
Result = TypeVar('Result')


def map_ahead(
    function: Callable[[Item], Result],
    items: Callable[[], Generator[Item, None, None]],
    workers: int,
) -> Generator[Result, None, None]:
    """Yield `function(item)` in the order of the items.

    One thread goes through the items, `workers` threads call the function. At most
    2 * workers + 2 items are under way or waiting to be taken, so that memory stays bounded. What
    an item or the function raises is raised where its result would have come. The threads end
    with the generator: close it (`contextlib.closing`) when not all is taken.

    Args:
        function: called from several threads at once.
        items: makes the generator, which is used from one thread only.
        workers: number of threads; 0 for everything in the caller's own.

    """
    if not workers:
        with closing(items()) as source:
            for item in source:
                yield function(item)
        return
    room = threading.Semaphore(2 * workers + 2)
    stopped = threading.Event()
    results: SimpleQueue[Future[Result] | None] = SimpleQueue()

    def read() -> None:
        try:
            with closing(items()) as source:
                room.acquire()
                for item in source:
                    results.put(pool.submit(function, item))
                    room.acquire()
                    if stopped.is_set():
                        break
        except BaseException as error:
            failed: Future[Result] = Future()
            failed.set_exception(error)
            results.put(failed)
        results.put(None)

    with ThreadPoolExecutor(workers, 'map_ahead') as pool:
        reader = threading.Thread(target=read, name='map_ahead_reader', daemon=True)
        reader.start()
        try:
            while (result := results.get()) is not None:
                yield result.result()
                room.release()
        finally:
            stopped.set()
            room.release()
            reader.join()
