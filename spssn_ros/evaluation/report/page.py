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
"""The report as one HTML page that needs no other file, no network and no script."""

import base64
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import jinja2
import numpy as np

from spssn_ros import __version__
from spssn_ros.bags.stamps import stamp_text
from spssn_ros.evaluation.report import figures, rows
from spssn_ros.evaluation.report.about import About
from spssn_ros.evaluation.report.compare import short_names
from spssn_ros.evaluation.report.figures import Scheme
from spssn_ros.evaluation.report.gallery import RIGHT, UNSCORED, WRONG, Gallery, Picture, Shown
from spssn_ros.evaluation.report.timeline import Source
from spssn_ros.evaluation.result import EvaluationResult
from spssn_ros.imaging import Painter, encode_png
from spssn_ros.labels import Color, LabelSet
from spssn_ros.models import WeightsInfo

_SPELLING = {'miou': 'mIoU', 'iou': 'IoU', 'iiou': 'iIoU', 'miiou': 'mean iIoU'}

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LONG_SIDE = 640
"""Pixels to which pictures are scaled down, so that a page stays a few megabytes."""

_NOTHING = '\N{EN DASH}'
_WEAKEST = 3
"""Classes named under a frame."""


@dataclass(frozen=True)
class _Drawing:
    light: str
    dark: str


@dataclass(frozen=True)
class _Frame:
    where: str
    stamp: str
    score: float
    wrong: float
    weakest: Sequence[tuple[str, float]]
    panes: Mapping[str, str]


def render(result: EvaluationResult, gallery: Gallery, about: About) -> str:
    """Return the page. Every text on it is escaped, wherever it comes from."""
    painter = Painter(result.label_set)
    curves = gallery.timeline.curves

    def show(frame: Shown) -> _Frame:
        source = ', '.join(part for part in (frame.source.bag, frame.source.topic) if part)
        panes = {name: _data_uri(pane, name) for name, pane in frame.panes(painter).items()}
        weakest = _weakest(frame, result.label_set)
        return _Frame(source, stamp_text(frame.stamp_ns), frame.score, frame.wrong, weakest, panes)

    return _template().render(
        version=__version__,
        title=_title(list(curves)),
        inputs=_inputs(list(curves), about.truth_topic),
        about=about,
        result=result,
        values=result.to_dict(),
        absent=result.matrix.absent(result.label_set.names),
        headline=rows.headline(result, about.compared),
        further_columns=rows.further_columns(result),
        further_figures=rows.further_figures(result),
        further_groups=rows.further_groups(result),
        rows=rows.rows(result, about.compared),
        mean=rows.mean_row(result, about.compared),
        unknown=bool(result.matrix.unknown.any()),
        confusion=_drawing(lambda scheme: figures.confusion_figure(result, scheme)),
        reliability=_reliability(result),
        timeline=_drawing(lambda scheme: figures.timeline_figure(gallery, scheme)),
        window_s=max((curve.window_ns for curve in curves.values()), default=0) / 1e9,
        worst=[show(frame) for frame in gallery.worst],
        median=[show(frame) for frame in gallery.median],
        median_score=gallery.median_score(),
        legend=list(zip(result.label_set.names, result.label_set.palette, strict=True)),
        error_legend=[('wrong', WRONG), ('right', RIGHT), ('not scored', UNSCORED)],
        weights=list(_weights(about.info)) if about.info else [],
        machine=[(key, value) for key, value in about.run.machine.items() if value is not None],
    )


def _reliability(result: EvaluationResult) -> _Drawing | None:
    calibration = result.calibration
    if calibration is None:
        return None
    return _drawing(lambda scheme: figures.reliability_figure(calibration, scheme))


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=_printable,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        'percent': _percent,
        'score': _score,
        'rgb': _rgb,
        'words': _words,
    }
    return environment.get_template('page.html.jinja')


