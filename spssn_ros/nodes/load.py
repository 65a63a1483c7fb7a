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
"""From parameters to a network that is ready for frames."""

from collections.abc import Collection

import torch
from rclpy.impl.rcutils_logger import RcutilsLogger

from spssn_ros.errors import GpuMemoryError, WeightsError
from spssn_ros.inference import InferenceConfig, Segmenter
from spssn_ros.inference.config import Device
from spssn_ros.inference.segmenter import wanted_graph
from spssn_ros.models import load_weights, read_info, weights_version
from spssn_ros.nodes.parameters import CLASS_PARAMETERS, Settings
from spssn_ros.nodes.pipeline import Pipeline
from spssn_ros.runtime import give_back_freed_memory


def check_unloaded(settings: Settings, changed: Collection[str]) -> None:
    """Check changed parameters by what the weights' file says of itself, without a network.

    Raises:
        WeightsError: weights that are changed are none.
        ConfigError: a class named in changed parameters, or before, is none of changed weights.

    """
    classes = [name for name in CLASS_PARAMETERS if name in changed]
    if 'weights' in changed:
        # Whatever is named has to be theirs.
        settings.check_classes(read_info(settings.weights).label_set)
    elif classes:
        try:
            label_set = read_info(settings.weights).label_set
        except WeightsError:
            # Not what is being changed; it is told of when they are, or are loaded.
            return
        # Not another list, which may be just as wrong: one has to be mended first.
        settings.check_classes(label_set, classes)


def load_pipeline(settings: Settings, log: RcutilsLogger) -> Pipeline:
    """Load a network and warm it up; on the CPU, said in the log, where the GPU has no room.

    Raises:
        SpssnError: weights or settings that cannot be used.

    """
    # Before they are read: what is written meanwhile is another version.
    version = weights_version(settings.weights)
    model, info = load_weights(settings.weights)
    config = _reachable(settings.inference, log)
    graph = wanted_graph(settings.weights, config)
    segmenter: Segmenter | None = None
    try:
        segmenter = Segmenter(model, info, config, graph)
        segmenter.expect(len(settings.cameras))
        segmenter.warm_up()
    except GpuMemoryError as error:
        log.error(f'{error}; running on the CPU instead')
        segmenter = None
    if segmenter is None:
        # Others want that memory; not in the handler, whose traceback keeps tensors alive.
        give_back_memory()
        segmenter = Segmenter(model, info, config.on_cpu())
        segmenter.warm_up()
    return Pipeline.build(segmenter, settings, version)


def _reachable(config: InferenceConfig, log: RcutilsLogger) -> InferenceConfig:
    """Fall back to the CPU, audibly, where CUDA is asked for but absent."""
    if config.device is not Device.CUDA or torch.cuda.is_available():
        return config
    log.warning(
        "device is 'cuda' but torch sees no CUDA GPU (check nvidia-smi and that torch is a "
        'CUDA build); running on the CPU instead'
    )
    return config.on_cpu()


def give_back_memory() -> None:
    """Hand back, on the inference thread, what a network no longer takes of GPU and memory."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    give_back_freed_memory()
