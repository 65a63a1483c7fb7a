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
"""The classes of CamVid and Cityscapes.

CamVid: 32 colour-coded classes (Brostow, Fauqueur, Cipolla 2009), grouped to the 11 of
Sturgess et al. 2009 in the order SegNet made standard. Cityscapes: the 19 training classes.
"""

from spssn_ros.labels.label_set import Color, LabelSet

CAMVID = LabelSet(
    names=(
        'sky',
        'building',
        'pole',
        'road',
        'pavement',
        'tree',
        'sign_symbol',
        'fence',
        'car',
        'pedestrian',
        'bicyclist',
    ),
    palette=(
        (128, 128, 128),
        (128, 0, 0),
        (192, 192, 128),
        (128, 64, 128),
        (0, 0, 192),
        (128, 128, 0),
        (192, 128, 128),
        (64, 64, 128),
        (64, 0, 128),
        (64, 64, 0),
        (0, 128, 192),
    ),
)

CAMVID_VOID = 11
"""Id of unlabelled pixels in CamVid's 11-class index labels."""

CITYSCAPES = LabelSet(
    names=(
        'road',
        'sidewalk',
        'building',
        'wall',
        'fence',
        'pole',
        'traffic light',
        'traffic sign',
        'vegetation',
        'terrain',
        'sky',
        'person',
        'rider',
        'car',
        'truck',
        'bus',
        'train',
        'motorcycle',
        'bicycle',
    ),
    palette=(
        (128, 64, 128),
        (244, 35, 232),
        (70, 70, 70),
        (102, 102, 156),
        (190, 153, 153),
        (153, 153, 153),
        (250, 170, 30),
        (220, 220, 0),
        (107, 142, 35),
        (152, 251, 152),
        (70, 130, 180),
        (220, 20, 60),
        (255, 0, 0),
        (0, 0, 142),
        (0, 0, 70),
        (0, 60, 100),
        (0, 80, 100),
        (0, 0, 230),
        (119, 11, 32),
    ),
)

CITYSCAPES_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
"""The labelIds value of each of the 19 training classes, in their order."""

# Original CamVid colour -> (its name, its class of the 11; None is void).
CAMVID_32: dict[Color, tuple[str, str | None]] = {
    (64, 128, 64): ('Animal', 'pedestrian'),
    (192, 0, 128): ('Archway', 'building'),
    (0, 128, 192): ('Bicyclist', 'bicyclist'),
    (0, 128, 64): ('Bridge', 'building'),
    (128, 0, 0): ('Building', 'building'),
    (64, 0, 128): ('Car', 'car'),
    (64, 0, 192): ('CartLuggagePram', 'pedestrian'),
    (192, 128, 64): ('Child', 'pedestrian'),
    (192, 192, 128): ('Column_Pole', 'pole'),
    (64, 64, 128): ('Fence', 'fence'),
    (128, 0, 192): ('LaneMkgsDriv', 'road'),
    (192, 0, 64): ('LaneMkgsNonDriv', 'road'),
    (128, 128, 64): ('Misc_Text', 'sign_symbol'),
    (192, 0, 192): ('MotorcycleScooter', 'bicyclist'),
    (128, 64, 64): ('OtherMoving', 'car'),
    (64, 192, 128): ('ParkingBlock', 'pavement'),
    (64, 64, 0): ('Pedestrian', 'pedestrian'),
    (128, 64, 128): ('Road', 'road'),
    (128, 128, 192): ('RoadShoulder', 'pavement'),
    (0, 0, 192): ('Sidewalk', 'pavement'),
    (192, 128, 128): ('SignSymbol', 'sign_symbol'),
    (128, 128, 128): ('Sky', 'sky'),
    (64, 128, 192): ('SUVPickupTruck', 'car'),
    (0, 0, 64): ('TrafficCone', 'pole'),
    (0, 64, 64): ('TrafficLight', 'sign_symbol'),
    (192, 64, 128): ('Train', 'car'),
    (128, 128, 0): ('Tree', 'tree'),
    (192, 128, 192): ('Truck_Bus', 'car'),
    (64, 0, 64): ('Tunnel', 'building'),
    (192, 192, 0): ('VegetationMisc', 'tree'),
    (0, 0, 0): ('Void', None),
    (64, 192, 0): ('Wall', 'building'),
}
