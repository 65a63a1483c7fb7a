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
"""Settings that name one of a few things."""

from enum import Enum
from typing import TypeVar

from spssn_ros.errors import ConfigError

Choice = TypeVar('Choice', bound=Enum)


def parse_choice(kind: type[Choice], text: str, name: str) -> Choice:
    """Return the member of that value, for the setting `name`.

    Raises:
        ConfigError: there is none; the message lists those that there are.

    """
    try:
        return kind(text)
    except ValueError as error:
        known = [str(member.value) for member in kind]
        words = ' or '.join(known) if len(known) == 2 else f'one of {", ".join(known)}'
        raise ConfigError(f'{name} is {text!r}; give {words}') from error
