"""Adds the native engine to the build where it can be built.

In: the environment variable PYWG_BUILD_NATIVE, and whether there is a Rust toolchain.
Out: with an extension module `pywg._native` or without one. All the rest of the build is in pyproject.toml.

    unset  build it if that is possible here; without it pywg is complete, only slower
    yes    fail if it cannot be built
    no     do not build it; the wheel is then good for every machine

Where it was not built, a file in the package says why, and `pywg --version` says it again: pip hides what a
build prints.
"""

import os
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import Any

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.errors import SetupError
from setuptools_rust import Binding, RustExtension
from setuptools_rust.build import build_rust

SWITCH = "PYWG_BUILD_NATIVE"
PACKAGE = "pywg"
MODULE = "_native"
NOTE = "_native_absent.txt"
"""Read by pywg/engine/choose.py."""


def refuse(what: str) -> SystemExit:
    """Ends the build with a line that the user can act on."""
    return SystemExit(f"pywg: {what}")


def obstacle() -> str | None:
    """Why the native engine cannot even be tried here."""
    if sys.platform != "linux":
        return "not on Linux"
    if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
        return "not on CPython with its lock, the only Python with the stable ABI"
    if shutil.which(os.environ.get("CARGO") or "cargo") is None:
        return "no Rust toolchain (cargo) on PATH"
    return None


def decide() -> tuple[bool, str | None]:
    """Whether the native engine must be built, and why it will not be (None: it will be tried)."""
    asked = os.environ.get(SWITCH, "")
    if asked not in {"", "yes", "no"}:
        raise refuse(f"{SWITCH} is '{asked}'; expected yes, no, or unset (build it if there is a toolchain)")
    if asked == "no":
        return False, f"{SWITCH} was no when pywg was installed"
    reason = obstacle()
    if asked == "yes" and reason is not None:
        raise refuse(
            f"{SWITCH}=yes, but the native engine cannot be built here: {reason}. Install Rust "
            f"(https://rustup.rs) and have 'cargo' on PATH, or unset {SWITCH} for the Python engine alone"
        )
    return asked == "yes", None if reason is None else f"{reason} when pywg was installed"


REQUIRED, ABSENT = decide()


def leave_note(command: Any, reason: str | None) -> None:
    """Say in the package why it has no native engine, or (None) no longer say so."""
    build_python = command.get_finalized_command("build_py")
    in_place = build_python.editable_mode or command.get_finalized_command("build_ext").inplace
    package = Path(PACKAGE) if in_place else Path(build_python.build_lib, PACKAGE)
    note = package / NOTE
    note.unlink(missing_ok=True)
    if reason is None:
        return
    for outdated in package.glob(f"{MODULE}.*.so"):  # of an earlier build in the same directory
        outdated.unlink()
    note.write_text(f"{reason}\n")
    sys.stdout.write(f"pywg: no native engine: {reason}\n")


class BuildPackage(build_py):
    """Also notes that no native engine was tried."""

    def run(self) -> None:
        super().run()
        leave_note(self, ABSENT)


class BuildNative(build_rust):
    """May fail if it is not required. (The `optional` of setuptools-rust does not tell us that it failed.)"""

    def run(self) -> None:
        wheel = self.get_finalized_command("bdist_wheel")
        # One wheel for every Python from 3.11 on. Set here: an editable install forgets what setup() is told.
        wheel.py_limited_api = "cp311"
        try:
            super().run()
        except Exception as error:  # (whatever cargo, the linker and the file system think of)
            if REQUIRED:
                raise SetupError(
                    f"{error}\n\npywg: {SWITCH}=yes, but building the native engine failed (see above). It "
                    "needs the Rust that native/Cargo.toml names, a C compiler and access to crates.io; "
                    f"unset {SWITCH} for the Python engine alone"
                ) from error
            sys.stdout.write(f"{error}\n")
            leave_note(self, f"its build failed when pywg was installed; with {SWITCH}=yes it says why")
            wheel.py_limited_api = False


ENGINE = RustExtension(
    f"{PACKAGE}.{MODULE}",
    path="native/Cargo.toml",
    binding=Binding.PyO3,
    debug=False,  # in editable installs too: nobody may measure a debug build
    cargo_manifest_args=["--locked"],
)

setup(
    cmdclass={"build_py": BuildPackage, "build_rust": BuildNative},
    rust_extensions=[ENGINE] if ABSENT is None else [],
)
