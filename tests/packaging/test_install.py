"""setup.py: what `pip install .` gives with and without a Rust toolchain, and with each PYWG_BUILD_NATIVE."""

import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.needs import need
from tests.packaging.conftest import Environment, Pip, run, surroundings

pytestmark = pytest.mark.timeout(600)  # the first test that comes to it compiles all crates

DESCRIBE = "from pywg.engine.choose import describe_choice; print(*describe_choice('auto'), sep=': ')"


def output(done: subprocess.CompletedProcess[str]) -> str:
    """On one line, for pip breaks none but indents all."""
    return " ".join((done.stdout + done.stderr).split())


def assert_pure(environment: Environment, why: str) -> None:
    """pywg works, on the Python engine for this reason, and the native one is refused with the same."""
    done = environment.version()
    assert done.returncode == 0, done.stderr
    assert f"engine: python (no native engine: {why}" in done.stdout
    refused = environment.version(PYWG_ENGINE="native")
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"pywg: no native engine: {why}")
    assert "PYWG_BUILD_NATIVE=yes" in refused.stderr
    assert refused.stderr.count("\n") == 1


def break_rust(tree: Path) -> None:
    source = tree / "native" / "src" / "lib.rs"
    source.write_text(source.read_text() + '\ncompile_error!("broken on purpose");\n')


def test_with_cargo_the_native_engine_is_built_and_chosen(
    pip: Pip, shared_tree: Path, environment: Environment
) -> None:
    """As pip does it by itself, build isolation and all."""
    need("cargo", "cc")
    done = pip.install(shared_tree, environment, isolated=True)
    assert done.returncode == 0, output(done)
    assert environment.evaluate(DESCRIBE) == "native: the fastest this installation has"
    version = environment.version()
    assert "engine: native (" in version.stdout
    assert "cipher: " in version.stdout
    assert "engine: python (it was asked for)" in environment.version(PYWG_ENGINE="python").stdout


def test_without_cargo_pywg_works_on_the_python_engine(
    pip: Pip, tree: Path, environment: Environment
) -> None:
    done = pip.install(tree, environment, cargo=False)
    assert done.returncode == 0, output(done)
    assert_pure(environment, "no Rust toolchain (cargo) on PATH when pywg was installed")


def test_yes_without_cargo_fails_and_says_what_to_do(pip: Pip, tree: Path, environment: Environment) -> None:
    done = pip.install(tree, environment, cargo=False, PYWG_BUILD_NATIVE="yes")
    assert done.returncode != 0
    for words in (
        "PYWG_BUILD_NATIVE=yes",
        "no Rust toolchain (cargo) on PATH",
        "https://rustup.rs",
        "unset PYWG_BUILD_NATIVE",
    ):
        assert words in output(done)
    assert not (environment.directory / "bin" / "pywg").exists()


def test_no_gives_a_wheel_for_every_machine(
    pip: Pip, tree: Path, tmp_path: Path, environment: Environment
) -> None:
    wheel = pip.wheel(tree, tmp_path / "wheels", PYWG_BUILD_NATIVE="no")
    assert wheel.name.endswith("-py3-none-any.whl")
    assert not [name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".so")]
    assert pip.install(wheel, environment).returncode == 0
    assert_pure(environment, "PYWG_BUILD_NATIVE was no when pywg was installed")


def test_another_value_is_refused(pip: Pip, tree: Path, environment: Environment) -> None:
    done = pip.install(tree, environment, PYWG_BUILD_NATIVE="perhaps")
    assert done.returncode != 0
    assert "PYWG_BUILD_NATIVE is 'perhaps'; expected yes, no, or unset" in output(done)


def test_rust_that_does_not_compile_leaves_the_python_engine(
    pip: Pip, tree: Path, environment: Environment
) -> None:
    """Nor does the extension of an earlier build in the same tree stay."""
    need("cargo", "cc")
    built = tree / "build" / f"lib.{sysconfig.get_platform()}-{sys.implementation.cache_tag}" / "pywg"
    built.mkdir(parents=True)
    (built / "_native.abi3.so").write_bytes(b"outdated")
    break_rust(tree)
    done = pip.install(tree, environment)
    assert done.returncode == 0, output(done)
    assert_pure(environment, "its build failed when pywg was installed")
    assert not list(built.glob("*.so"))
    assert (built / "device.py").exists()


def test_yes_with_rust_that_does_not_compile_fails(pip: Pip, tree: Path, environment: Environment) -> None:
    need("cargo", "cc")
    break_rust(tree)
    done = pip.install(tree, environment, PYWG_BUILD_NATIVE="yes")
    assert done.returncode != 0
    assert "broken on purpose" in output(done)
    assert "PYWG_BUILD_NATIVE=yes, but building the native engine failed (see above)" in output(done)


def test_a_lock_file_that_does_not_fit_is_not_mended(pip: Pip, tree: Path, environment: Environment) -> None:
    """--locked: nobody builds with other crates than were tested."""
    need("cargo", "cc")
    manifest = tree / "native" / "Cargo.toml"
    manifest.write_text(manifest.read_text().replace('version = "0.1.0"', 'version = "0.1.1"', 1))
    done = pip.install(tree, environment, PYWG_BUILD_NATIVE="yes")
    assert done.returncode != 0
    assert "--locked" in output(done)


def test_wheel_with_the_native_engine_is_for_every_python_from_3_11(
    pip: Pip, shared_tree: Path, tmp_path: Path
) -> None:
    need("cargo", "cc")
    wheel = pip.wheel(shared_tree, tmp_path / "wheels", PYWG_BUILD_NATIVE="yes")
    assert "-cp311-abi3-linux_" in wheel.name
    names = zipfile.ZipFile(wheel).namelist()
    assert "pywg/_native.abi3.so" in names
    assert {"pywg/_native.pyi", "pywg/py.typed"} <= set(names)
    assert "pywg/_native_absent.txt" not in names


def test_sdist_has_all_the_native_engine_needs(
    pip: Pip, shared_tree: Path, tmp_path: Path, make_environment: Callable[[], Environment]
) -> None:
    need("cargo", "cc")
    code = f"import setuptools.build_meta as b; b.build_sdist({str(tmp_path)!r})"
    words: list[str | Path] = [make_environment().python, "-c", code]
    done = run(["env", "-C", shared_tree, *words], surroundings() | {"PYTHONPATH": str(pip.build_tools)})
    assert done.returncode == 0, output(done)
    (sdist,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    native = shared_tree / "native"
    sources = {str(path.relative_to(shared_tree)) for path in native.rglob("*.rs")}
    assert sources
    assert sources | {"native/Cargo.toml", "native/Cargo.lock", "setup.py", "pywg/_native.pyi"} <= names
    assert not [name for name in names if name.endswith((".so", "_native_absent.txt"))]
    environment = make_environment()
    installed = pip.install(sdist, environment, PYWG_BUILD_NATIVE="yes")
    assert installed.returncode == 0, output(installed)
    assert "engine: native (" in environment.version().stdout
