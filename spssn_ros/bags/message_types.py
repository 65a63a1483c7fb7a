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
"""The message types that a bag defines for itself."""

from pathlib import Path

from rosbags.interfaces import Connection, MessageDefinitionFormat
from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from spssn_ros.errors import BagError

_IDL_SEPARATOR = '=' * 80 + '\n'


def message_types(connection: Connection, is_ros1: bool, bag: Path) -> Typestore:
    """Return the types of a topic's own definition, else those of a ROS distribution.

    Raises:
        BagError: the bag does not define the type, and no distribution has it.
        Exception: of any kind, from a definition that is damaged.

    """
    name, definition = connection.msgtype, connection.msgdef
    if definition.format is MessageDefinitionFormat.NONE:
        store = get_typestore(Stores.ROS1_NOETIC if is_ros1 else Stores.LATEST)
        if name not in store.fielddefs:
            raise BagError(f'bag {bag} does not say how its type {name} is defined')
        return store
    store = get_typestore(Stores.EMPTY)
    if definition.format is MessageDefinitionFormat.MSG:
        store.register(get_types_from_msg(definition.data, name))
        return store
    # Several definitions may follow one another, each under a line 'IDL: <name>'.
    types = {}
    for part in definition.data.split(_IDL_SEPARATOR):
        body = part.partition('\n')[2] if part.startswith('IDL: ') else part
        types.update(get_types_from_idl(body) if body.strip() else {})
    store.register(types)
    return store
