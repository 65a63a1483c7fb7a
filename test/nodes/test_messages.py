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
"""Arrays and camera facts as ROS messages."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed')
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from spssn_ros.imaging import to_labels, to_rgb
from spssn_ros.nodes.camera import mask_topics
from spssn_ros.nodes.messages import fits, image_message, scaled_camera_info

HEADER = Header(frame_id='front')


def test_images_are_packed_tightly_whatever_their_strides() -> None:
    rgb = np.arange(5 * 8 * 3, dtype=np.uint8).reshape(5, 8, 3)[:, 1:6, ::-1]
    message = image_message(HEADER, rgb)
    assert (message.height, message.width, message.step) == (5, 5, 15)
    assert message.encoding == 'rgb8'
    np.testing.assert_array_equal(to_rgb(message), rgb)
    labels = rgb[..., 0]
    message = image_message(HEADER, labels)
    assert (message.step, message.encoding, len(message.data)) == (5, 'mono8', 25)
    np.testing.assert_array_equal(to_labels(message), labels)
    assert message.header is HEADER


def test_camera_info_scales_with_the_pixels() -> None:
    info = CameraInfo(width=640, height=480)
    info.k[:] = np.array([500.0, 0, 319.5, 0, 510.0, 239.5, 0, 0, 1])
    info.p[:] = np.array([500.0, 0, 319.5, -60.0, 0, 510.0, 239.5, 0, 0, 0, 1, 0])
    info.d = [0.1, -0.2]
    info.roi.x_offset, info.roi.y_offset, info.roi.width, info.roi.height = 40, 60, 320, 240
    before = list(info.k)
    half = scaled_camera_info(info, HEADER, (640, 480), (320, 120))
    assert (half.width, half.height) == (320, 120)
    # The centre of the picture stays its centre: 319.5 of 0..639 is 159.5 of 0..319.
    np.testing.assert_allclose(half.k, [250, 0, 159.5, 0, 127.5, 59.5, 0, 0, 1])
    np.testing.assert_allclose(half.p, [250, 0, 159.5, -30, 0, 127.5, 59.5, 0, 0, 0, 1, 0])
    roi = (half.roi.x_offset, half.roi.y_offset, half.roi.width, half.roi.height)
    assert roi == (20, 15, 160, 60)
    assert list(half.d) == [0.1, -0.2]
    assert half.header is HEADER
    assert list(info.k) == before, 'the original must stay as it is'


def test_camera_info_of_the_right_size_or_without_one_is_only_given_the_header() -> None:
    info = CameraInfo(width=640, height=480)
    info.k[0] = 500.0
    for size, given in (((640, 480), info), ((320, 240), CameraInfo())):
        relayed = scaled_camera_info(given, HEADER, size, size)
        assert (relayed.width, relayed.k[0]) == (given.width, given.k[0])
        assert relayed.header is HEADER


def test_camera_info_that_does_not_fit_stays_within_the_image() -> None:
    info = CameraInfo(width=1, height=2**32 - 1)
    info.roi.x_offset = info.roi.width = info.roi.y_offset = info.roi.height = 2**32 - 1
    scaled = scaled_camera_info(info, HEADER, (640, 480), (640, 480))
    assert (scaled.width, scaled.height) == (640, 480)
    roi = (scaled.roi.x_offset, scaled.roi.y_offset, scaled.roi.width, scaled.roi.height)
    assert roi == (0, 0, 640, 480)


def test_a_region_at_the_edge_does_not_reach_beyond_it_when_rounded() -> None:
    info = CameraInfo(width=8, height=8)
    info.roi.x_offset = info.roi.width = info.roi.y_offset = info.roi.height = 4
    # Half of 3 pixels begins at 1.5 and is 1.5 long.
    scaled = scaled_camera_info(info, HEADER, (8, 8), (3, 3))
    assert (scaled.width, scaled.roi.x_offset, scaled.roi.width) == (3, 1, 2)
    assert (scaled.height, scaled.roi.y_offset, scaled.roi.height) == (3, 1, 2)


def camera_info(binning: int = 0, region: tuple[int, int] = (0, 0)) -> CameraInfo:
    info = CameraInfo(width=1280, height=960, binning_x=binning, binning_y=binning)
    info.k[:] = np.array([1000.0, 0, 639.5, 0, 1000.0, 479.5, 0, 0, 1])
    info.roi.x_offset, info.roi.width, info.roi.height = 100, *region
    return info


@pytest.mark.parametrize(
    ('info', 'frame', 'fitting'),
    [
        (camera_info(), (1280, 960), True),
        (camera_info(), (640, 480), False),
        (camera_info(2), (640, 480), True),
        (camera_info(1), (640, 480), False),
        (camera_info(2, (640, 480)), (320, 240), True),
        (camera_info(0, (640, 480)), (640, 480), True),
        (camera_info(0, (640, 480)), (320, 240), False),
        (CameraInfo(), (640, 480), True),
    ],
)
def test_which_camera_info_fits_an_image(info: CameraInfo, frame: Any, fitting: bool) -> None:
    assert fits(info, frame) == fitting


def test_binning_and_region_stay_what_they_are_when_the_image_is_resized() -> None:
    for info, frame in (
        (camera_info(2), (640, 480)),
        (camera_info(2, (640, 480)), (320, 240)),
    ):
        same = scaled_camera_info(info, HEADER, frame, frame)
        assert (same.width, same.binning_x, same.k[0]) == (1280, 2, 1000)
        half = scaled_camera_info(info, HEADER, frame, (frame[0] // 2, frame[1] // 2))
        assert (half.width, half.height, half.binning_x) == (640, 480, 2)
        np.testing.assert_allclose(half.k, [500, 0, 319.5, 0, 500, 239.5, 0, 0, 1])
        assert (half.roi.x_offset, half.roi.width) == (50, info.roi.width // 2)
        assert fits(half, (frame[0] // 2, frame[1] // 2))


@pytest.mark.filterwarnings('error')
def test_a_huge_calibration_stays_within_its_fields() -> None:
    info = CameraInfo(width=2**32 - 1, height=2**32 - 1)
    info.roi.width = info.roi.height = 5
    info.k[0] = 1e308
    scaled = scaled_camera_info(info, HEADER, (5, 5), (500, 500))
    assert (scaled.width, scaled.roi.width) == (2**32 - 1, 500)


def test_mask_topics_are_names_that_ros_allows() -> None:
    assert mask_topics(('road', 'traffic light', '2nd')) == {
        'road': 'road',
        'traffic light': 'traffic_light',
        '2nd': '_2nd',
    }


def test_classes_whose_names_ros_forbids_have_a_mask_topic_each() -> None:
    assert mask_topics(('道路', 'sky', 'a b', 'a/b', '2')) == {
        '道路': '_0',
        'sky': 'sky',
        'a b': 'a_b_2',
        'a/b': 'a_b_3',
        '2': '_2',
    }
