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
"""What a training run is made of, read from YAML."""

import dataclasses
import difflib
import math
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from spssn_ros.errors import ConfigError
from spssn_ros.inference.config import Precision

WEIGHTS_KEYS = ('init', 'teacher')
"""Keys of a recipe that name weights."""


class Optimizer(str, Enum):
    """Optimisers to choose from."""

    SGD = 'sgd'
    ADAMW = 'adamw'


class ClassWeights(str, Enum):
    """How the loss weighs classes: all alike, or 1 / ln(1.02 + frequency) (ENet, sec. 5.2)."""

    NONE = 'none'
    LOG = 'log'


class DataSet(str, Enum):
    """What is trained on.

    Folders of CamVid, of Cityscapes (gtFine) or of one's own (`spssn_ros.datasets.folder`), or
    streets rendered by `spssn_ros.synthetic`.
    """

    CAMVID = 'camvid'
    CITYSCAPES = 'cityscapes'
    FOLDER = 'folder'
    STREET = 'street'


@dataclass(frozen=True)
class TrainConfig:
    """One training run.

    Attributes:
        dataset: `camvid`, `cityscapes`, `folder` or `street`.
        model: name for `create_model`.
        options: further arguments of the network.
        epochs: passes over the training split.
        batch_size: images an iteration.
        crop: (width, height) in pixels of a training sample.
        input_size: (width, height) at which frames enter the trained network: kept in the weights,
            and validation scales frames to it as the engine does. None given: the crop's size is
            kept, and validation takes frames as they are.
        scale: random scaling, lowest and highest factor (drawn log-uniformly).
        rotate_degrees: random rotation up to this angle either way.
        color: strength of brightness, contrast, gamma and saturation jitter, 0 for none.
        hue: greatest turn of the hue either way, in degrees.
        dusk: probability of low light: darker, warmer or colder, as at dusk.
        shadows: probability of a soft cast shadow over part of the picture.
        degrade: probability of one random degradation (`spssn_ros.imaging.degradation`) of the
            frame, before it is scaled.
        paste: rare objects pasted into a sample, on average, cut from other training images.
        paste_classes: the classes of these objects; none given: those with fewer than 2 % of the
            labelled pixels.
        optimizer: `sgd` (momentum 0.9) or `adamw`.
        learning_rate: at the start, after warm-up.
        weight_decay: on convolution weights; none on biases and batch norm.
        decay_depthwise: whether depthwise convolutions decay too (Fast-SCNN paper, sec. 4: no).
        warmup_iterations: linear rise of the learning rate at the start.
        poly_power: the learning rate falls as (1 - progress) ** power (SPSSN paper, sec. 5.2).
        class_weights: `none` or `log`.
        class_weight_power: exponent of these weights. Full weights (1) find rare classes but also
            see them where they are not; a lower power costs recall and gains precision.
        ohem: online hard example mining: only pixels whose true class has a probability below
            this count, but at least the hardest sixteenth; 0.7 is usual, 0 for none.
        label_smoothing: part of the truth spread over all classes (Szegedy et al. 2016), 0 for
            none.
        jaccard_weight: of the soft Jaccard loss, 1 - the mean IoU of the batch, beside the cross
            entropy; 0 for none.
        auxiliary_weight: of the auxiliary heads' losses (Fast-SCNN paper, sec. 4.1: 0.4), 0 for
            none; for `spssn`, `spssn_stream` and `fast_scnn`.
        ema_decay: the weights that are validated and saved are this running average; 0 for none.
        train_splits: the splits trained on.
        val_split: the split validated on; empty for none.
        val_every: epochs between validations.
        holdout: last part of every sequence's training images that is not trained on but scored
            as a second validation, 0 for none.
        holdout_sequences: sequences (drives) of which no image is trained on; scored as `holdout`.
        precision: `float32`, `bfloat16` or `float16` (CUDA only, with loss scaling); `auto` is
            bfloat16 where the device has instructions for it, else float32.
        sync_batch_norm: several processes on CUDA share batch-norm statistics.
        compile: have `torch.compile` compile the network; needs a C++ compiler.
        resident: on CUDA, keep all images on the GPU and augment there, if they fit.
        workers: what reads and augments where that is not done on the GPU: 1 is a thread, more are
            as many processes, each at a batch of its own.
        in_memory: read every image once, at the start; else each time it is needed.
        init: weights to start from, a file or the name of shipped ones; empty for none. The last
            layer starts anew where the classes differ.
        teacher: weights of a network, any of this package's with the same classes, whose
            probabilities this one is to give beside the truth; empty for none.
        teacher_weight: of the divergence from these probabilities, beside the cross entropy.
        teacher_scale: the teacher sees every sample enlarged by this factor.
        seed: of initialisation and augmentation.

    Raises:
        ConfigError: a value outside its range.

    """

    dataset: DataSet = DataSet.CAMVID
    model: str = 'spssn'
    options: dict[str, Any] = field(default_factory=dict)
    epochs: int = 100
    batch_size: int = 8
    crop: tuple[int, int] = (480, 360)
    input_size: tuple[int, int] = (0, 0)
    scale: tuple[float, float] = (0.5, 2.0)
    rotate_degrees: float = 0.0
    color: float = 0.3
    hue: float = 0.0
    dusk: float = 0.0
    shadows: float = 0.0
    degrade: float = 0.0
    paste: float = 0.0
    paste_classes: tuple[str, ...] = ()
    optimizer: Optimizer = Optimizer.ADAMW
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    decay_depthwise: bool = True
    warmup_iterations: int = 100
    poly_power: float = 0.9
    class_weights: ClassWeights = ClassWeights.LOG
    class_weight_power: float = 1.0
    ohem: float = 0.0
    label_smoothing: float = 0.0
    jaccard_weight: float = 0.0
    auxiliary_weight: float = 0.0
    ema_decay: float = 0.999
    train_splits: tuple[str, ...] = ('train',)
    val_split: str = 'val'
    val_every: int = 5
    holdout: float = 0.0
    holdout_sequences: tuple[str, ...] = ()
    precision: Precision = Precision.AUTO
    sync_batch_norm: bool = False
    compile: bool = False
    resident: bool = True
    workers: int = 1
    in_memory: bool = True
    init: str = ''
    teacher: str = ''
    teacher_weight: float = 1.0
    teacher_scale: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ('epochs', 'batch_size', 'val_every', 'workers'):
            if getattr(self, name) < 1:
                raise ConfigError(f'{name} is {getattr(self, name)}; give at least 1')
        # What both NumPy and PyTorch take.
        if not 0 <= self.seed < 2**63:
            raise ConfigError(f'seed is {self.seed}; give 0 to 2**63 - 1')
        if self.options.keys() & {'name', 'num_classes'}:
            raise ConfigError(
                f'options is {self.options}; leave out name and num_classes, which the key model '
                'and the data set decide'
            )
        if self.precision is Precision.INT8:
            raise ConfigError(
                "precision is 'int8', which is none to train in; give another, and run `spssn "
                'quantize` on what was trained'
            )
        if self.val_split == 'holdout':
            raise ConfigError(
                "val_split is 'holdout', under which name the images kept back by the key holdout "
                'are scored; give the split another name'
            )
        if self.batch_size == 1:
            raise ConfigError('batch_size is 1; batch norm in training needs at least 2')
        if min(self.crop) < 32:
            raise ConfigError(f'crop is {list(self.crop)}; give at least 32 a side')
        if self.input_size != (0, 0) and min(self.input_size) < 32:
            raise ConfigError(
                f'input_size is {list(self.input_size)}; give at least 32 a side, or [0, 0] for '
                'none'
            )
        if not 0 < self.scale[0] <= self.scale[1] < math.inf:
            raise ConfigError(f'scale is {list(self.scale)}; give [lowest, highest], above 0')
        for name in ('learning_rate', 'teacher_weight', 'teacher_scale'):
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigError(f'{name} is {getattr(self, name)}; give a finite value above 0')
        if self.teacher and min(self.crop) * self.teacher_scale < 32:
            raise ConfigError(
                f'teacher_scale is {self.teacher_scale} and crop {list(self.crop)}; let the '
                'teacher see at least 32 pixels a side'
            )
        for name in (
            'rotate_degrees',
            'color',
            'hue',
            'paste',
            'jaccard_weight',
            'auxiliary_weight',
            'weight_decay',
            'warmup_iterations',
            'poly_power',
            'class_weight_power',
        ):
            if not 0 <= getattr(self, name) < math.inf:
                raise ConfigError(
                    f'{name} is {getattr(self, name)}; give a finite value, 0 or more'
                )
        for name in ('dusk', 'shadows', 'degrade'):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f'{name} is {getattr(self, name)}; give a probability, 0 to 1')
        for name in ('ohem', 'label_smoothing', 'ema_decay', 'holdout'):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f'{name} is {getattr(self, name)}; give a value in [0, 1)')

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as YAML and JSON hold them."""
        values = dataclasses.asdict(self)
        for name, value in values.items():
            if isinstance(value, Enum):
                values[name] = value.value
            elif isinstance(value, tuple):
                values[name] = list(value)
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> 'TrainConfig':
        """Build from plain values.

        Raises:
            ConfigError: an unknown key (names the nearest) or a value that cannot be used.

        """
        fields = {f.name: f for f in dataclasses.fields(cls)}
        parsed: dict[str, Any] = {}
        for key, value in values.items():
            if key not in fields:
                near = difflib.get_close_matches(str(key), fields, n=1)
                hint = f'; did you mean {near[0]!r}?' if near else ''
                raise ConfigError(f'unknown key {key!r} in the training configuration{hint}')
            parsed[key] = _convert(key, value, getattr(_DEFAULTS, key))
        return cls(**parsed)


_DEFAULTS = TrainConfig()


def _convert(key: str, value: Any, default: Any) -> Any:
    """Return `value` as the type of `default`, or raise ConfigError."""
    try:
        if isinstance(default, Enum):
            return type(default)(value)
        if isinstance(value, bool) is not isinstance(default, bool):
            raise ValueError
        if isinstance(default, tuple) and isinstance(value, str):
            raise ValueError
        if isinstance(default, tuple):
            kind = type(default[0]) if default else str
            items = tuple(kind(item) for item in value)
            if kind is not str and len(items) != len(default):
                raise ValueError
            return items
        if isinstance(default, dict):
            return dict(value)
        if isinstance(default, float):
            return float(value)
        if not isinstance(value, type(default)):
            raise ValueError
    except (TypeError, ValueError) as error:
        wanted = (
            f'one of {", ".join(str(member.value) for member in type(default))}'
            if isinstance(default, Enum)
            else f'something like {_example(default)}'
        )
        raise ConfigError(f'{key} is {value!r}; give {wanted}') from error
    return value


def _example(default: Any) -> str:
    if isinstance(default, tuple):
        return str(list(default) or ['a', 'b'])
    return repr(default)
