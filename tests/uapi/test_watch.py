"""Our socket file goes away: noticed at once with inotify, and within an interval without it."""

import asyncio
import ctypes
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pywg.uapi.path import FileIdentity, file_identity
from pywg.uapi.watch import DeletionWatch

NEVER = 3600.0
needs_inotify = pytest.mark.skipif(sys.platform != "linux", reason="NOT TESTED: inotify is Linux's")


def watch(
    path: Path, act: Callable[[], object], *, use_inotify: bool, poll_interval: float, wait: float = 5.0
) -> int:
    """How often a watch tells of what `act` does to the file."""

    async def run() -> int:
        told = 0
        done = asyncio.Event()

        def on_deleted() -> None:
            nonlocal told
            told += 1
            done.set()

        ours = file_identity(path)
        assert ours is not None
        watching = DeletionWatch(path, ours, on_deleted, poll_interval=poll_interval, use_inotify=use_inotify)
        assert watching.polls is not use_inotify
        await asyncio.sleep(0.02)
        act()
        try:
            await asyncio.wait_for(done.wait(), wait)
            await asyncio.sleep(0.05)
        except TimeoutError:
            pass
        watching.close()
        watching.close()
        return told

    return asyncio.run(run())


@pytest.fixture(params=[pytest.param(True, marks=needs_inotify), False], ids=["inotify", "polling"])
def use_inotify(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def file(directory: Path) -> Path:
    path = directory / "wg0.sock"
    path.write_text("")
    return path


def interval(use_inotify: bool) -> float:
    """So long with inotify that only it can have told."""
    return NEVER if use_inotify else 0.02


def test_deleted(file: Path, use_inotify: bool) -> None:
    assert watch(file, file.unlink, use_inotify=use_inotify, poll_interval=interval(use_inotify)) == 1


def test_moved_away(file: Path, use_inotify: bool) -> None:
    def act() -> None:
        file.rename(file.with_name("moved"))

    assert watch(file, act, use_inotify=use_inotify, poll_interval=interval(use_inotify)) == 1


def test_replaced(file: Path, use_inotify: bool) -> None:
    other = file.with_name("other")
    other.write_text("")
    assert (
        watch(file, lambda: other.rename(file), use_inotify=use_inotify, poll_interval=interval(use_inotify))
        == 1
    )


def test_touched_is_not_deleted(file: Path, use_inotify: bool) -> None:
    def act() -> None:
        file.chmod(0o600)
        file.with_name("neighbour").write_text("")
        file.with_name("neighbour").unlink()

    assert watch(file, act, use_inotify=use_inotify, poll_interval=interval(use_inotify), wait=0.2) == 0


def test_gone_before_the_watch(file: Path, use_inotify: bool) -> None:
    async def run() -> bool:
        told = asyncio.Event()
        DeletionWatch(file, FileIdentity(0, 0), told.set, poll_interval=NEVER, use_inotify=use_inotify)
        await asyncio.wait_for(told.wait(), 5)
        return told.is_set()

    assert asyncio.run(run())


@needs_inotify
@pytest.mark.parametrize("refusal", ["no inotify in libc", "no instance", "no watch"])
def test_where_inotify_is_refused_it_polls(file: Path, refusal: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pipes: list[int] = []

    class Libc:
        def __init__(self, *_: object, **__: object) -> None:
            if refusal != "no inotify in libc":
                self.inotify_init1 = lambda _: self.make()

        def make(self) -> int:
            if refusal == "no instance":
                return -1
            pipes.append(os.open("/dev/null", os.O_RDONLY))
            return pipes[-1]

        def inotify_add_watch(self, *_: object) -> int:
            return -1

    monkeypatch.setattr(ctypes, "CDLL", Libc)

    async def run() -> None:
        told = asyncio.Event()
        ours = file_identity(file)
        assert ours is not None
        watching = DeletionWatch(file, ours, told.set, poll_interval=0.02, use_inotify=True)
        assert watching.polls
        asyncio.get_running_loop().call_soon(file.unlink)
        await asyncio.wait_for(told.wait(), 5)

    asyncio.run(run())
    for fd in pipes:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)
