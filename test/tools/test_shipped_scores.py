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
"""The score of shipped weights that the README has anyone measure."""

import json
from pathlib import Path

import pytest

from spssn_ros.models import read_info
from spssn_ros.tools.main import main


def test_weights_trained_without_val_reach_their_score_on_it(
    camvid_root: Path, tmp_path: Path
) -> None:
    bag, scores = tmp_path / 'bag', tmp_path / 'scores.json'
    assert main(['convert', 'camvid', str(camvid_root), '--split', 'val', '--bag', str(bag)]) == 0
    weights = 'spssn_camvid_without_val'
    arguments = ['evaluate', str(bag), '--weights', weights, '--device', 'cpu']
    assert main([*arguments, '--json', str(scores)]) == 0
    found = json.loads(scores.read_text())
    assert found['miou'] == pytest.approx(0.748, abs=0.003)
    promised = read_info(weights).scores
    for key in ('miou', 'class_average', 'global_average'):
        assert found[key] == pytest.approx(promised[key], abs=0.003)
