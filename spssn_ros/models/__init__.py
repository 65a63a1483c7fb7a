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
"""The networks: plain modules that map (N, 3, H, W) floats to logits at a stride."""

from spssn_ros.models.network import Network
from spssn_ros.models.predict import predict_labels, predict_probabilities
from spssn_ros.models.quantized_graph import QuantizedGraph
from spssn_ros.models.registry import MODEL_NAMES, count_parameters, create_model
from spssn_ros.models.weights import (
    find_weights,
    load_graph,
    load_weights,
    read_info,
    save_weights,
    shipped_weights,
    weights_version,
)
from spssn_ros.models.weights_info import Normalisation, WeightsInfo

__all__ = [
    'MODEL_NAMES',
    'Network',
    'Normalisation',
    'QuantizedGraph',
    'WeightsInfo',
    'count_parameters',
    'create_model',
    'find_weights',
    'load_graph',
    'load_weights',
    'predict_labels',
    'predict_probabilities',
    'read_info',
    'save_weights',
    'shipped_weights',
    'weights_version',
]
