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
"""The report's page, as a real browser shows it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from chromium import Browser, find_chromium

from spssn_ros.evaluation import ConfusionMatrix
from spssn_ros.evaluation.report import (
    About,
    Gallery,
    Run,
    Source,
    read_earlier,
    write_report,
)
from spssn_ros.evaluation.result import EvaluationResult
from spssn_ros.labels import CITYSCAPES, LabelSet
from spssn_ros.models import Normalisation, WeightsInfo

HOSTILE = '<script>alert(1)</script><img src=x onerror=alert(2)>'
NAMES = (HOSTILE, *CITYSCAPES.names[1:])
LABELS = LabelSet(NAMES, CITYSCAPES.palette)
DASH = '\N{EN DASH}'
SECOND = 10**9
HEIGHT, WIDTH = 60, 90
IMAGE_COLOR = (30, 200, 120)


def write_page(folder: Path, classes: LabelSet = LABELS) -> EvaluationResult:
    """Write the report of two bags with hostile names, beside earlier scores, and live figures."""
    rng = np.random.default_rng(0)
    matrix, gallery = ConfusionMatrix(len(classes)), Gallery(classes)
    frames = 0
    for bag in (f'/bags/{HOSTILE}', '/bags/second'):
        for i in range(12):
            truth = np.zeros((HEIGHT, WIDTH), np.uint8)
            truth[:, WIDTH // 2 :] = 1
            truth[0] = 255
            prediction = truth.copy()
            # Frame 3 of the first bag is all wrong.
            wrong = 1.0 if (frames, i) == (3, 3) else 0.02 * i
            prediction[rng.random(truth.shape) < wrong] = 2
            matrix.update(truth, prediction)
            image = np.full((HEIGHT, WIDTH, 3), IMAGE_COLOR, np.uint8)
            gallery.offer(i * SECOND, image, truth, prediction, Source(bag, f'/{HOSTILE}'))
            frames += 1
    result = EvaluationResult(classes, matrix, frames, 1, 2, 'w', f'cpu {HOSTILE}', 9.5)
    earlier = folder / 'earlier <b>.json'
    values = result.to_dict()
    values['iou'] |= {'sidewalk': values['iou']['sidewalk'] - 0.05, 'building': 0.05}
    earlier.write_text(json.dumps(values))
    result.extra |= {
        'drops': 5,
        'refused': 4,
        'latency_ms': {'p50': 12.5, 'p95': 20.0, 'p99': 31.25},
    }
    result.extra |= {'category_iou': {'<b>flat': 0.5}, 'iiou': {HOSTILE: 0.25}}
    info = WeightsInfo(
        'spssn',
        {},
        classes,
        Normalisation(),
        (480, 360),
        recipe={'data': HOSTILE},
        licence='licence <i>',
    )
    run = Run(f"spssn evaluate '{HOSTILE}' \udcff", f'/{HOSTILE}', {'cpu': HOSTILE, 'gpu': None})
    about = About(run, f'{HOSTILE}.safetensors', info, '/truth', read_earlier([earlier], classes))
    write_report(folder, result, gallery, about)
    return result


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('report')
    write_page(folder)
    return folder


@pytest.fixture(scope='module')
def page(folder: Path) -> Path:
    """The page alone, moved away from the files that lie beside it."""
    alone = folder / 'alone' / 'moved.html'
    alone.parent.mkdir()
    alone.write_bytes((folder / 'index.html').read_bytes())
    return alone


@pytest.fixture(scope='module')
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = find_chromium()
    if program is None:
        pytest.skip('no Chromium; install the package chromium to look at the page')
    with Browser(program, tmp_path_factory.mktemp('profile')) as browser:
        yield browser


def texts(browser: Browser, selector: str) -> list[str]:
    quoted = json.dumps(selector)
    found = browser.evaluate(f'[...document.querySelectorAll({quoted})].map(e => e.innerText)')
    return [' '.join(text.split()) for text in found]


def box(browser: Browser, selector: str) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of an element, in pixels of the whole page."""
    quoted = json.dumps(selector)
    x, y, width, height = browser.evaluate(
        f'(r => [r.x + scrollX, r.y + scrollY, r.width, r.height])'
        f'(document.querySelector({quoted}).getBoundingClientRect())'
    )
    return round(x), round(y), round(x + width), round(y + height)


