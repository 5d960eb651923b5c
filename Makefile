# demo, test, check, bench, clean: each does all of its own set-up, and the second run does none of it again.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

# What a reader may add: make demo DEMO="--keep", make test TEST="tests/uapi -k codec", make bench BENCH="--rounds 5"
DEMO  ?=
TEST  ?=
BENCH ?=

# The native engine. Unset: built where there is cargo; yes: must be built; no: not built. See setup.py.
PYWG_BUILD_NATIVE ?=
export PYWG_BUILD_NATIVE
NATIVE := setup.py native/Cargo.toml native/Cargo.lock $(wildcard native/src/*.rs native/src/*/*.rs)

# The stamp's name tells what it was made with: who installs Rust later has the native engine with the next `make`.
READY := $(VENV)/.ready-$(or $(PYWG_BUILD_NATIVE),$(if $(shell command -v cargo),with-cargo,without-cargo))

TEST_PACKAGES := wireguard-tools wireguard-go iperf3 iputils-ping iproute2 nftables iptables conntrack tcpdump \
	procps qemu-system-x86 busybox-static linux-image-cloud cpio kmod ncat \
	zsh fish man-db
BENCH_PACKAGES := wireguard-tools wireguard-go iperf3 iproute2 openvpn openssl

# The floor holds for the whole run only; a part of the tests covers a part of the code.
COVERAGE := $(if $(TEST),,--cov --cov-config=pyproject.toml --cov-report=term:skip-covered)

.PHONY: demo test check bench clean test-packages bench-packages

demo: $(READY)
	@$(BIN)/pywg demo $(DEMO)

# Rust without the binding to Python: its tests need none. A part of the tests is a part of pytest's.
test: $(VENV)/.dev test-packages
	$(if $(TEST),,@tools/cargo test --locked --no-default-features)
	$(BIN)/pytest $(COVERAGE) $(TEST)

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@tools/stubtest $(BIN)/python
	@tools/cargo fmt --check
	@PYO3_PYTHON=$(CURDIR)/$(BIN)/python3 tools/cargo clippy --all-targets --locked -- -D warnings
	@tools/cargo clippy --all-targets --locked --no-default-features -- -D warnings

bench: $(READY) bench-packages
	@$(BIN)/python -m bench $(BENCH)

clean:
	rm -rf $(VENV) build dist native/target *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage \
		htmlcov bench/results
	rm -f pywg/_native.*.so pywg/_native_absent.txt
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

$(READY): pyproject.toml $(NATIVE) | $(VENV)/.python
	@case $@ in *-yes|*-with-cargo) echo "[#] building the native engine; the first time it takes a minute" ;; esac
	$(BIN)/pip install --quiet --disable-pip-version-check $(EDITABLE) .
	@mkdir -p $(VENV)/share/man/man8 && ln -sf ../../../../pywg/share/pywg.8 $(VENV)/share/man/man8/
	@rm -f $(VENV)/.ready-*
	@$(BIN)/pywg --version
	@touch $@

$(VENV)/.dev: pyproject.toml | $(READY)
	$(BIN)/pip install --quiet --disable-pip-version-check $(EDITABLE) '.[dev]'
	@touch $@
