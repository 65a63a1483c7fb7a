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
"""Speed of the networks and of the engine. Needs no ROS."""

from spssn_ros.benchmarking.camvid_scores import Score, score_camvid
from spssn_ros.benchmarking.counting import ModelCount, count_gflops, count_model
from spssn_ros.benchmarking.engine import EngineResult, benchmark_engine
from spssn_ros.benchmarking.engines import EngineBenchmark
from spssn_ros.benchmarking.models import ModelResult, ModelsBenchmark, benchmark_models
from spssn_ros.benchmarking.published import COUNTED_AT, PUBLISHED
from spssn_ros.benchmarking.timing import ENGINE_NOTE, FORWARD_NOTE, Timing

__all__ = [
    'COUNTED_AT',
    'ENGINE_NOTE',
    'FORWARD_NOTE',
    'PUBLISHED',
    'EngineBenchmark',
    'EngineResult',
    'ModelCount',
    'ModelResult',
    'ModelsBenchmark',
    'Score',
    'Timing',
    'benchmark_engine',
    'benchmark_models',
    'count_gflops',
    'count_model',
    'score_camvid',
]
