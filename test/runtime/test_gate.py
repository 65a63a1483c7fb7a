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
"""Work begins only while the gate is open, and closing it waits for that to end."""

import threading

from spssn_ros.runtime import Gate


def test_closing_waits_for_what_is_passing() -> None:
    gate = Gate()
    with gate.passing() as is_open:
        assert not is_open
    gate.open()
    done: list[str] = []
    closing = threading.Thread(target=lambda: (gate.close(), done.append('closed')))
    with gate.passing() as is_open:
        assert is_open
        closing.start()
        closing.join(0.1)
        assert closing.is_alive()
        # What comes later is not let through meanwhile.
        assert not gate.is_open
        done.append('passed')
    closing.join(60)
    assert done == ['passed', 'closed']
    with gate.passing() as is_open:
        assert not is_open
