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

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from spssn_ros.bags.writer import BagWriter
from spssn_ros.errors import BagError
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
            '/jpeg',
            r"^topic '/jpeg' of bag .*CompressedImage, not sensor_msgs/msg/Image$",
        ),
    ):
        source = BagPairs(tmp_path / 'bag', image, label)
        for use in (source.count, lambda source=source: list(source)):
            with pytest.raises(BagError, match=text):
                use()


def test_a_missing_bag(tmp_path: Path) -> None:
    with pytest.raises(BagError, match=r'^bag .*nowhere does not exist; check the path$'):
        BagPairs(tmp_path / 'nowhere', '/image', '/truth').count()
