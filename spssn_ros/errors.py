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
"""The package's exceptions: each message quotes the offending value and says what to do."""


class SpssnError(Exception):
    """Base of every error a user can cause or mend; commands print it in one line, exit 2."""

    def __str__(self) -> str:
        # Names of files may hold line breaks.
        return super().__str__().replace('\n', r'\n')


class BadImageError(SpssnError, ValueError):
    """One frame cannot be used (encoding, shape, data length); the next one may be fine."""


class BagError(SpssnError):
    """A bag is missing, damaged, or lacks the topic asked for."""


class ConfigError(SpssnError, ValueError):
    """A parameter, option or configuration file holds a value that cannot be used."""


class DatasetError(SpssnError):
    """A data set's folder or one of its files is missing or not as expected."""


class WeightsError(SpssnError):
    """A weights file is missing, is not one, or does not fit the network it names."""


class DeviceError(SpssnError):
    """The device or inference backend asked for is not available."""


class TrainingError(SpssnError):
    """A training run cannot go on: its loss is no number, or memory is out."""


class GpuMemoryError(DeviceError):
    """The GPU has too little memory left for the network or a frame."""


def one_line(text: object, most: int | None = None) -> str:
    """Return what libraries say over many lines on one, cut off after `most` characters."""
    return ' '.join(str(text).split())[:most]


def without_frames(error: Exception) -> Exception:
    """Return the error, stripped of where it was raised, to be kept.

    Its traceback holds the frames it passed through and all they worked on, the network too. Where
    one of these frames holds the error, only the garbage collector frees them, minutes later.
    """
    error.__traceback__ = error.__cause__ = error.__context__ = None
    return error
