"""Taking a laboratory down, whatever state it is in.

In: the laboratory. Out: no daemon, helper, interface, namespace, socket or record of it. Only its own
processes are ended, and nothing here can be interrupted; each wait is short.
"""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

from pywg.demo import processes, record
from pywg.demo.children import END_SIGNALS
from pywg.demo.lab import End, Lab
from pywg.demo.processes import ProcessId
from pywg.demo.say import DemoError
from pywg.uapi.path import socket_path

_FAREWELL = 0.3


def clean_up(
    lab: Lab, started: list[ProcessId] | None = None, end_helpers: Callable[[], None] = lambda: None
) -> None:
    """Take every part down; where one fails, say so and go on with the next.

    `started`: the processes to end; None is whatever runs in the namespaces. `end_helpers` is called first.
    """
    with _deaf():
        # A helper that is not in its namespace yet would escape the look around there.
        _attempt(end_helpers)
        running = lab.processes() if started is None else started
        parts: tuple[Callable[[], None], ...] = (
            *(partial(lab.delete_device, end) for end in lab.ends),
            partial(_end, lab, running),
            lab.remove,
            *(partial(_remove_socket, end) for end in lab.ends),
            partial(record.forget, lab.tag),
        )
        for part in parts:
            _attempt(part)


def _attempt(part: Callable[[], None]) -> None:
    try:
        part()
    except (OSError, DemoError) as error:
        sys.stderr.write(f"pywg demo: while cleaning up: {error}\n")


@contextmanager
def _deaf() -> Iterator[None]:
    """Ignore the signals that end a program."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in END_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(lab: Lab, running: list[ProcessId]) -> None:
    """Daemons end by themselves once their interface is gone; the rest is asked to."""
    left = processes.wait_until_gone(running, _FAREWELL)
    if left:
        lab.say(f"kill {' '.join(str(process.pid) for process in left)}")
        processes.end(left)


def _remove_socket(end: End) -> None:
    """A daemon that was killed could not take its socket away."""
    with suppress(FileNotFoundError):
        socket_path(end.device).unlink()