@pytest.mark.parametrize('width', [1280, 400])
@pytest.mark.parametrize('dark', [False, True], ids=['light', 'dark'])
def test_the_page_stands_alone_and_fits_the_screen(
    browser: Browser, page: Path, width: int, dark: bool
) -> None:
    browser.show(page, width, dark)
    assert browser.requests() == [page.resolve().as_uri()]
    assert browser.evaluate('document.documentElement.scrollWidth') == width
    loaded = browser.evaluate('[...document.images].map(i => i.complete && i.naturalWidth)')
    # Two drawings, and four panes of four worst and four median frames.
    assert len(loaded) == 2 + 4 * 8
    assert all(loaded)
    shot = browser.screenshot()
    assert shot.shape[1] == width
    assert shot.shape[0] > 2000
    paper = shot[5, 5].astype(int)
    assert paper.mean() < 60 if dark else paper.mean() > 240
    # Neither blank nor text alone: rows of pixels that differ from the paper are everywhere.
    inked = (np.abs(shot.astype(int) - paper).max(2) > 40).any(1)
    assert inked.mean() > 0.4


@pytest.mark.parametrize('width', [1280, 400])
def test_panes_show_image_truth_prediction_and_error(
    browser: Browser, page: Path, width: int
) -> None:
    browser.show(page, width)
    shot = browser.screenshot()
    colors = {}
    for number, name in enumerate(('image', 'truth', 'prediction', 'error'), start=1):
        selector = f'#worst-1 .panes > div:nth-child({number}) img'
        left, top, right, bottom = box(browser, selector)
        assert 0 <= left < right <= width
        middle = (top + bottom) // 2
        colors[name] = shot[middle, (3 * left + right) // 4], shot[middle, (left + 3 * right) // 4]
    np.testing.assert_allclose(colors['image'], [IMAGE_COLOR] * 2, atol=4)
    np.testing.assert_array_equal(colors['truth'], LABELS.palette[:2])
    np.testing.assert_array_equal(colors['prediction'], [LABELS.palette[2]] * 2)
    np.testing.assert_array_equal(colors['error'], [(220, 30, 30)] * 2)
    assert '0.0 % mIoU 100.0 % of pixels wrong' in texts(browser, '#worst-1 figcaption')[0]
    assert 'stamp 3.000000000, /bags/' in texts(browser, '#worst-1 figcaption')[0]
    # On the phone the panes stand two by two.
    tops = {box(browser, f'#worst-1 .panes > div:nth-child({n})')[1] for n in range(1, 5)}
    assert len(tops) == (1 if width > 1000 else 2)


def test_the_legend_and_the_drawings_have_the_palette_s_colours(
    browser: Browser, page: Path
) -> None:
    browser.show(page, 1280)
    shot = browser.screenshot()
    for number, color in enumerate(LABELS.palette, start=1):
        left, top, right, bottom = box(browser, f'.legend li:nth-child({number}) .swatch')
        np.testing.assert_array_equal(shot[(top + bottom) // 2, (left + right) // 2], color)

    def drawing(selector: str) -> np.ndarray:
        left, top, right, bottom = box(browser, selector)
        assert right - left > 500
        return shot[top:bottom, left:right].astype(int)

    # Cells of the matrix: dark where classes are found, most are empty.
    blue = drawing('.matrix img')[..., 2] - drawing('.matrix img')[..., 0]
    assert 0.001 < (blue > 60).mean() < 0.02
    # Both bags' curves, and circles around the worst frames.
    for color in ((0x0B, 0x6B, 0xB8), (0xC7, 0x5B, 0x12), (0xC6, 0x28, 0x28)):
        near = np.abs(drawing('.timeline img') - color).max(2) < 12
        assert near.sum() > 20, color


def test_what_comes_from_bags_and_files_is_shown_as_text(browser: Browser, page: Path) -> None:
    browser.show(page, 1280)
    assert browser.evaluate("document.querySelectorAll('script, [onerror], iframe').length") == 0
    assert not any(event['method'] == 'Page.javascriptDialogOpening' for event in browser.events)
    assert texts(browser, 'h1') == [HOSTILE.rpartition('/')[2] + ', second']
    assert texts(browser, '.scores tbody th')[0] == HOSTILE
    assert f'/bags/{HOSTILE}, /{HOSTILE}' in texts(browser, '#worst-1 figcaption')[0]
    assert texts(browser, 'pre') == [f"spssn evaluate '{HOSTILE}' \N{REPLACEMENT CHARACTER}"]
    browser.evaluate("document.querySelector('details').open = true")
    facts = texts(browser, '.facts td')
    for text in (f'/{HOSTILE}', f'cpu {HOSTILE}', 'licence <i>'):
        assert text in facts
    # Should something get past that, the page forbids scripts and everything from elsewhere.
    browser.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<img src=x.png onerror=\"window.bad=1\">')"
    )
    assert browser.evaluate('new Promise(done => setTimeout(() => done(window.bad), 200))') is None
    assert browser.evaluate('document.images[document.images.length - 1].naturalWidth') == 0


def test_scores_stand_beside_earlier_ones(browser: Browser, page: Path) -> None:
    browser.show(page, 1280)
    head = texts(browser, 'section:nth-of-type(2) thead tr:first-child th')
    assert head == ['against earlier <b>.json']
    lines = "[...document.querySelectorAll('.scores tbody tr')]"
    read = f'{lines}.map(line => [...line.cells].map(cell => cell.innerText.trim()))'
    table = {row[0]: row[1:] for row in browser.evaluate(read)}
    iou, _, accuracy, share, _, before, change, *_ = table['sidewalk']
    assert float(iou) - float(before) == pytest.approx(5, abs=0.11)
    assert change == '+5.0▲'
    assert float(accuracy) <= 100
    assert float(share) == pytest.approx(50)
    # Worse is told by sign and arrow, not by colour alone; a class that is nowhere by a dash.
    assert table['building'][6] == '\N{MINUS SIGN}5.0▼'
    assert table['train'][:7] == [DASH, '', DASH, '0.00', DASH, DASH, DASH]
    assert table[HOSTILE][4] == '25.0'
    assert table['<b>flat'] == ['50.0 %']
    cells = "[...document.querySelectorAll('.scores tbody td')]"
    aligned = browser.evaluate(f'{cells}.map(cell => getComputedStyle(cell).textAlign)')
    assert set(aligned) == {'right'}
    bars = browser.evaluate(
        "[...document.querySelectorAll('.bar span')].map(b => b.style.getPropertyValue('--share'))"
    )
    assert bars[1] == f'{float(iou) / 100:.4f}'[:4] + bars[1][4:]


def test_the_key_figures_are_there(browser: Browser, page: Path) -> None:
    browser.show(page, 1280)
    figures = texts(browser, '.figure')
    for text in ('frames per second 9.5', 'dropped frames 5', 'latency p99 31.2 ms'):
        assert text in figures
    assert (
        'frames 24 unmatched: 1 images, 2 truth images '
        'refused: 4 pairs that could not be scored' in figures
    )
    assert re.fullmatch(r'mIoU \d\d\.\d ?% 0\.0 against earlier <b>\.json', figures[0])


def test_nothing_scored_makes_a_page_too(
    browser: Browser, tmp_path: Path, three_classes: LabelSet
) -> None:
    result = EvaluationResult(three_classes, ConfusionMatrix(3))
    info = WeightsInfo('spssn', {}, three_classes, Normalisation(), (96, 64))
    about = About(Run('spssn', '/', {}), 'w', info)
    write_report(tmp_path, result, Gallery(three_classes), about)
    browser.show(tmp_path / 'index.html', 400)
    assert texts(browser, 'h1') == ['No frame scored']
    assert texts(browser, '.figure')[0] == f'mIoU {DASH} %'


def test_a_page_of_large_frames_stays_small(tmp_path: Path, three_classes: LabelSet) -> None:
    rng = np.random.default_rng(0)
    gallery = Gallery(three_classes)
    for i in range(8):
        image = np.kron(
            rng.integers(0, 256, (32, 64, 3), np.uint8), np.ones((32, 32, 1), np.uint8)
        )
        labels = np.kron(rng.integers(0, 3, (32, 64), np.uint8), np.ones((32, 32), np.uint8))
        gallery.offer(i * SECOND, image, labels, labels % 2)
    result = EvaluationResult(three_classes, ConfusionMatrix(3))
    info = WeightsInfo('spssn', {}, three_classes, Normalisation(), (96, 64))
    write_report(tmp_path, result, gallery, About(Run('spssn', '/', {}), 'w', info))
    page = (tmp_path / 'index.html').read_text()
    assert len(page) < 2_000_000
    assert page.count('data:image/jpeg') == 8
    assert page.count('data:image/png') == 24
