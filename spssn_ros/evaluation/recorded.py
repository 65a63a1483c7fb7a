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
"""What a bag of `segment_node`'s outputs says of the labels in it."""

import json
from pathlib import Path

from spssn_ros.bags.reader import BagReader
from spssn_ros.errors import BagError
from spssn_ros.labels import LabelSet

_TOPIC = 'label_info_json'


def recorded_label_set(bag: Path, prediction_topic: str) -> LabelSet | None:
    """Return the classes that `label_info_json` beside recorded labels tells.

    Args:
        bag: ROS 2 or ROS 1 bag.
        prediction_topic: of the labels, such as /segment_node/label.

    Returns:
        None where no such topic was recorded.

    Raises:
        BagError: the bag cannot be read, or the topic holds something else.

    """
    topic = f'{prediction_topic.rpartition("/")[0]}/{_TOPIC}'
    with BagReader(bag) as reader:
        if topic not in reader.topics or not reader.topics[topic].count:
            return None
        message = next(iter(reader.messages([topic]))).message
    try:
        classes = json.loads(message.data)['classes']
        return LabelSet(
            tuple(str(entry['name']) for entry in classes),
            tuple(tuple(entry['color']) for entry in classes),
        )
    except (AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise BagError(
            f'topic {topic!r} of bag {bag} does not tell the classes of {prediction_topic} '
            f'({error}); record the labels under another name to have those of --weights taken'
        ) from error
