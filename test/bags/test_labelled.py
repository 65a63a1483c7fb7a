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
"""Bags of labelled frames, and reading ahead."""

import threading
from pathlib import Path

import numpy as np
import pytest

from spssn_ros.bags.labelled import (
    LabelledFrame,
    Scene,
    frame_stamp_ns,
    scene_frames,
    write_labelled_bag,
)
from spssn_ros.bags.read_ahead import ReadAhead
from spssn_ros.bags.reader import BagReader
from spssn_ros.bags.stamps import header_stamp_ns
from spssn_ros.errors import BagError, ConfigError

FRAMES = 8  # in the street_bag of the fixtures


def test_stamps_do_not_drift() -> None:
    assert frame_stamp_ns(0, 30) == 1_000_000_000_000_000_000
    assert frame_stamp_ns(1, 30) == 1_000_000_000_033_333_333
    assert frame_stamp_ns(90_000, 30) == 1_000_003_000_000_000_000


def test_messages_of_a_frame_share_their_header(street_bag: Path) -> None:
    headers: dict[int, set[str]] = {}
    with BagReader(street_bag) as bag:
        for message in bag.messages():
            assert message.message.header.frame_id == 'camera'
            headers.setdefault(header_stamp_ns(message.message), set()).add(message.topic)
    assert list(headers) == [10**18 + i * 10**8 for i in range(FRAMES)]
    topics = {'/camera/image_raw', '/camera/label_truth', '/camera/camera_info'}
    assert all(seen == topics for seen in headers.values())


def test_encoded_frames_are_stored_as_they_are(tmp_path: Path) -> None:
    frame = LabelledFrame(
        np.zeros((2, 3, 3), np.uint8), np.full((2, 3), 255, np.uint8), b'file', 'png'
    )
    assert write_labelled_bag(tmp_path / 'bag', [frame], 1.0) == 1
    with BagReader(tmp_path / 'bag') as bag:
        messages = {m.topic: m.message for m in bag.messages()}
    compressed = messages.pop('/camera/image_raw/compressed')
    assert (compressed.format, compressed.data.tobytes()) == ('png', b'file')
    assert messages.keys() == {'/camera/label_truth', '/camera/camera_info'}
    assert messages['/camera/label_truth'].data.tolist() == [255] * 6
    assert messages['/camera/camera_info'].width == 3


def test_bad_numbers_leave_no_bag(tmp_path: Path, scene: Scene) -> None:
    for rate in (0.0, -1.0, float('nan'), float('inf')):
        with pytest.raises(ConfigError, match=rf'rate {rate} Hz is not positive'):
            write_labelled_bag(tmp_path / 'bag', scene_frames(scene, 1, 10.0), rate)
    with pytest.raises(ConfigError, match=r'at a rate of 1e\+12 Hz frames share stamps, which'):
        write_labelled_bag(tmp_path / 'bag', scene_frames(scene, 2, 10.0), 1e12)
    with pytest.raises(ConfigError, match='would hold no frame'):
        write_labelled_bag(tmp_path / 'bag', [], 1.0)
    # 36 years, and longer than floats go.
    for rate in (8e-10, 1e-320):
        frame = LabelledFrame(*scene.render(0))
        for frames in (scene_frames(scene, 2, rate), [frame, frame]):
            with pytest.raises(ConfigError, match=rf'^at a rate of {rate:g} Hz, frame 1 is later'):
                write_labelled_bag(tmp_path / 'bag', frames, rate)
    assert list(tmp_path.iterdir()) == []


def test_read_ahead_gives_every_message_in_order(street_bag: Path) -> None:
    ahead = ReadAhead(street_bag, ['/camera/image_raw'], lambda: False)
    messages = []
    while (message := ahead.next()) is not None:
        messages.append(message)
    ahead.join()
    with BagReader(street_bag) as bag:
        assert messages == list(bag.serialized_messages(['/camera/image_raw']))


def test_read_ahead_ends_when_stopped(tmp_path: Path, scene: Scene) -> None:
    # More messages than the queue takes, so that the thread waits for room when it is stopped.
    write_labelled_bag(tmp_path / 'bag', scene_frames(scene, 20, 10.0), 10.0)
    stop = threading.Event()
    ahead = ReadAhead(tmp_path / 'bag', (), stop.is_set)
    assert ahead.next() is not None
    stop.set()
    assert ahead.next() is None
    ahead.join()


def test_read_ahead_passes_on_what_nobody_foresaw(
    street_bag: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError('unforeseen')

    monkeypatch.setattr(BagReader, 'serialized_messages', fail)
    ahead = ReadAhead(street_bag, (), lambda: False)
    with pytest.raises(ZeroDivisionError, match='unforeseen'):
        ahead.next()
    ahead.join()


def test_read_ahead_passes_errors_on(tmp_path: Path) -> None:
    ahead = ReadAhead(tmp_path / 'nowhere', (), lambda: False)
    with pytest.raises(BagError, match='nowhere does not exist'):
        ahead.next()
    ahead.join()
