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
"""`spssn demo`: the main job for real, in processes of their own, over DDS."""

import argparse
import json
import re
import shutil
from pathlib import Path

from spssn_ros.bags.labelled import IMAGE_TOPIC, LABEL_TOPIC, write_street_bag
from spssn_ros.bags.message_types import COMPRESSED_IMAGE_TYPE
from spssn_ros.bags.reader import BagReader
from spssn_ros.errors import BagError, ConfigError
from spssn_ros.evaluation.camera_topic import camera_topic
from spssn_ros.evaluation.report import clear_report
from spssn_ros.files import check_folder_target
from spssn_ros.imaging import write_png
from spssn_ros.models import find_weights
from spssn_ros.synthetic import StreetScene
from spssn_ros.tools.frames import only_camera

_WHICH = 'say which one is the camera with IMAGE_TOPIC= (or --image-topic)'
_STREET_RATE_HZ = 15.0
_OVERLAY = re.compile(r'overlay_\d+\.png')


def add_parser(subparsers: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        'demo',
        help='play a bag, segment it live and score it',
        description='Play a bag over DDS, have segment_node segment it in its own process and '
        'evaluate_node score it, and write pictures. Without --bag, a short synthetic street is '
        'rendered first.',
    )
    parser.add_argument('--bag', type=Path, help='the bag to play')
    parser.add_argument('--image-topic', default='', help='default: the only camera in the bag')
    parser.add_argument(
        '--label-topic', default='', help=f'truth; default: {LABEL_TOPIC}, where the bag has it'
    )
    parser.add_argument(
        '--weights', default='', help='default: spssn_camvid, spssn_street for the synthetic bag'
    )
    parser.add_argument(
        '--output', type=Path, default=Path('out/demo'), help='folder; default: %(default)s'
    )
    parser.add_argument(
        '--rate', type=float, default=1.0, help='speed factor of the bag; default: 1'
    )
    parser.add_argument(
        '--frames',
        type=int,
        default=150,
        help=f'of the synthetic bag, at {_STREET_RATE_HZ:g} Hz; default: %(default)s',
    )
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Run the demo; return the exit status."""
    # Imported here, so that every other subcommand works without ROS.
    from spssn_ros.nodes.demo import DemoJob, play_demo

    if args.bag is None:
        for option, topic, own in (
            ('image', args.image_topic, IMAGE_TOPIC),
            ('label', args.label_topic, LABEL_TOPIC),
        ):
            if topic not in ('', own):
                raise ConfigError(
                    f'--{option}-topic is {topic} but no bag is given; say which bag has it with '
                    'BAG= (or --bag)'
                )
        if args.frames < 1:
            raise ConfigError(f'--frames is {args.frames}; give at least 1')
        bag, weights = args.output / 'street', args.weights or 'spssn_street'
        image_topic, label_topic, compressed = IMAGE_TOPIC, LABEL_TOPIC, False
    else:
        bag, weights = args.bag, args.weights or 'spssn_camvid'
        image_topic, label_topic, compressed = _topics(bag, args.image_topic, args.label_topic)
    find_weights(weights)
    _clear(args.output, args.bag)
    args.output.mkdir(parents=True, exist_ok=True)
    if args.bag is None:
        _render(bag, args.frames)
    job = DemoJob(
        bag=bag,
        image_topic=image_topic,
        label_topic=label_topic,
        compressed=compressed,
        weights=weights,
        rate=args.rate,
        report=args.output / 'report',
        json=args.output / 'scores.json',
    )
    overlays = play_demo(job)
    for number, overlay in enumerate(overlays, start=1):
        write_png(args.output / f'overlay_{number}.png', overlay)
    if label_topic:
        _print_summary(json.loads(job.json.read_text(encoding='utf-8')))
    print(f'pictures in {args.output}: overlay_*.png' + ', report/index.html' * bool(label_topic))
    return 0


def _clear(output: Path, bag: Path | None) -> None:
    """Remove what an earlier demo wrote, and nothing else.

    A run that fails must not show an earlier one's pictures.
    """
    check_folder_target(output)
    report = output / 'report'
    if bag is None:
        _remove_street(output / 'street')
    elif bag.resolve().is_relative_to(report.resolve()):
        raise BagError(f'bag {bag} lies in {report}, which gets the report; give another --output')
    clear_report(report)
    overlays = (path for path in output.glob('*') if _OVERLAY.fullmatch(path.name))
    for path in (output / 'scores.json', *overlays):
        path.unlink(missing_ok=True)


def _remove_street(bag: Path) -> None:
    """Remove the bag that an earlier demo rendered."""
    if not bag.exists():
        return
    own = {'metadata.yaml', f'{bag.name}.mcap'}
    if bag.is_symlink() or not bag.is_dir() or not {path.name for path in bag.iterdir()} <= own:
        raise BagError(
            f'{bag} holds more than the street of an earlier demo; move it away or give another '
            '--output'
        )
    shutil.rmtree(bag)


def _render(bag: Path, frames: int) -> None:
    print(f'[1/3] rendering {frames} frames of a synthetic street into {bag}', flush=True)
    # Training used other seeds, so that this street is new to the network.
    write_street_bag(bag, StreetScene(seed=4), frames, _STREET_RATE_HZ)


def _topics(path: Path, image_topic: str, label_topic: str) -> tuple[str, str, bool]:
    """Return the camera topic, the truth's ('' for none), and whether images are compressed."""
    print(f'[1/3] looking into {path}', flush=True)
    with BagReader(path) as bag:
        if image_topic:
            image_topic = camera_topic(bag, image_topic)
        bag.require(*(topic for topic in (image_topic, label_topic) if topic))
        topics = bag.topics
        if not label_topic and LABEL_TOPIC in topics:
            label_topic = LABEL_TOPIC
        image_topic = image_topic or only_camera(bag, label_topic, _WHICH)
        bag.require_images(*(topic for topic in (image_topic, label_topic) if topic))
    return image_topic, label_topic, topics[image_topic].type == COMPRESSED_IMAGE_TYPE


def _print_summary(scores: dict[str, object]) -> None:
    latency = scores.get('latency_ms', {})
    assert isinstance(latency, dict)
    times = ', '.join(f'{name} {value} ms' for name, value in latency.items())
    print(
        f'live: {scores["frames"]} frames scored at {scores["fps"]} frames/s, '
        f'{scores["drops"]} dropped; latency {times}'
    )
