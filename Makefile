# make demo  the whole ROS graph on a clip; VIDEO=file CAMERA=calibration.yaml RATE=speed are optional
# make test  the test suite; ARGS='-k word' goes to pytest
# make lint  style, types, spelling
# make clean removes everything that these made

.PHONY: demo test setup lint clean

unexport _ROS_WHEELS_BOOTSTRAP_COMPLETE
export PYTHON
export FASTDDS_DEFAULT_PROFILES_FILE ?= $(CURDIR)/config/fastdds.xml
export FASTRTPS_DEFAULT_PROFILES_FILE ?= $(FASTDDS_DEFAULT_PROFILES_FILE)

# With ROS sourced, the messages in .venv come on top of it; without, .venv finds all by itself.
WITH_ROS := $(if $(ROS_DISTRO),. .venv/local_setup.sh &&)

demo: setup
	$(WITH_ROS) .venv/bin/diffpose demo --out demo_out \
		$(if $(VIDEO),--video '$(VIDEO)') $(if $(CAMERA),--camera '$(CAMERA)') $(if $(RATE),--rate $(RATE))

setup:
	@tools/setup

test:
	@tools/setup --dev
	$(WITH_ROS) .venv/bin/python -m pytest $(ARGS)

lint:
	@tools/setup --dev
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/codespell

clean:
	rm -rf .venv build install log demo_out *.egg-info .pytest_cache .mypy_cache .ruff_cache
