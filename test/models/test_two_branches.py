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
"""Fast-SCNN's two branches, and how stream pooling joins the shallow one."""

import torch
from torch import Tensor, nn

from spssn_ros.models import create_model
from spssn_ros.models.blocks import resize
from spssn_ros.models.fast_scnn import FastSCNN
from spssn_ros.models.spssn_stream import SPSSNStream, StreamPooling


def stages_of(model: FastSCNN, x: Tensor) -> list[Tensor]:
    stages = [model.downsample(x)]
    for unit in model.units:
        stages.append(unit(stages[-1]))
    return stages


def test_fast_scnn_is_its_parts() -> None:
    torch.manual_seed(0)
    model = FastSCNN(5).eval()
    x = torch.rand(1, 3, 96, 64)
    with torch.inference_mode():
        stages = stages_of(model, x)
        assert [tuple(stage.shape[1:]) for stage in stages] == [
            (64, 12, 8),
            (64, 6, 4),
            (96, 3, 2),
            (128, 3, 2),
        ]
        fused = model.fusion(model.pyramid(stages[-1]), model.shallow(stages[0]))
        assert torch.equal(model(x), model.classifier(fused))


def test_without_the_skip_connection_the_shallow_branch_is_zero() -> None:
    torch.manual_seed(0)
    whole = FastSCNN(5).eval()
    cut = create_model('fast_scnn', 5, skip=False).eval()
    # The same weights serve both, as in the paper's ablation.
    cut.load_state_dict(whole.state_dict())
    x = torch.rand(2, 3, 97, 64)
    with torch.inference_mode():
        deep = cut.pyramid(stages_of(cut, x)[-1])
        zero = torch.zeros(2, 128, 13, 8)
        expected = cut.classifier(cut.fusion(deep, zero))
        torch.testing.assert_close(cut(x), expected)
        assert (whole(x) - expected).abs().max() > 0.01 * expected.abs().max()


def test_each_stream_pooling_takes_what_the_one_before_returns() -> None:
    torch.manual_seed(0)
    model = SPSSNStream(5, chain_length=2).eval()
    with torch.inference_mode():
        stages = stages_of(model, torch.rand(1, 3, 96, 64))
        stream = None
        for module, stage in zip(model.stream_poolings, stages, strict=True):
            # Pooling comes after upsampling, at 1/8.
            x = resize(module.pointwise(stage), (12, 8))
            if stream is not None:
                x = x + module.link(stream)
            stream = module.pooling(x)
        expected = model.shallow(stages[0]) + stream
        torch.testing.assert_close(model.shallow_branch(stages), expected)


def test_only_the_first_stream_pooling_has_no_link() -> None:
    model = SPSSNStream()
    assert [module.link is None for module in model.stream_poolings] == [True, False, False, False]
    link = model.stream_poolings[1].link
    assert [type(layer) for layer in link] == [nn.Conv2d, nn.BatchNorm2d]


def test_stream_pooling_pools_what_it_was_given() -> None:
    torch.manual_seed(0)
    module = StreamPooling(3, 4, chain_length=0, first=False).eval()
    stage, previous = torch.randn(1, 3, 2, 2), torch.randn(1, 4, 6, 5)
    expected = resize(module.pointwise(stage), (6, 5)) + module.link(previous)
    torch.testing.assert_close(module(stage, previous, (6, 5)), expected)
