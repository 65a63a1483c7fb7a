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
"""Read a bag in the background, a few messages ahead."""

import queue
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from spssn_ros.bags.reader import BagReader, SerializedMessage

_QUEUE_LENGTH = 32
_POLL_S = 0.05


class ReadAhead:
    """A thread that keeps a few messages of a bag ready, so that reading does not delay them.

    Args:
        path: the bag.
        topics: which of its topics.
        stopped: asked again and again; the thread ends when it says True.

    """

    def __init__(self, path: Path, topics: Sequence[str], stopped: Callable[[], bool]) -> None:
        self._path, self._topics, self._stopped = path, topics, stopped
        self._queue: queue.Queue[SerializedMessage | Exception | None] = queue.Queue(_QUEUE_LENGTH)
        self._thread = threading.Thread(target=self._read, name='read_ahead', daemon=True)
        self._thread.start()

    def next(self) -> SerializedMessage | None:
        """Return the next message; None after the last one or when stopped.

        Raises:
            BagError: the bag turns out damaged.

        """
        while not self._stopped():
            try:
                item = self._queue.get(timeout=_POLL_S)
            except queue.Empty:
                continue
            if isinstance(item, Exception):
                raise item
            return item
        return None

    def join(self) -> None:
        """Wait for the thread, which ends after the last message or when stopped."""
        self._thread.join()

    def _read(self) -> None:
        try:
            with BagReader(self._path) as bag:
                for message in bag.serialized_messages(self._topics):
                    if not self._put(message):
                        return
            self._put(None)
        except Exception as error:  # of any kind: who waits must not wait for ever
            self._put(error)

    def _put(self, item: SerializedMessage | Exception | None) -> bool:
        while not self._stopped():
            try:
                self._queue.put(item, timeout=_POLL_S)
            except queue.Full:
                continue
            return True
        return False
