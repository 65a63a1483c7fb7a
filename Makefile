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
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := bash

ifneq ($(words $(CURDIR)),1)
$(error '$(CURDIR)' contains a space, which virtual environments cannot handle; move the folder)
endif
# Make itself, shells, or lists of folders as in PATH would take the folder's name apart at these.
UNFIT := \ : ; ' " ` & | < > ( ) [ ] * ? % $$ \#
UNFIT := $(foreach character,$(UNFIT),$(findstring $(character),$(CURDIR)))
ifneq ($(strip $(UNFIT)),)
$(error '$(CURDIR)' contains $(firstword $(UNFIT)), which make and virtual environments cannot handle; \
move the folder)
endif

# Options, as in `make test PYTHON=python3.12`.
PYTHON ?= python3
ROS_WHEELS ?= kilted
PYTEST_ARGS ?=
BENCH ?= models engine node
MINUTES ?= 60
JOBS ?= 2
TIMES ?= 1000
PACKAGE ?= imaging
SAMPLE ?= 80
SEED ?= 0
BAG ?=
IMAGE_TOPIC ?=
LABEL_TOPIC ?=
WEIGHTS ?=
export PYTHON ROS_WHEELS

ifeq ($(wildcard requirements/ros-$(ROS_WHEELS).txt),)
$(error ROS_WHEELS is '$(ROS_WHEELS)'; there are \
$(patsubst requirements/ros-%.txt,%,$(wildcard requirements/ros-*.txt)))
endif

# A sourced ROS installation is used as it is; otherwise ROS comes from wheels.
ifdef ROS_DISTRO
VENV := $(CURDIR)/.venv-ros-$(ROS_DISTRO)
else
VENV := $(CURDIR)/.venv$(if $(filter-out kilted,$(ROS_WHEELS)),-$(ROS_WHEELS))
unexport PYTHONPATH AMENT_PREFIX_PATH COLCON_PREFIX_PATH
AMENT_PREFIX_PATH :=
# Set by another environment's ROS wheels when make was started from one of its programs.
ifdef _ROS_WHEELS_BOOTSTRAP_COMPLETE
unexport _ROS_WHEELS_BOOTSTRAP_COMPLETE LD_LIBRARY_PATH
endif
endif
unexport VIRTUAL_ENV PYTHONHOME
BIN := $(VENV)/bin

# What programs started from here see: the environment's executables and ament index.
RUN := PATH='$(BIN)':"$$PATH" \
	AMENT_PREFIX_PATH='$(VENV)$(if $(AMENT_PREFIX_PATH),:$(AMENT_PREFIX_PATH))'

# As one word of the shell, whatever it holds.
quoted = '$(subst ','\'',$(1))'

PACKAGE_FILES := setup.py setup.cfg package.xml \
	$(shell find spssn_ros launch config resource -type f -not -name '*.pyc' -not -name '.*')

.PHONY: help
help:  ## list what make can do
	@echo 'make TARGET [OPTION=VALUE ...]'
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  %-10s%s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo 'Options of every target:'
	@echo '  PYTHON=python3.12     the Python to make the environment with (3.10 to 3.13 for the wheels)'
	@echo '  ROS_WHEELS=jazzy      use the wheels of ROS 2 Jazzy instead of Kilted'
	@echo 'With a ROS 2 installation sourced (ROS_DISTRO is set), that is used instead of wheels.'

.PHONY: setup
setup: $(VENV)/.package  ## create the environment and build the package into it

.PHONY: demo
demo: setup  ## play a bag, segment and score it: [BAG= IMAGE_TOPIC= LABEL_TOPIC= WEIGHTS=]
	@$(RUN) spssn demo --output out/demo \
		$(if $(BAG),--bag $(call quoted,$(BAG))) \
		$(if $(IMAGE_TOPIC),--image-topic $(call quoted,$(IMAGE_TOPIC))) \
		$(if $(LABEL_TOPIC),--label-topic $(call quoted,$(LABEL_TOPIC))) \
		$(if $(WEIGHTS),--weights $(call quoted,$(WEIGHTS)))

.PHONY: test
test: setup  ## run every test, [JOBS=2] files at a time: [PYTEST_ARGS='-k name']
	@# Status 5: there are none, as with -k NAME.
	@$(RUN) python -m pytest -n $(JOBS) --dist loadfile -m 'not alone' $(PYTEST_ARGS) || [ $$? = 5 ]
	@$(RUN) python -m pytest -m alone $(PYTEST_ARGS) || [ $$? = 5 ]

.PHONY: lint
lint: setup  ## check style and types
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) mypy

.PHONY: bench
bench: setup  ## measure speed: [BENCH='models engine node'], JSON into out/bench
	@mkdir -p out/bench
	@set -e; for name in $(BENCH); do \
		$(RUN) spssn benchmark $$name --json out/bench/$$name.json; done

.PHONY: soak
soak: setup  ## trouble a node for [MINUTES=60] and see whether it leaks: out/soak
	@$(RUN) python benchmarks/soak.py --minutes $(MINUTES) --output out/soak

.PHONY: fuzz
fuzz: setup  ## damage bags of every kind [TIMES=1000] times each and read them
	@SPSSN_FUZZ=$(TIMES) $(RUN) python -m pytest test/tools/test_damaged_bags.py $(PYTEST_ARGS)

.PHONY: coverage
coverage: setup  ## run every test and tell which lines and branches none reached: out/coverage
	@mkdir -p out/coverage
	@rm -f out/coverage/.coverage*
	@export COVERAGE_FILE='$(CURDIR)/out/coverage/.coverage'; \
		$(RUN) python -m coverage run -m pytest $(PYTEST_ARGS); status=$$?; \
		$(RUN) python -m coverage combine --quiet && $(RUN) python -m coverage report && \
		exit $$status

.PHONY: mutants
mutants: setup .venv-mutants/.requirements  ## change the code: do tests notice? [PACKAGE=imaging SAMPLE=80 SEED=0]: out/mutants
	@$(RUN) .venv-mutants/bin/python benchmarks/mutants.py --package '$(PACKAGE)' \
		--sample $(SAMPLE) --seed $(SEED) --python '$(BIN)/python' --output out/mutants

.PHONY: overload
overload: setup  ## flood a node with four times what it can do: out/overload
	@$(RUN) python benchmarks/overload.py --output out/overload

.PHONY: clean
clean:  ## remove the environments and everything that was built or written to out/
	rm -rf .venv .venv-* build install log out .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# What makes the mutants wants other versions of some packages than what is tested.
.venv-mutants/.requirements: requirements/mutants.txt
	@$(PYTHON) -m venv .venv-mutants
	@.venv-mutants/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

# A moved or copied environment does not work, so its stamp says where it was made.
ifneq ($(shell cat '$(VENV)/.created' 2>/dev/null),$(VENV))
.PHONY: $(VENV)/.created
endif
$(VENV)/.created:
	@scripts/setup.sh create '$(VENV)'
	@printf '%s\n' '$(VENV)' > $@

$(VENV)/.requirements: $(VENV)/.created $(wildcard requirements/*.txt)
	@scripts/setup.sh requirements '$(VENV)'
	@touch $@

$(VENV)/.package: $(VENV)/.requirements $(PACKAGE_FILES) scripts/setup.sh
	@scripts/setup.sh package '$(VENV)'
	@touch $@
