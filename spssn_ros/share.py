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
"""The files that come with the package beside its code, in the share directory."""

import sys
from pathlib import Path


def shared(*parts: str) -> Path | None:
    """Return what comes with the package, as ('config', 'train'); None where it is not installed.

    It is in the source tree, or in the share directory of the installation.
    """
    package = Path(__file__).resolve().parent
    # PREFIX/lib/pythonX.Y/site-packages/spssn_ros, or a Debian layout one level less deep.
    prefixes = [*package.parents[:5], Path(sys.prefix)]
    roots = [package.parent, *(prefix / 'share' / 'spssn_ros' for prefix in prefixes)]
    found = (root.joinpath(*parts) for root in roots)
    return next((path for path in found if path.exists()), None)
