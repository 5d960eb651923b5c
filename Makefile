# demo, test, check, bench, clean: each does all of its own set-up, and the second run does none of it again.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

# What a reader may add: make demo DEMO="--keep", make test TEST="tests/uapi -k codec", make bench BENCH="--rounds 5"
DEMO  ?=
TEST  ?=
BENCH ?=

TEST_PACKAGES := wireguard-tools wireguard-go iperf3 iputils-ping iproute2 nftables iptables conntrack tcpdump \
	procps qemu-system-x86 busybox-static linux-image-cloud cpio kmod ncat
BENCH_PACKAGES := wireguard-tools wireguard-go iperf3 iproute2

# The floor holds for the whole run only; a part of the tests covers a part of the code.
COVERAGE := $(if $(TEST),,--cov --cov-config=pyproject.toml --cov-report=term:skip-covered)

.PHONY: demo test check bench clean test-packages bench-packages

demo: $(VENV)/.ready
	@$(BIN)/pywg demo $(DEMO)

test: $(VENV)/.ready-dev test-packages
	$(BIN)/pytest $(COVERAGE) $(TEST)

check: $(VENV)/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.ready bench-packages
	@$(BIN)/python -m bench $(BENCH)

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage htmlcov bench/results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

test-packages:
	@tools/debian-packages $(TEST_PACKAGES)

bench-packages:
	@tools/debian-packages $(BENCH_PACKAGES)

# A plain path in site-packages, not setuptools' import hook: the hook costs each start of Python 20 ms, and the
# daemon starts twice (measured: 0.295 s with it, 0.258 s without).
EDITABLE := --config-settings editable_mode=compat --editable

# The stamps lie in the environment they speak of, so that removing it removes them.
$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "pywg needs Python 3.11 or newer; $(PYTHON) is not (or is not there). Try: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || tools/debian-packages python3-venv
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.ready: pyproject.toml | $(VENV)/.python
	$(BIN)/pip install --quiet --disable-pip-version-check $(EDITABLE) .
	@touch $@

$(VENV)/.ready-dev: pyproject.toml | $(VENV)/.ready
	$(BIN)/pip install --quiet --disable-pip-version-check $(EDITABLE) '.[dev]'
	@touch $@
