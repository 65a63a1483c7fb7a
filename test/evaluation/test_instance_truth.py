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
"""Instance images are found by their truth's stamp, and iIoU of a bag is that of its frames."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from red_segmenter import RedSegmenter

from spssn_ros.bags.labelled import LabelledFrame, write_labelled_bag
from spssn_ros.bags.reader import BagReader
from spssn_ros.bags.writer import BagWriter, Storage
from spssn_ros.errors import BadImageError, BagError, ConfigError
from spssn_ros.evaluation import ConfusionMatrix
from spssn_ros.evaluation.categories import categories_for
from spssn_ros.evaluation.evaluate import EvaluationConfig, evaluate
from spssn_ros.evaluation.instance import InstanceScores
from spssn_ros.evaluation.instance_truth import InstanceImages, instance_ids
from spssn_ros.labels import CITYSCAPES, LabelSet

CAR, PERSON, ROAD = 13, 11, 0


def ids(number: int) -> np.ndarray:
    return np.full((2, 3), number, np.uint16)


@pytest.mark.parametrize('storage', list(Storage))
def test_images_are_found_in_any_order(tmp_path: Path, storage: Storage) -> None:
    with BagWriter(tmp_path / 'bag', storage) as bag:
        for stamp in (1, 2, 3, 4):
            bag.write_image('/instances', stamp, 'c', ids(1000 * stamp))
    with InstanceImages(tmp_path / 'bag', '/instances') as images:
        found = [int(instance_ids(images.at(stamp))[0, 0]) for stamp in (3, 1, 4, 3, 2)]
    assert found == [3000, 1000, 4000, 3000, 2000]


def test_a_stamp_without_instances_is_named(tmp_path: Path) -> None:
    with BagWriter(tmp_path / 'bag') as bag:
        bag.write_image('/instances', 5, 'c', ids(1))
    text = r'no message of /instances has the stamp 0\.000000007 of a truth image; .*-topic none'
    with (
        InstanceImages(tmp_path / 'bag', '/instances') as images,
        pytest.raises(BagError, match=text),
    ):
        images.at(7)


def test_topics_that_cannot_be_used_are_explained(tmp_path: Path) -> None:
    with BagWriter(tmp_path / 'bag') as bag:
        bag.write_camera_info('/info', 1, 'c', 3, 2, None)
    with pytest.raises(BagError, match="'/instances' is not in bag"):
        InstanceImages(tmp_path / 'bag', '/instances').__enter__()
    with pytest.raises(BagError, match='is sensor_msgs/msg/CameraInfo, not sensor_msgs/msg/Image'):
        InstanceImages(tmp_path / 'bag', '/info').__enter__()
    with BagWriter(tmp_path / 'mixed') as bag:
        bag.write_image('/mixed', 1, 'c', ids(1))
        # Another publisher of another type.
        bag._connections.clear()
        bag.write_camera_info('/mixed', 2, 'c', 3, 2, None)
    with pytest.raises(BagError, match='is sensor_msgs/msg/Image and sensor_msgs/msg/CameraInfo,'):
        InstanceImages(tmp_path / 'mixed', '/mixed').__enter__()
    with pytest.raises(ConfigError, match=r'^2 instance topics \(/a, /b\) but 1 label topics'):
        EvaluationConfig([tmp_path / 'bag'], '/i', '/l', instance_topics=['/a', '/b'])


def test_ids_are_mono(image_message: Any) -> None:
    rows = np.arange(12, dtype=np.uint8).reshape(2, 6)
    wide = instance_ids(image_message('mono16', rows, 3))
    np.testing.assert_array_equal(wide, rows.view('<u2'))
    np.testing.assert_array_equal(instance_ids(image_message('mono8', rows, 6)), rows)
    with pytest.raises(BadImageError, match="2x2 'rgb8': ids are mono16 or mono8"):
        instance_ids(image_message('rgb8', rows, 2))


@pytest.fixture
def cityscapes_bag(tmp_path: Path) -> tuple[Path, list[tuple[np.ndarray, ...]]]:
    """A bag as `spssn convert cityscapes` writes it, and its truth, predictions, instances."""
    rng = np.random.default_rng(2)
    frames, arrays = [], []
    for _ in range(3):
        truth = rng.choice([ROAD, PERSON, CAR, 255], (8, 9)).astype(np.uint8)
        prediction = rng.choice([ROAD, PERSON, CAR], (8, 9)).astype(np.uint8)
        things = rng.integers(0, 3, (8, 9))
        instances = np.select(
            [truth == PERSON, truth == CAR], [24000 + things, 26000 + things], 7
        ).astype(np.uint16)
        image = np.stack([prediction] * 3, -1)
        frames.append(LabelledFrame(image, truth, instances=instances))
        arrays.append((truth, prediction, instances))
    write_labelled_bag(tmp_path / 'cityscapes', frames, 1.0)
    return tmp_path / 'cityscapes', arrays


def score(bags: list[Path], **options: Any) -> dict[str, Any]:
    config = EvaluationConfig(bags, '/camera/image_raw', '/camera/label_truth', **options)
    segmenter: Any = RedSegmenter()
    return evaluate(config, CITYSCAPES, segmenter).to_dict()


def test_a_bag_with_instances_gets_iiou_by_itself(
    cityscapes_bag: tuple[Path, list[tuple[np.ndarray, ...]]],
) -> None:
    bag, arrays = cityscapes_bag
    matrix, scores = (
        ConfusionMatrix(19),
        InstanceScores(CITYSCAPES, categories_for('', CITYSCAPES)),
    )
    for truth, prediction, instances in arrays:
        matrix.update(truth, prediction)
        scores.update(truth, prediction, instances)
    values = score([bag])
    found = values['iiou']
    assert [found['person'], found['car']] == scores.iiou(matrix)[[PERSON, CAR]].tolist()
    assert found['road'] is found['bus'] is None
    assert values['miiou'] == pytest.approx((found['person'] + found['car']) / 2)
    assert list(values['category_iou']) == list(values['category_iiou'])
    defined = {name for name, value in values['category_iiou'].items() if value is not None}
    assert defined == {'human', 'vehicle'}
    assert values['category_miou'] == pytest.approx(
        np.mean([v for v in values['category_iou'].values() if v is not None])
    )


def test_instances_can_be_left_out_or_are_not_there(
    cityscapes_bag: tuple[Path, list[tuple[np.ndarray, ...]]], tmp_path: Path
) -> None:
    bag, arrays = cityscapes_bag
    assert 'iiou' not in score([bag], instance_topics=())
    # One bag of two has no instances.
    truth, prediction, _ = arrays[0]
    frame = LabelledFrame(np.stack([prediction] * 3, -1), truth)
    write_labelled_bag(tmp_path / 'plain', [frame], 1.0)
    values = score([bag, tmp_path / 'plain'])
    assert 'iiou' not in values
    assert 'category_iiou' not in values
    assert 'category_iou' in values


def test_a_bad_instance_image_is_named_by_bag_and_stamp(
    tmp_path: Path, three_classes: LabelSet
) -> None:
    with BagWriter(tmp_path / 'bag') as bag:
        bag.write_image('/image', 10**9, 'c', np.zeros((4, 4, 3), np.uint8))
        bag.write_image('/truth', 10**9, 'c', np.zeros((4, 4), np.uint8))
        bag.write_image('/instances', 10**9, 'c', ids(1))
    config = EvaluationConfig(
        [tmp_path / 'bag'], '/image', '/truth', instance_topics=['/instances']
    )
    segmenter: Any = RedSegmenter()
    text = r'bag, frame of /image with stamp 1\.0+: the instance image is 3x2, but truth is 4x4'
    with pytest.raises(BagError, match=text):
        evaluate(config, three_classes, segmenter)


def test_a_bag_without_such_images_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with BagWriter(tmp_path / 'bag') as bag:
        bag.write_compressed('/instances', 1, 'c', b'')
    opened = []
    monkeypatch.setattr(BagReader, '__exit__', lambda self, *_: opened.remove(self))
    enter = BagReader.__enter__
    monkeypatch.setattr(BagReader, '__enter__', lambda self: opened.append(self) or enter(self))
    for topic in ('/instances', '/nothing'):
        with pytest.raises(BagError, match=topic), InstanceImages(tmp_path / 'bag', topic):
            pass
        assert opened == []
