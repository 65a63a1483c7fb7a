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
"""PNG files hold the pixels, whole or not at all."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from spssn_ros.imaging import write_png


def test_pngs_are_rgb_or_gray(tmp_path: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (3, 5, 3), np.uint8)
    write_png(tmp_path / 'rgb.png', rgb)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / 'rgb.png'))[..., ::-1], rgb)
    write_png(tmp_path / 'gray.png', rgb[..., 0])
    gray = cv2.imread(str(tmp_path / 'gray.png'), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(gray, rgb[..., 0])


def test_nothing_half_written_stays(tmp_path: Path) -> None:
    class Full(type(tmp_path)):
        def write_bytes(self, data: bytes) -> int:
            super().write_bytes(data[:10])
            raise OSError(28, 'No space left on device')

    with pytest.raises(OSError, match='No space left'):
        write_png(Full(tmp_path) / 'a.png', np.zeros((50, 50, 3), np.uint8))
    assert list(tmp_path.iterdir()) == []
