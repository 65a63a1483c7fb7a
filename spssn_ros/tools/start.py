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
"""The executable's first step, which imports nothing that may be missing: it tells what is."""

import sys
import traceback

from spssn_ros import __version__
from spssn_ros.missing import explain_import
from spssn_ros.stdout import go_on_without_reader


def spssn() -> int:
    """Run the command, as `tools.main.main`; 2 where a package is missing."""
    go_on_without_reader()
    words = sys.argv[1:]
    if words == ['--version']:
        # Even of a broken installation, whose report is to name it.
        print(f'spssn {__version__}')
        return 0
    try:
        # It takes seconds, and every package that the commands need.
        from spssn_ros.tools.main import main
    except ImportError as error:
        if '--debug' in words:
            traceback.print_exc()
        print(f'spssn: {explain_import(error)}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return main()
