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
"""Networks are found by name; wrong names and options are explained."""

import re

import pytest

from spssn_ros.errors import ConfigError
from spssn_ros.models import MODEL_NAMES, create_model
from spssn_ros.models.spssn import SPSSN


def test_spssn_by_name() -> None:
    model = create_model('spssn', 7, chain_length=3)
    assert isinstance(model, SPSSN)
    assert model.classifier[-1].out_channels == 7
    assert len(model.stage_poolings[0].pooling.convs) == 3
    assert create_model('spssn', chain_length=1).classifier[-1].out_channels == 19


def test_an_unknown_name_lists_those_that_there_are() -> None:
    names = re.escape(', '.join(MODEL_NAMES))
    with pytest.raises(ConfigError, match=f"^no network 'unet'; there are {names}$"):
        create_model('unet')
    with pytest.raises(ConfigError, match=r'^no network None; there are spssn, '):
        create_model(None)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"^no network 'spsn'; .*did you mean 'spssn'\?$"):
        create_model('spsn')


def test_an_unknown_option_is_named_and_those_that_there_are() -> None:
    told = "^spssn takes no such option: 'chain_lenght'; it takes chain_length, first_stride, "
    with pytest.raises(ConfigError, match=told + 'dropout, auxiliary$'):
        create_model('spssn', chain_lenght=2)


def test_an_option_of_the_wrong_type_is_not_called_unknown() -> None:
    told = (
        r"^spssn has an option of the wrong type among \{'chain_length': '4'\} \(.*'int' and 'str'"
    )
    with pytest.raises(ConfigError, match=told):
        create_model('spssn', chain_length='4')
