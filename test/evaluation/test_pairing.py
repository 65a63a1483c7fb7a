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
"""Images and truth of a bag are paired by header stamp, whatever comes first."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spssn_ros.bags import reader
from spssn_ros.bags.reader import BagReader
from spssn_ros.bags.writer import BagWriter, Storage
from spssn_ros.errors import BagError
from spssn_ros.evaluation import pairing
from spssn_ros.evaluation.pairing import BagPairs

WriteBag = Callable[..., Path]


def frame(value: int) -> np.ndarray:
    return np.full((2, 3), value, np.uint8)


def pairs_of(source: BagPairs) -> list[tuple[int, int, int]]:
    return [(p.stamp_ns, int(p.image.data[0]), int(p.truth.data[0])) for p in source]


def test_pairs_share_a_stamp(write_bag: WriteBag) -> None:
    bag = write_bag(
        [(t * 10, frame(t)) for t in range(1, 6)],
        [(10, frame(101)), (30, frame(103)), (31, frame(104)), (50, frame(105)), (99, frame(0))],
    )
    source = BagPairs(bag, '/image', '/truth')
    assert source.count() == 5
    assert pairs_of(source) == [(10, 1, 101), (30, 3, 103), (50, 5, 105)]
    assert (source.unmatched_images, source.unmatched_labels) == (2, 2)
    # A second pass counts anew.
    assert len(pairs_of(source)) == 3
    assert (source.unmatched_images, source.unmatched_labels) == (2, 2)


def test_truth_that_was_recorded_long_after_its_image(tmp_path: Path) -> None:
    # The writer stores under the header's stamp, so that the order is that of writing here.
    with BagWriter(tmp_path / 'bag') as bag:
        for stamp in (10, 20, 30):
            bag.write_image('/image', stamp, 'camera', frame(stamp))
        for stamp in (30, 10):
            bag.write_image('/truth', stamp, 'camera', frame(stamp + 100))
    source = BagPairs(tmp_path / 'bag', '/image', '/truth')
    assert sorted(pairs_of(source)) == [(10, 10, 110), (30, 30, 130)]
    assert (source.unmatched_images, source.unmatched_labels) == (1, 0)


@pytest.mark.parametrize('storage', list(Storage))
@pytest.mark.parametrize('slop_ns', [0, 3])
def test_what_waits_long_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, storage: Storage, slop_ns: int
) -> None:
    # Room for two frames of 6 bytes; the truth of all comes last, and the other way round.
    monkeypatch.setattr(pairing, '_MOST_WAITING_BYTES', 12)
    reread = []
    message_at = BagReader.message_at
    monkeypatch.setattr(
        BagReader,
        'message_at',
        lambda self, *place: reread.append(place[0]) or message_at(self, *place),
    )
    stamps = range(10, 90, 10)
    with BagWriter(tmp_path / 'bag', storage) as bag:
        for stamp in stamps:
            bag.write_image('/image', stamp, 'camera', frame(stamp))
        for stamp in stamps:
            bag.write_image('/truth', 10**9 + stamp, 'camera', frame(stamp))

    # The header's stamps are put right; what the recorder received when stays.
    def header_ns(message: object, original: Any = pairing.header_stamp_ns) -> int:
        return original(message) % 10**9

    monkeypatch.setattr(pairing, 'header_stamp_ns', header_ns)
    monkeypatch.setattr(reader, 'header_stamp_ns', header_ns)
    monkeypatch.setattr(
        BagReader,
        'header_stamps',
        lambda self, topic: (header_ns(m.message) for m in self.messages([topic])),
    )
    source = BagPairs(tmp_path / 'bag', '/image', '/truth', slop_ns)
    assert pairs_of(source) == [(stamp, stamp, stamp) for stamp in stamps]
    assert reread == ['/image'] * 6
    reread.clear()
    source = BagPairs(tmp_path / 'bag', '/truth', '/image', slop_ns)
    assert pairs_of(source) == [(stamp, stamp, stamp) for stamp in stamps]
    assert reread == ['/image'] * 6
    assert (source.unmatched_images, source.unmatched_labels) == (0, 0)


def test_pairs_within_a_slop(write_bag: WriteBag) -> None:
    bag = write_bag(
        [(t, frame(t)) for t in (10, 20, 30, 40, 50)],
        [(t, frame(100 + t)) for t in (12, 27, 29, 58, 90)],
    )
    source = BagPairs(bag, '/image', '/truth', 8)
    assert pairs_of(source) == [(10, 10, 112), (20, 20, 127), (30, 30, 129), (50, 50, 158)]
    assert (source.unmatched_images, source.unmatched_labels) == (1, 1)
    source = BagPairs(bag, '/image', '/truth', 1)
    assert pairs_of(source) == [(30, 30, 129)]
    assert (source.unmatched_images, source.unmatched_labels) == (4, 4)


def test_pairs_within_a_slop_do_not_depend_on_the_order_in_the_bag(tmp_path: Path) -> None:
    found = []
    for seed in range(4):
        messages = [('/image', t) for t in (10, 20, 30)] + [('/truth', t) for t in (13, 24, 31)]
        random.Random(seed).shuffle(messages)
        path = tmp_path / str(seed)
        with BagWriter(path) as bag:
            for topic, stamp in messages:
                bag.write_image(topic, stamp, 'camera', frame(stamp))
        found.append(sorted(pairs_of(BagPairs(path, '/image', '/truth', 5))))
    assert found == [[(10, 10, 13), (20, 20, 24), (30, 30, 31)]] * 4


def test_a_fast_camera_with_slow_truth(write_bag: WriteBag) -> None:
    bag = write_bag(
        [(t, frame(t % 250)) for t in range(0, 3000, 7)],
        [(t, frame(1)) for t in (1000, 2000)],
    )
    source = BagPairs(bag, '/image', '/truth', 5)
    assert source.count() == 2
    assert [stamp for stamp, *_ in pairs_of(source)] == [1001, 2002]
    assert (source.unmatched_images, source.unmatched_labels) == (429 - 2, 0)


def test_no_pair_is_explained(write_bag: WriteBag) -> None:
    bag = write_bag([(10**9, frame(1))] * 2, [(10**9 + 2_500_000, frame(1))])
    for slop_ns, text in (
        (0, 'the nearest two are 2.5 ms apart: truth needs exactly the header stamp of its image'),
        (0, 'or a slop of that (--slop, parameter slop_ms)'),
        (10**6, 'within the slop of 1 ms; the nearest two are 2.5 ms apart'),
    ):
        source = BagPairs(bag, '/image', '/truth', slop_ns)
        assert pairs_of(source) == []
        error = str(source.no_pair())
        assert error.startswith(
            f'bag {bag}: no stamp is on both /image (2 messages) and /truth (1)'
        )
        assert text in error


def test_a_stamp_that_comes_again_is_not_paired_again(tmp_path: Path) -> None:
    with BagWriter(tmp_path / 'bag') as bag:
        for value in (1, 2):
            bag.write_image('/image', 10, 'camera', frame(value))
            bag.write_image('/truth', 10, 'camera', frame(100 + value))
    source = BagPairs(tmp_path / 'bag', '/image', '/truth')
    assert pairs_of(source) == [(10, 1, 101)]
    assert (source.unmatched_images, source.unmatched_labels) == (1, 1)


def test_topics_that_cannot_be_used(tmp_path: Path) -> None:
    with BagWriter(tmp_path / 'bag') as bag:
        bag.write_image('/image', 1, 'camera', frame(1))
        bag.write_compressed('/jpeg', 1, 'camera', b'...')
        bag.write_camera_info('/info', 1, 'camera', 3, 2, None)
    for image, label, text in (
        ('/image', '/none', r"^topic '/none' is not in bag .*/image \(sensor_msgs/msg/Image\)"),
        ('/info', '/image', r"^topic '/info' of bag .* is sensor_msgs/msg/CameraInfo, not senso"),
        (
            '/image',
            '/info',
            r"^topic '/info' of bag .*CameraInfo, not sensor_msgs/msg/Image or sensor_msgs/msg/C",
        ),
    ):
        source = BagPairs(tmp_path / 'bag', image, label)
        for use in (source.count, lambda source=source: list(source)):
            with pytest.raises(BagError, match=text):
                use()


@pytest.mark.parametrize('storage', list(Storage))
def test_a_topic_whose_type_changes_must_go_on_with_images(
    tmp_path: Path, storage: Storage
) -> None:
    with BagWriter(tmp_path / 'bag', storage) as bag:
        bag.write_image('/truth', 1, 'camera', frame(101))
        bag.write_image('/image', 1, 'camera', frame(1))
        # Another publisher, whose messages have a header, but no data.
        bag._connections.pop('/image')
        bag.write_camera_info('/image', 2, 'camera', 3, 2, None)
    source = BagPairs(tmp_path / 'bag', '/image', '/truth')
    text = r"^topic '/image' of bag .* is sensor_msgs/msg/Image and sensor_msgs/msg/CameraInfo, no"
    for use in (source.count, lambda: list(source)):
        with pytest.raises(BagError, match=text):
            use()


def test_a_topic_of_both_kinds_of_images_is_read(tmp_path: Path) -> None:
    with BagWriter(tmp_path / 'bag') as bag:
        for stamp in (1, 2):
            bag.write_image('/truth', stamp, 'camera', frame(100 + stamp))
        bag.write_image('/image', 1, 'camera', frame(1))
        bag._connections.pop('/image')
        bag.write_compressed('/image', 2, 'camera', bytes([7]))
    assert pairs_of(BagPairs(tmp_path / 'bag', '/image', '/truth')) == [(1, 1, 101), (2, 7, 102)]


def test_a_missing_bag(tmp_path: Path) -> None:
    with pytest.raises(BagError, match=r'^bag .*nowhere does not exist; check the path$'):
        BagPairs(tmp_path / 'nowhere', '/image', '/truth').count()
