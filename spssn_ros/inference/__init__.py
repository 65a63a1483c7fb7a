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
"""Frames to labels: the `Segmenter` and its backends. Needs no ROS."""

from spssn_ros.inference import no_telemetry  # noqa: F401
from spssn_ros.inference.backend import Segmentation
from spssn_ros.inference.config import InferenceConfig, InputSize
from spssn_ros.inference.segmenter import Segmenter

__all__ = ['InferenceConfig', 'InputSize', 'Segmentation', 'Segmenter']
