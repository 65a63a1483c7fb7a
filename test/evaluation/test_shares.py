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
"""Work is dealt without gaps and overlaps, and the parts add up to the whole."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from red_segmenter import RedSegmenter

from spssn_ros.bags.writer import BagWriter
from spssn_ros.errors import BagError
from spssn_ros.evaluation.evaluate import EvaluationConfig, evaluate
from spssn_ros.evaluation.pairing import BagPairs
from spssn_ros.evaluation.result import EvaluationResult
from spssn_ros.evaluation.shares import Share, deal
from spssn_ros.labels import LabelSet

SECOND = 1_000_000_000
WriteBag = Callable[..., Path]


def work(sizes: list[int]) -> list[Share]:
    return [Share(BagPairs(Path(str(i)), '/i', '/l'), size) for i, size in enumerate(sizes)]


@pytest.mark.parametrize(
    'sizes', [[10], [3, 4, 5], [1, 50, 2], [0, 4, 0], [0], [2, 0, 0]], ids=str
)
@pytest.mark.parametrize('count', [1, 2, 3, 7])
def test_every_pair_is_one_process_s(sizes: list[int], count: int) -> None:
    dealt = [deal(work(sizes), rank, count) for rank in range(count)]
    loads = []
    pieces: dict[str, list[tuple[int, int]]] = {str(i): [] for i in range(len(sizes))}
    owners: list[str] = []
    for shares in dealt:
        loads.append(sum(share.last - share.first for share in shares))
        for share in shares:
            pieces[str(share.source.path)].append((share.first, share.last))
            owners += [str(share.source.path)] * share.is_owner
    assert max(loads) - min(loads) <= 1
    assert sorted(owners) == sorted(pieces)
    for size, parts in zip(sizes, pieces.values(), strict=True):
        assert parts[0][0] == 0
        assert parts[-1][1] == size
        assert all(before[1] == after[0] for before, after in pairwise(parts))


def test_a_bag_that_is_another_s_is_not_touched() -> None:
    assert [str(share.source.path) for share in deal(work([5, 5, 5, 5]), 1, 4)] == ['1']


@pytest.fixture
def bags(tmp_path: Path) -> list[Path]:
    """Three bags, of 5, 1 and 4 pairs, with images and truth that have no partner."""
    rng = np.random.default_rng(0)
    paths, number = [], 0
    for name, size in (('a', 5), ('b', 1), ('c', 4)):
        paths.append(tmp_path / name)
        with BagWriter(paths[-1]) as bag:
            for index in range(size):
                stamp = (index + 1) * SECOND
                prediction, truth = rng.integers(0, 3, (2, 6, 8)).astype(np.uint8)
                number += 1
                image = np.stack([prediction, truth * 0, truth * 0 + number], -1).astype(np.uint8)
                bag.write_image('/image', stamp, 'c', image)
                bag.write_image('/truth', stamp, 'c', truth)
                instances = rng.integers(0, 5, (6, 8)).astype(np.uint16)
                bag.write_image('/instances', stamp, 'c', instances)
                bag.write_image('/image', stamp + 7, 'c', image)
            bag.write_image('/truth', 99 * SECOND, 'c', truth)
            bag.write_image('/instances', 99 * SECOND, 'c', instances)
    return paths


@pytest.mark.parametrize(('count', 'workers'), [(2, 0), (3, 2), (12, 1)])
def test_parts_add_up_to_the_whole(
    bags: list[Path], three_classes: LabelSet, count: int, workers: int, tmp_path: Path
) -> None:
    groups = tmp_path / 'groups.yaml'
    groups.write_text('ab: [a, b]\nc: [c]\n')
    config = EvaluationConfig(
        bags,
        '/image',
        '/truth',
        workers=workers,
        instance_topics=['/instances'],
        categories=str(groups),
    )

    def part(rank: int, of: int) -> tuple[EvaluationResult, list[int]]:
        segmenter: Any = RedSegmenter()
        result = evaluate(config, three_classes, segmenter, rank=rank, processes=of)
        return result, [int(rgb[0, 0, 2]) for rgb in segmenter.frames]

    whole, everything = part(0, 1)
    merged, seen = part(0, count)
    for rank in range(1, count):
        other, others_seen = part(rank, count)
        # Truth without an image was counted on too.
        assert abs(len(others_seen) - 10 / count) < 2
        merged.merge(other)
        seen += others_seen
    assert seen == everything == list(range(1, 11))
    assert (whole.frames, whole.unmatched_images, whole.unmatched_labels) == (10, 10, 3)
    expected, found = whole.to_dict(), merged.to_dict()
    assert expected.pop('fps') > 0
    assert found.pop('fps') > 0
    assert found == expected
    assert 0 < expected['miiou'] < 1
    assert 0 < expected['category_miiou'] < 1


@pytest.mark.parametrize('rank', [0, 1])
def test_a_bag_without_a_pair_is_explained_by_its_owner(
    bags: list[Path], three_classes: LabelSet, tmp_path: Path, rank: int
) -> None:
    with BagWriter(tmp_path / 'none') as bag:
        for stamp in (1, 2, 3):
            bag.write_image('/image', stamp, 'c', np.zeros((6, 8, 3), np.uint8))
            bag.write_image('/truth', stamp + 50, 'c', np.zeros((6, 8), np.uint8))
    config = EvaluationConfig([tmp_path / 'none', bags[0]], '/image', '/truth')
    segmenter: Any = RedSegmenter()
    if rank == 0:
        with pytest.raises(BagError, match='none: no stamp is on both /image'):
            evaluate(config, three_classes, segmenter, rank=rank, processes=2)
    else:
        assert evaluate(config, three_classes, segmenter, rank=rank, processes=2).frames == 4
