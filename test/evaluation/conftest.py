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
"""Small bags whose scores can be worked out by hand."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from spssn_ros.bags.writer import BagWriter, Storage
from spssn_ros.labels import LabelSet

IMAGE_TOPIC, LABEL_TOPIC = '/image', '/truth'
Stamped = Sequence[tuple[int, np.ndarray]]
WriteBag = Callable[..., Path]


@pytest.fixture
def three_classes() -> LabelSet:
    return LabelSet(('a', 'b', 'c'), ((255, 0, 0), (0, 255, 0), (0, 0, 255)))


@pytest.fixture
def write_bag(tmp_path: Path) -> WriteBag:
    """Return a function that writes images and truth under their stamps, in bag order."""

    def write(
        images: Stamped, truths: Stamped, storage: Storage = Storage.MCAP, name: str = 'bag'
    ) -> Path:
        path = tmp_path / name
        topics = ((IMAGE_TOPIC, images), (LABEL_TOPIC, truths))
        messages = [(stamp, topic, image) for topic, items in topics for stamp, image in items]
        with BagWriter(path, storage) as bag:
            for stamp, topic, image in sorted(messages, key=lambda message: message[0]):
                bag.write_image(topic, stamp, 'camera', image)
        return path

    return write