def _printable(value: Any) -> Any:
    """Replace what no browser shows, or UTF-8 cannot hold, in texts of foreign origin."""
    # What a macro returned is escaped already.
    if not isinstance(value, str) or hasattr(value, '__html__'):
        return value
    return ''.join(
        c if c.isprintable() or c == '\n' else '\N{REPLACEMENT CHARACTER}' for c in value
    )


def _title(sources: Sequence[Source]) -> str:
    bags = short_names(source.bag for source in sources if source.bag)
    names = list(bags.values()) or _known(source.topic for source in sources)
    shown = ', '.join(names[:3])
    return shown + (f' and {len(names) - 3} more' if len(names) > 3 else '')


def _inputs(sources: Sequence[Source], truth_topic: str) -> dict[str, list[str]]:
    return {
        'bags': _known(source.bag for source in sources),
        'scored topics': _known(source.topic for source in sources),
        'truth topic': _known([truth_topic]),
    }


def _known(texts: Iterable[str]) -> list[str]:
    return [text for text in dict.fromkeys(texts) if text]


def _percent(value: float | None, digits: int = 1) -> str:
    return _NOTHING if value is None or math.isnan(value) else f'{value * 100:.{digits}f}'


def _score(value: Any) -> str:
    """Return a value of an unforeseen kind: fractions in per cent, anything else as it is."""
    if value is None:
        return _NOTHING
    if isinstance(value, float):
        return f'{value * 100:.1f} %' if 0 <= value <= 1 else f'{value:.4g}'
    return str(value)


def _words(key: str) -> str:
    """Return a key of the evaluation JSON as people write it."""
    return ' '.join(_SPELLING.get(word, word) for word in key.split('_'))


def _rgb(color: Color) -> str:
    return f'rgb({color[0]} {color[1]} {color[2]})'


def _weakest(frame: Shown, label_set: LabelSet) -> list[tuple[str, float]]:
    """Return the classes of the frame's truth with the lowest IoU."""
    known = [
        (value, name)
        for name, value in zip(label_set.names, frame.iou, strict=True)
        if not math.isnan(value)
    ]
    return [(name, value) for value, name in sorted(known)[:_WEAKEST]]


def _weights(info: WeightsInfo) -> Iterator[tuple[str, str]]:
    """Yield what weights say of themselves; classes and palette are on the page already."""
    width, height = info.input_size
    yield 'model', info.model
    yield 'trained at', f'{width} x {height} pixels'
    for name in ('mean', 'std'):
        yield f'normalisation {name}', ', '.join(map(str, getattr(info.normalisation, name)))
    yield 'temperature', f'{info.temperature:.4g}'
    for name in ('options', 'recipe', 'scores'):
        yield from _flat(name, getattr(info, name))
    yield 'licence', info.licence or _NOTHING


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(f'{name} {key}', inner)
    elif isinstance(value, (list, tuple)):
        yield name, ', '.join(map(str, value))
    else:
        yield name, str(value)


def _drawing(draw: Callable[[Scheme], 'Figure']) -> _Drawing:
    def uri(scheme: Scheme) -> str:
        return _as_uri('image/svg+xml', figures.to_svg(draw(scheme)))

    return _Drawing(uri(Scheme.LIGHT), uri(Scheme.DARK))


def _data_uri(picture: Picture, name: str) -> str:
    height, width = picture.shape[:2]
    scale = _LONG_SIDE / max(height, width)
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        # Colours of classes must not mix.
        how = cv2.INTER_AREA if name == 'image' else cv2.INTER_NEAREST_EXACT
        picture = np.asarray(cv2.resize(picture, size, interpolation=how), np.uint8)
    if name != 'image':
        return _as_uri('image/png', encode_png(picture))
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    jpeg = cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, 88])[1]
    return _as_uri('image/jpeg', jpeg.tobytes())


def _as_uri(kind: str, data: bytes) -> str:
    return f'data:{kind};base64,{base64.b64encode(data).decode()}'
