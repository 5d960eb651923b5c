"""pywg/engine/choose.py: every way to an engine, and what is told of it."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from pywg.clock import SystemClock
from pywg.engine import choose
from pywg.engine.choose import CONTRACT, EngineUnavailableError, create_engine, describe_choice, native_cipher
from pywg.protocol.constants import Limits
from pywg.tun.memory import MemoryTun
from tests.engine.rig import SelectorReactor

Install = Callable[[ModuleType | None], None]


class Unloadable:
    """Finds the extension, but it cannot be loaded."""

    def find_spec(self, name: str, _path: object, _target: object = None) -> None:
        if name == "pywg._native":
            raise ImportError("libc.so.6: version `GLIBC_9.9' not found\n(required by _native.abi3.so)")


def extension(contract: int = CONTRACT) -> ModuleType:
    module = ModuleType("pywg._native")
    vars(module).update(CONTRACT=contract, CIPHER="rot13 1.0")
    return module


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Install:
    """Put this in the place of the extension; None: it was not built, and nothing says why."""

    def install(module: ModuleType | None) -> None:
        monkeypatch.setattr(sys, "platform", "linux")
        monkeypatch.setattr(choose, "NOTE", tmp_path / "note")
        monkeypatch.setitem(sys.modules, "pywg._native", module)
        if module is None:
            monkeypatch.delattr("pywg._native", raising=False)
        else:
            monkeypatch.setattr("pywg._native", module, raising=False)

    return install


def assert_falls_back(why: str, remedy: str = "install pywg again with PYWG_BUILD_NATIVE=yes") -> None:
    """`auto` gives the Python engine for this reason, `native` is refused with it and what to do."""
    assert describe_choice("auto") == ("python", why)
    assert native_cipher() is None
    with pytest.raises(EngineUnavailableError) as refused:
        describe_choice("native")
    message = str(refused.value)
    assert message.startswith(f"{why}; {remedy}")
    assert message.endswith("or set PYWG_ENGINE to auto or python")
    assert "\n" not in message


def test_auto_takes_the_native_engine_where_there_is_one(install: Install) -> None:
    install(extension())
    assert describe_choice("auto") == ("native", "the fastest this installation has")
    assert describe_choice("native") == ("native", "it was asked for")
    assert native_cipher() == "rot13 1.0"


def test_python_is_given_to_who_asks_for_it(install: Install) -> None:
    install(extension())
    assert describe_choice("python") == ("python", "it was asked for")


def test_the_note_of_the_build_is_told(install: Install) -> None:
    install(None)
    choose.NOTE.write_text("no Rust toolchain\nwas there\n")
    assert_falls_back("no native engine: no Rust toolchain was there")


def test_without_a_note_it_was_never_built(install: Install) -> None:
    install(None)
    assert_falls_back("no native engine: none was built here")


def test_an_extension_that_does_not_load_is_told(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install(None)
    choose.NOTE.write_text("of an earlier installation\n")
    monkeypatch.delitem(sys.modules, "pywg._native")
    monkeypatch.setattr(sys, "meta_path", [Unloadable(), *sys.meta_path])
    assert_falls_back(
        "the native engine cannot be loaded: libc.so.6: version `GLIBC_9.9' not found "
        "(required by _native.abi3.so)"
    )


def test_an_extension_from_other_sources_is_not_used(install: Install) -> None:
    install(extension(CONTRACT + 1))
    assert_falls_back(
        f"the native engine was built from other sources (contract {CONTRACT + 1}, expected {CONTRACT})"
    )
    install(ModuleType("pywg._native"))
    assert_falls_back(f"the native engine was built from other sources (contract None, expected {CONTRACT})")


def test_other_systems_have_none(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install(extension())
    monkeypatch.setattr(sys, "platform", "darwin")
    assert_falls_back("the native engine is for Linux only", remedy="use it there")


def test_a_tun_without_descriptor_is_the_python_engines(install: Install) -> None:
    install(extension())

    def create(preference: str) -> choose.Choice:
        return create_engine(
            preference,
            limits=Limits(),
            clock=SystemClock(),
            mtu=1420,
            tun=MemoryTun(),
            reactor=SelectorReactor(),
        )

    choice = create("auto")
    assert (choice.engine.name, choice.why) == ("python", "the native engine needs a TUN with a descriptor")
    choice.engine.close()
    with pytest.raises(EngineUnavailableError, match="needs a TUN with a descriptor; open one"):
        create("native")


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(EngineUnavailableError, match="no engine 'steam'; set PYWG_ENGINE to one of auto, "):
        describe_choice("steam")
