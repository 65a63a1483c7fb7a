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
"""A real browser for tests: Chromium without a window, driven through its debugging pipe."""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np

NAMES = ('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable')
OPTIONS = (
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-dev-shm-usage',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--disable-extensions',
    '--hide-scrollbars',
    '--remote-debugging-pipe',
)
TIMEOUT_S = 60.0


def find_chromium() -> str | None:
    """Return the browser's program, or None where there is none."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Browser:
    """One page of a browser that has an empty profile of its own.

    Args:
        program: of the browser.
        profile: an empty folder.

    """

    def __init__(self, program: str, profile: Path) -> None:
        (read, self._to), (self._from, write) = _high_pipe(), _high_pipe()
        # The browser reads commands from descriptor 3 and answers on 4.
        shell = ['bash', '-c', f'exec "$@" 3<&{read} 4>&{write}', 'bash']
        self._process = subprocess.Popen(
            [*shell, program, *OPTIONS, f'--user-data-dir={profile}', 'about:blank'],
            pass_fds=(read, write),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read)
        os.close(write)
        self._received = b''
        self._count = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> 'Browser':
        targets = self.call('Target.getTargets')['targetInfos']
        page = next(target['targetId'] for target in targets if target['type'] == 'page')
        attached = self.call('Target.attachToTarget', targetId=page, flatten=True)
        self._session = attached['sessionId']
        for domain in ('Page', 'Network', 'Runtime'):
            self.call(f'{domain}.enable')
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._to)
        os.close(self._from)

    def show(self, path: Path, width: int, dark: bool = False) -> None:
        """Open a file in a window of this width and wait until all of it is loaded."""
        self.call(
            'Emulation.setDeviceMetricsOverride',
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {'name': 'prefers-color-scheme', 'value': 'dark' if dark else 'light'}
        self.call('Emulation.setEmulatedMedia', features=[scheme])
        self.events.clear()
        self.call('Page.navigate', url=path.resolve().as_uri())
        deadline = time.monotonic() + TIMEOUT_S
        while not any(event['method'] == 'Page.loadEventFired' for event in self.events):
            self._receive(deadline)

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression in the page."""
        answer = self.call(
            'Runtime.evaluate', expression=expression, returnByValue=True, awaitPromise=True
        )
        assert 'exceptionDetails' not in answer, answer
        return answer['result'].get('value')

    def screenshot(self) -> np.ndarray:
        """Return the whole page, (H, W, 3) uint8 RGB, a pixel for each CSS pixel."""
        answer = self.call('Page.captureScreenshot', format='png', captureBeyondViewport=True)
        data = np.frombuffer(base64.b64decode(answer['data']), np.uint8)
        return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]

    def requests(self) -> list[str]:
        """Return the addresses that the page asked for since it was opened, but for data URIs."""
        urls = [
            event['params']['request']['url']
            for event in self.events
            if event['method'] == 'Network.requestWillBeSent'
        ]
        return [url for url in urls if not url.startswith('data:')]

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command of the browser's debugging protocol and return its result."""
        self._count += 1
        command: dict[str, Any] = {'id': self._count, 'method': method, 'params': params}
        if self._session:
            command['sessionId'] = self._session
        os.write(self._to, json.dumps(command).encode() + b'\0')
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            message = self._receive(deadline)
            if message.get('id') == self._count:
                assert 'error' not in message, message
                return dict(message['result'])

    def _receive(self, deadline: float) -> dict[str, Any]:
        while b'\0' not in self._received:
            ready, _, _ = select.select(
                [self._from], [], [], max(0.0, deadline - time.monotonic())
            )
            assert ready, 'the browser does not answer'
            chunk = os.read(self._from, 1 << 20)
            assert chunk, f'the browser ended with status {self._process.poll()}'
            self._received += chunk
        line, _, self._received = self._received.partition(b'\0')
        message = json.loads(line)
        if 'method' in message:
            self.events.append(message)
        return dict(message)


def _high_pipe() -> tuple[int, int]:
    """Return a pipe whose descriptors are none of those that a shell moves around."""
    ends = os.pipe()
    high = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
    for end in ends:
        os.close(end)
    return high[0], high[1]
