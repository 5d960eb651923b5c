"""Asks every WireGuard interface, each in a thread of its own, so that a stuck daemon holds up nobody.

In: names, or none for all there are. Out: a `Look`, or the `Snapshot` that a board makes of it. Rules kept: a
device has one question open at most; what asking costs in CPU time is kept under a tenth of a core by asking
less often; a secret is dropped as soon as the reply is read.
"""

import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from pywg import control
from pywg.log import describe
from pywg.monitor.board import Board, Snapshot
from pywg.monitor.sample import Look, Reading, Sample, make_sample
from pywg.uapi.client import AccessDeniedError, UapiError
from pywg.uapi.path import UapiSocketError

REST: Final = 9
"""After a question that cost one second of CPU time, so many seconds without one."""

_FORESEEN: Final = (UapiError, UapiSocketError, OSError)

T = TypeVar("T")


class NothingToSeeError(Exception):
    """This user may see nothing of what was asked for; the text says what to do."""


@dataclass(frozen=True, slots=True)
class _Answer(Generic[T]):
    value: T
    cpu_seconds: float


class _Asker(Generic[T]):
    """Asks one thing again and again, never twice at once."""

    def __init__(self, question: Callable[[], T], rest: float) -> None:
        """`rest`: see `REST`."""
        self._question = question
        self._rest = rest
        self._open: Future[_Answer[T]] | None = None
        self._asked = 0.0
        self._rest_until = 0.0
        self.value: T | None = None
        self.problem = ""
        self.is_denied = False

    def ask(self, now: float) -> Future[_Answer[T]] | None:
        """Ask, unless the last question is still open or has just cost too much. What was asked anew."""
        if self._open is not None or now < self._rest_until:
            return None
        self._asked, self._open = now, Future()
        # A daemon thread: who presses q does not wait for a stuck device.
        threading.Thread(target=self._work, args=(self._open,), daemon=True).start()
        return self._open

    def collect(self, now: float) -> None:
        """Take the answer, if there is one."""
        if self._open is None or not self._open.done():
            return
        done, self._open = self._open, None
        try:
            answer = done.result()
        except Exception as error:  # noqa: BLE001 (a fault of ours costs this answer, not the whole view)
            self.is_denied = isinstance(error, AccessDeniedError)
            self.problem = str(error) if isinstance(error, _FORESEEN) else f"unforeseen: {describe(error)}"
            return
        self.value, self.problem, self.is_denied = answer.value, "", False
        self._rest_until = now + self._rest * answer.cpu_seconds

    def waiting(self, now: float) -> float:
        """Seconds since the open question was asked; 0: there is none."""
        return 0.0 if self._open is None else now - self._asked

    def _work(self, promise: Future[_Answer[T]]) -> None:
        began = time.thread_time()
        try:
            value = self._question()
        except BaseException as error:  # noqa: BLE001 (raised where the answer is collected)
            promise.set_exception(error)
        else:
            promise.set_result(_Answer(value, time.thread_time() - began))


class _Interface:
    """Asks one interface. A client is kept until it fails; whether it tells its status is asked once."""

    def __init__(self, name: str, open_control: Callable[[str], control.Control]) -> None:
        self._name = name
        self._open_control = open_control
        self._control: control.Control | None = None
        self._tells = True

    def __call__(self) -> Sample:
        """Raises UapiError."""
        if self._control is None:
            self._control, self._tells = self._open_control(self._name), True
        try:
            # wireguard-go writes each operation it does not know to its log.
            status = self._control.status() if self._tells else None
            self._tells = status is not None
            return make_sample(self._control.get(), status, time.monotonic())
        except BaseException:
            self._control = None
            raise


class Sampler:
    """All interfaces, or those that were named."""

    def __init__(
        self,
        names: Sequence[str] = (),
        *,
        rest: float = REST,
        find: Callable[[], Sequence[str]] = control.interfaces,
        open_control: Callable[[str], control.Control] = control.open_control,
    ) -> None:
        """`rest`: 0 for who looks but once or twice, and wants an answer each time."""
        self._named = tuple(dict.fromkeys(names))
        self._rest = rest
        self._finder = _Asker(find, rest)
        self._open_control = open_control
        self._askers: dict[str, _Asker[Sample]] = {}

    def look(self, patience: float) -> Look:
        """Ask all, and wait `patience` seconds at most for those who were asked just now."""
        end = time.monotonic() + patience
        found, problem = (self._named, "") if self._named else self._find(patience)
        now = time.monotonic()
        for name in found:
            if name not in self._askers:
                self._askers[name] = _Asker(_Interface(name, self._open_control), self._rest)
        for name in self._askers.keys() - set(found):
            del self._askers[name]
        asked = [promise for asker in self._askers.values() if (promise := asker.ask(now))]
        wait(asked, timeout=max(0.0, end - now))
        now = time.monotonic()
        return Look(tuple(self._reading(name, now) for name in found), problem)

    def check(self) -> None:
        """Raises NothingToSeeError if the last look was in vain for want of permission."""
        if self._askers and all(asker.is_denied for asker in self._askers.values()):
            raise NothingToSeeError(next(asker.problem for asker in self._askers.values()))
        if not self._named and self._finder.is_denied:
            raise NothingToSeeError(self._finder.problem)
        if not self._askers and os.geteuid() != 0:
            raise NothingToSeeError("no WireGuard interface that this user may look at; try again as root")

    def _find(self, patience: float) -> tuple[Sequence[str], str]:
        now = time.monotonic()
        if promise := self._finder.ask(now):
            wait([promise], timeout=patience)
        self._finder.collect(now)
        return self._finder.value or (), self._finder.problem

    def _reading(self, name: str, now: float) -> Reading:
        asker = self._askers[name]
        asker.collect(now)
        return Reading(name, asker.value, asker.problem, asker.waiting(now))


def take_snapshot(sampler: Sampler, board: Board, patience: float) -> Snapshot:
    """Look at everything now; wait `patience` seconds at most."""
    look = sampler.look(patience)
    return board.take(
        look, now=time.monotonic(), unix_ns=time.time_ns(), local_time=time.strftime("%H:%M:%S")
    )
