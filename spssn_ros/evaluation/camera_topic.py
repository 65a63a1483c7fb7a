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
"""Which topic of a bag holds a camera's images, where it was recorded compressed only."""

import functools
import sys
from pathlib import Path

from tqdm import tqdm

from spssn_ros.bags.message_types import COMPRESSED_IMAGE_TYPE
from spssn_ros.bags.reader import BagReader


def camera_topic(bag: BagReader, topic: str, tells: bool = True) -> str:
    """Return the topic, or TOPIC/compressed where the bag has the camera's images there alone.

    Args:
        bag: opened.
        topic: of the camera's images, as the user names it.
        tells: whether to say on stderr, once, that another topic is read than the one named.

    """
    compressed = f'{topic}/compressed'
    if topic in bag.topics or bag.types(compressed) != [COMPRESSED_IMAGE_TYPE]:
        return topic
    if tells:
        _say_once(f'topic {topic!r} is not in bag {bag.path}; reading {compressed!r} instead')
    return compressed


def camera_topic_in(path: Path, topic: str, tells: bool = True) -> str:
    """Return the topic of a bag that is not open, as `camera_topic`.

    Raises:
        BagError: the bag cannot be opened.

    """
    with BagReader(path) as bag:
        return camera_topic(bag, topic, tells)


@functools.cache
def _say_once(text: str) -> None:
    # Not into the line of a progress bar.
    tqdm.write(text, file=sys.stderr)
