"""pywg/boottime_timer.py: both alarms ring once, not early, and not when called off."""

import asyncio
import ctypes
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pywg.boottime_timer import ClosableScheduler, PollingScheduler, TimerfdScheduler, create_scheduler
from pywg.clock import Clock, SystemClock

MILLISECOND = 1_000_000
SECOND = 1_000 * MILLISECOND


def _timerfd(callback: Callable[[], None]) -> ClosableScheduler:
    return TimerfdScheduler(asyncio.get_running_loop(), callback)


def _polling(callback: Callable[[], None]) -> ClosableScheduler:
    return PollingScheduler(asyncio.get_running_loop(), callback, SystemClock())


KINDS = pytest.mark.parametrize("make", [_timerfd, _polling])
Make = Callable[[Callable[[], None]], ClosableScheduler]


# A loop does what is due in the order of time, however late it is: who waits longer than the alarm sees it
# ring, also on a machine that stands still for a while. So nothing here asks a clock how long it took.


async def _rings(make: Make, use: Callable[[ClosableScheduler], None], seconds: float) -> list[int]:
    rung: list[int] = []
    scheduler = make(lambda: rung.append(SystemClock().boottime()))
    use(scheduler)
    assert rung == []  # never from within
    await asyncio.sleep(seconds)
    scheduler.close()
    scheduler.close()
    return rung


@KINDS
def test_rings_once_and_not_early(make: Make) -> None:
    deadline = SystemClock().boottime() + 50 * MILLISECOND
    rung = asyncio.run(_rings(make, lambda alarm: alarm.wake_at(deadline), 0.15))
    assert len(rung) == 1
    assert deadline <= rung[0]


@KINDS
@pytest.mark.parametrize("past", [-SECOND, 0, 1])
def test_a_time_in_the_past_rings_soon(make: Make, past: int) -> None:
    assert len(asyncio.run(_rings(make, lambda alarm: alarm.wake_at(past), 0.05))) == 1


@KINDS
def test_called_off(make: Make) -> None:
    def use(alarm: ClosableScheduler) -> None:
        alarm.wake_at(SystemClock().boottime() + 20 * MILLISECOND)
        alarm.wake_at(None)

    assert asyncio.run(_rings(make, use, 0.1)) == []


@KINDS
def test_the_last_word_counts(make: Make) -> None:
    later = SystemClock().boottime() + 60 * MILLISECOND

    def use(alarm: ClosableScheduler) -> None:
        alarm.wake_at(1)
        alarm.wake_at(later)

    rung = asyncio.run(_rings(make, use, 0.2))
    assert len(rung) == 1
    assert rung[0] >= later


@KINDS
def test_rings_again_when_asked_from_the_callback(make: Make) -> None:
    async def run() -> int:
        count = 0
        enough = asyncio.Event()

        def ring() -> None:
            nonlocal count
            count += 1
            alarm.wake_at(1 if count < 5 else None)
            if count == 5:
                enough.set()

        alarm = make(ring)
        alarm.wake_at(1)
        await asyncio.wait_for(enough.wait(), 20)
        await asyncio.sleep(0.05)
        alarm.close()
        return count

    assert asyncio.run(run()) == 5


@KINDS
def test_closed_rings_no_more(make: Make) -> None:
    def use(alarm: ClosableScheduler) -> None:
        alarm.wake_at(SystemClock().boottime() + 20 * MILLISECOND)
        alarm.close()
        alarm.wake_at(1)

    assert asyncio.run(_rings(make, use, 0.1)) == []


class _SleepyClock(SystemClock):
    """The machine sleeps: boottime jumps, monotonic time and asyncio's do not."""

    asleep = 0

    def boottime(self) -> int:
        return super().boottime() + self.asleep


def test_polling_notices_a_resume_within_a_second() -> None:
    async def run() -> bool:
        clock = _SleepyClock()
        rung = asyncio.Event()
        alarm = PollingScheduler(asyncio.get_running_loop(), rung.set, clock)
        alarm.wake_at(clock.boottime() + 600 * SECOND)
        await asyncio.sleep(0.05)
        clock.asleep = 700 * SECOND
        await asyncio.sleep(1.1)
        alarm.close()
        return rung.is_set()

    assert asyncio.run(run())


def _timerfds() -> list[str]:
    found = []
    for entry in list(Path("/proc/self/fd").iterdir()):
        try:
            target = str(entry.readlink())
        except FileNotFoundError:  # the one the directory was read through
            continue
        if target == "anon_inode:[timerfd]":
            found.append(entry.name)
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="timerfd is Linux's")
def test_timerfd_runs_on_boottime_and_is_not_inherited() -> None:
    """Its clock cannot be moved here, so look at which clock the kernel says it is on (proc(5), fdinfo)."""

    def look() -> tuple[str, bool]:
        (descriptor,) = _timerfds()
        return Path(f"/proc/self/fdinfo/{descriptor}").read_text(), os.get_inheritable(int(descriptor))

    async def run() -> tuple[str, bool]:
        alarm = TimerfdScheduler(asyncio.get_running_loop(), lambda: None)
        seen = look()
        alarm.close()
        return seen

    text, inheritable = asyncio.run(run())
    assert f"clockid: {time.CLOCK_BOOTTIME}\n" in text
    assert not inheritable
    assert _timerfds() == []


def test_create_scheduler_picks_the_systems() -> None:
    async def run() -> ClosableScheduler:
        clock: Clock = SystemClock()
        alarm = create_scheduler(asyncio.get_running_loop(), lambda: None, clock)
        alarm.close()
        return alarm

    kind = TimerfdScheduler if sys.platform == "linux" else PollingScheduler
    assert isinstance(asyncio.run(run()), kind)


def test_no_timer_left_is_an_os_error(monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.version_info >= (3, 13) or sys.platform != "linux":
        pytest.skip("os.timerfd_create raises by itself")

    class Refusing:
        def timerfd_create(self, _clock: int, _flags: int) -> int:
            ctypes.set_errno(24)
            return -1

    async def run() -> None:
        TimerfdScheduler(asyncio.get_running_loop(), lambda: None)

    monkeypatch.setattr("pywg.boottime_timer._libc", Refusing())
    with pytest.raises(OSError, match="timerfd_create"):
        asyncio.run(run())
