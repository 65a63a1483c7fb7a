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
"""The report's folder."""

import csv
import io
import re
from pathlib import Path

import numpy as np

from spssn_ros.evaluation.report import figures
from spssn_ros.evaluation.report.about import About
from spssn_ros.evaluation.report.figures import Scheme
from spssn_ros.evaluation.report.gallery import Gallery
from spssn_ros.evaluation.report.page import render
from spssn_ros.evaluation.result import EvaluationResult
from spssn_ros.files import write_whole
from spssn_ros.imaging import Painter, encode_png

_DATA = ('scores.json', 'scores.csv', 'confusion.png')
_CATEGORIES, _PAGE = 'categories.csv', 'index.html'
_STRIP = re.compile(r'(worst|median)_\d+\.png')


def write_report(
    folder: Path, result: EvaluationResult, gallery: Gallery, about: About
) -> list[Path]:
    """Write index.html and, beside it, the data it shows; return the paths.

    The page needs none of the other files: scores.json, scores.csv, confusion.png, and the
    frames in full size as strips of image | truth | prediction | error. Every file is written
    whole, the page last; those of an earlier report that this one has not are removed. If one
    cannot be written, those that were not there before are removed.

    Raises:
        OSError: the folder cannot be made or written to.

    """
    painter = Painter(result.label_set)
    confusion = figures.confusion_figure(result, Scheme.LIGHT)
    scores = result.to_json().encode(), _encoded(_class_csv(result)), figures.to_png(confusion)
    files = dict(zip(_DATA, scores, strict=True))
    if result.categories is not None:
        files[_CATEGORIES] = _encoded(_category_csv(result))
    for kind, frames in (('worst', gallery.worst), ('median', gallery.median)):
        for number, frame in enumerate(frames, start=1):
            strip = np.hstack(list(frame.panes(painter).values()))
            files[f'{kind}_{number}.png'] = encode_png(strip)
    files[_PAGE] = _encoded(render(result, gallery, about))
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    added = [folder / name for name in files if not (folder / name).exists()]
    try:
        for name, data in files.items():
            write_whole(folder / name, data)
    except OSError:
        for path in added:
            path.unlink(missing_ok=True)
        if is_new:
            folder.rmdir()
        raise
    for path in folder.iterdir():
        if _is_report_file(path) and path.name not in files:
            path.unlink()
    return [folder / name for name in files]


def clear_report(folder: Path) -> None:
    """Remove the files of a report from a folder, where there is one; others stay.

    Raises:
        OSError: one cannot be removed.

    """
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if _is_report_file(path):
            path.unlink()


def _encoded(text: str) -> bytes:
    # Names of files need not be UTF-8, nor those of classes in JSON, as of recorded labels.
    return text.encode(errors='backslashreplace')


def _is_report_file(path: Path) -> bool:
    named = path.name in (*_DATA, _CATEGORIES, _PAGE)
    return named or _STRIP.fullmatch(path.name) is not None


def _class_csv(result: EvaluationResult) -> str:
    return _csv(result, 'class', ['iou', 'accuracy', 'iiou'], ['miou', 'class_average', 'miiou'])


def _category_csv(result: EvaluationResult) -> str:
    kinds = ['category_iou', 'category_iiou']
    return _csv(result, 'category', kinds, ['category_miou', 'category_miiou'])


def _csv(result: EvaluationResult, first: str, kinds: list[str], means: list[str]) -> str:
    """Return a row for each name, with its scores of those kinds that there are, and of means."""
    values = result.to_dict()
    kinds = [kind for kind in kinds if kind in values]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow([first, *(kind.removeprefix('category_') for kind in kinds)])
    for name in values[kinds[0]]:
        writer.writerow([name, *(values[kind].get(name) for kind in kinds)])
    writer.writerow(['mean', *(values.get(mean) for mean in means[: len(kinds)])])
    return text.getvalue()
