"""`pip install .` as a user runs it: of a copy of the sources, into an environment of its own."""

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
FILES = (
    "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "MANIFEST.in", "Makefile", "README.md", "SECURITY.md",
    "pyproject.toml", "setup.py",
)  # fmt: skip
NOT_COPIED = shutil.ignore_patterns("target", "__pycache__", "*.so", "*.egg-info", "_native_absent.txt")

QUICK_BUILD = {
    "CARGO_PROFILE_RELEASE_LTO": "off",
    "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16",
    "CARGO_PROFILE_RELEASE_OPT_LEVEL": "0",
    "PYO3_PYTHON": sys.executable,
}
"""Nothing is measured here: it is enough that it compiles and loads, and once, so for one Python."""

FOREIGN = ("PYWG_", "PYO3_", "PYTHON", "CARGO_BUILD_", "CARGO_PROFILE_", "RUSTFLAGS", "MAKE")
"""Variables that must not decide how the tests end, wherever they come from."""


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment without pip: this one's pip installs into it."""

    directory: Path

    @property
    def python(self) -> Path:
        return self.directory / "bin" / "python"

    def version(self, **variables: str) -> subprocess.CompletedProcess[str]:
        """``pywg --version``"""
        return run([self.directory / "bin" / "pywg", "--version"], surroundings() | variables)

    def evaluate(self, code: str) -> str:
        """What `code` prints."""
        done = run([self.python, "-P", "-c", code], surroundings())
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@dataclass(frozen=True, slots=True)
class Pip:
    """pip, and what the builds of one run of the tests share."""

    build_tools: Path
    """What pyproject.toml requires for building."""
    cargo_target: Path
    no_programs: Path
    """An empty directory for PATH."""

    def install(
        self, what: Path, into: Environment, *, cargo: bool = True, isolated: bool = False, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """``pip install WHAT``. `isolated`: pip fetches what building needs, as it does by itself."""
        words = ["--python", str(into.python), "install", "--no-deps"]
        return self._run(words, what, variables, cargo=cargo, isolated=isolated)

    def wheel(self, what: Path, to: Path, **variables: str) -> Path:
        """``pip wheel WHAT``: the wheel."""
        words = ["wheel", "--no-deps", "--wheel-dir", str(to)]
        done = self._run(words, what, variables, cargo=True, isolated=False)
        assert done.returncode == 0, done.stdout + done.stderr
        (wheel,) = to.iterdir()
        return wheel

    def _run(
        self, words: list[str], what: Path, variables: Mapping[str, str], *, cargo: bool, isolated: bool
    ) -> subprocess.CompletedProcess[str]:
        environment = surroundings() | QUICK_BUILD | {"CARGO_TARGET_DIR": str(self.cargo_target), **variables}
        if not cargo:
            environment["PATH"] = str(self.no_programs)
        if not isolated:
            words = [*words, "--no-build-isolation"]
            environment["PYTHONPATH"] = str(self.build_tools)
        return run([sys.executable, "-m", "pip", *words, str(what)], environment)


def run(words: list[str | Path], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def surroundings() -> dict[str, str]:
    """Environment variables."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return inherited | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def copy_sources(to: Path) -> Path:
    """A tree that a build may write to."""
    to.mkdir()
    for name in FILES:
        shutil.copy2(PROJECT / name, to)
    for name in ("pywg", "native"):
        shutil.copytree(PROJECT / name, to / name, ignore=NOT_COPIED)
    return to


@pytest.fixture(scope="session")
def pip(tmp_path_factory: pytest.TempPathFactory) -> Pip:
    directory = tmp_path_factory.mktemp("packaging")
    requires = tomllib.loads((PROJECT / "pyproject.toml").read_text())["build-system"]["requires"]
    tools = directory / "build-tools"
    words = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(tools), *requires]
    done = run([*words], surroundings())
    if done.returncode:
        reason = f"NOT TESTED: pip cannot install {', '.join(requires)}: {done.stderr.strip()}"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    no_programs = directory / "no-programs"
    no_programs.mkdir()
    return Pip(tools, directory / "cargo-target", no_programs)


@pytest.fixture(scope="session")
def shared_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sources for builds that succeed: at one path cargo compiles them once."""
    return copy_sources(tmp_path_factory.mktemp("sources") / "tree")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Sources of the test's own."""
    return copy_sources(tmp_path / "tree")


@pytest.fixture
def make_environment(tmp_path: Path) -> Callable[[], Environment]:
    count = 0

    def make() -> Environment:
        nonlocal count
        count += 1
        directory = tmp_path / f"venv{count}"
        done = run([sys.executable, "-m", "venv", "--without-pip", directory], surroundings())
        assert done.returncode == 0, done.stderr
        return Environment(directory)

    return make


@pytest.fixture
def environment(make_environment: Callable[[], Environment]) -> Environment:
    return make_environment()
