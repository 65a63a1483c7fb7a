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
"""The page on training lists every key of a recipe with its default, and every recipe."""

import re
from pathlib import Path

import yaml

from spssn_ros.imaging.degradation import Degradation
from spssn_ros.training.config import TrainConfig

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / 'docs' / 'training.md').read_text(encoding='utf-8')


def test_every_key_has_its_default() -> None:
    table = PAGE.split('| key | default | |')[1].split('\n\n')[0]
    listed = {}
    for line in table.splitlines()[2:]:
        keys, defaults = (re.findall(r'`([^`]*)`', cell) for cell in line.split('|')[1:3])
        listed |= dict(zip(keys, map(yaml.safe_load, defaults), strict=True))
    assert listed == TrainConfig().to_dict()


def test_every_recipe_is_listed() -> None:
    files = {path.name for path in (ROOT / 'config' / 'train').glob('*.yaml')}
    table = PAGE.split('## Recipes')[1].split('\n\n')[1]
    assert set(re.findall(r'`(\w+\.yaml)`', table)) == files


def test_every_degradation_is_named() -> None:
    last = PAGE.rsplit('`spssn evaluate BAG --robustness', 1)[1]
    assert set(re.findall(r'\w+', last)) >= {kind.value for kind in Degradation}
