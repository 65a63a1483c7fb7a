#!/usr/bin/env bash
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
# Creates the virtual environment and fills it; `make` calls it, once a step.
#
#   scripts/setup.sh create DIRECTORY          the environment, with PYTHON (default python3)
#   scripts/setup.sh requirements DIRECTORY    pinned packages; ROS wheels unless ROS is sourced
#   scripts/setup.sh package DIRECTORY         this package, built by colcon into the environment
set -euo pipefail

step=$1
venv=$2
source_dir=$(cd "$(dirname "$0")/.." && pwd)
cd "$source_dir"

say() { printf '%s\n' "$*"; }
fail() {
  printf 'setup: %s\n' "$*" >&2
  exit 2
}

# Runs a command without its output, unless it fails.
quietly() {
  log=$(mktemp)
  # Also where Ctrl-C ends it.
  trap 'rm -f "$log"' EXIT
  if ! "$@" >"$log" 2>&1 </dev/null; then
    cat "$log" >&2
    fail "this command failed: $*"
  fi
  rm -f "$log"
}

create() {
  local python=${PYTHON:-python3} options=()
  # Images of ROS name it in every shell, and source it in the first only.
  [ -z "${ROS_DISTRO:-}" ] || [ -n "${AMENT_PREFIX_PATH:-}" ] ||
    fail "ROS_DISTRO is $ROS_DISTRO but no installation is sourced; run:" \
      "source /opt/ros/$ROS_DISTRO/setup.bash, or unset ROS_DISTRO to take the ROS wheels"
  [ -n "${ROS_DISTRO:-}" ] || [ "$(uname -sm)" = 'Linux x86_64' ] ||
    fail "the ROS wheels exist for x86-64 Linux, and this is $(uname -sm); source a ROS 2" \
      "installation, or take the commands without nodes: pip install '.[tools]'"
  command -v "$python" >/dev/null || fail "'$python' is not found; name a Python with PYTHON=..."
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    fail "'$python' is $("$python" -V 2>&1), and 3.10 or later is needed; name one with PYTHON=..."
  [ -n "${ROS_DISTRO:-}" ] || "$python" -c 'import sys; sys.exit(sys.version_info >= (3, 14))' ||
    fail "'$python' is $("$python" -V 2>&1), but the ROS wheels exist for 3.10 to 3.13;" \
      "name one of those with PYTHON=..."
  "$python" -c 'import venv, ensurepip' 2>/dev/null ||
    fail "'$python' has no venv module; install it (Debian, Ubuntu: apt install python3-venv)"
  say "[1/3] creating ${venv##*/} with $("$python" -V)"
  # The packages of a ROS installation stay visible.
  [ -z "${ROS_DISTRO:-}" ] || options+=(--system-site-packages)
  # An environment that was moved or half made cannot be repaired: its scripts name the old place.
  [[ "$(head -n 1 "$venv/bin/pip" 2>/dev/null)" = "#!$venv/bin/python"* ]] || rm -rf "$venv"
  quietly "$python" -m venv "${options[@]}" "$venv"
}

requirements() {
  local names=(base build dev reference) options=(-c requirements/constraints.txt)
  if [ -n "${ROS_DISTRO:-}" ]; then
    say "[2/3] installing Python packages beside ROS 2 $ROS_DISTRO (minutes the first time)"
    "$venv/bin/python" -c 'import cv2, cv_bridge, matplotlib, numpy, rclpy, sensor_msgs, yaml' ||
      fail "the ROS installation lacks a package (see above); run:" \
        "rosdep install --from-paths . --ignore-src"
    # ROS was compiled against this NumPy: nothing may replace it.
    "$venv/bin/python" -c 'import numpy; print(f"numpy=={numpy.__version__}")' >"$venv/numpy.txt"
    options+=(-c "$venv/numpy.txt")
  else
    say "[2/3] installing Python packages (minutes the first time)"
    names=("ros-${ROS_WHEELS:-kilted}" system "${names[@]}")
  fi
  for name in "${names[@]}"; do
    [ -f "requirements/$name.txt" ] || fail "there is no requirements/$name.txt"
    # See the file.
    [ "$name" != reference ] || options+=(--no-deps)
    say "      requirements/$name.txt, $(grep -c == "requirements/$name.txt") packages"
    quietly "$venv/bin/python" -m pip install --disable-pip-version-check \
      "${options[@]}" -r "requirements/$name.txt"
  done
}

package() {
  say "[3/3] building the package with colcon"
  # Modules that are gone from the source must not live on in the installed copy.
  rm -rf "$venv"/colcon "$venv"/lib/spssn_ros "$venv"/share/spssn_ros \
    "$venv"/lib/python*/site-packages/spssn_ros{,-*}
  # The environment is the install prefix: `import`, `ros2 run` and the ament index agree.
  quietly "$venv/bin/colcon" --log-base "$venv/colcon/log" build --paths . --merge-install \
    --build-base "$venv/colcon/build" --install-base "$venv" --event-handlers console_direct+
  for executable in "$venv"/lib/spssn_ros/*; do
    ln -sf "../lib/spssn_ros/${executable##*/}" "$venv/bin/${executable##*/}"
  done
}

case $step in
  create | requirements | package) "$step" ;;
  *) fail "unknown step '$step'; it is create, requirements or package" ;;
esac
