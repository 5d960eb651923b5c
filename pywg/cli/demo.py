"""``pywg demo``: in the arguments, out a walk-through of a tunnel and an exit status.

The status is 0 only if three pings were answered and the page said what it should.
"""

import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pywg.cli.options import UsageError, take
from pywg.cli.output import wrong_use
from pywg.demo import record, unprivileged
from pywg.demo.clean import clean_up
from pywg.demo.lab import Lab
from pywg.demo.say import DemoError, say, show
from pywg.demo.walk import Options, StartDaemon, Walk
from pywg.engine.choose import PREFERENCES
from pywg.uapi.client import UapiError

KEEP: Final = "--keep"
CLEAN: Final = "--clean"
ENGINE: Final = "--engine"
SECONDS: Final = "--seconds"

_LONGEST: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Request:
    """What the words ask for."""

    clean: bool
    keep: bool
    engine: str
    """One of `PREFERENCES`."""
    seconds: float
    """Length of each TCP transfer; 0: none."""


def main(arguments: Sequence[str], start_daemon: StartDaemon | None = None) -> int:
    """Run the demo, or clean up after kept ones. `start_daemon` replaces pywg by another daemon."""
    if not sys.platform.startswith("linux"):
        sys.stderr.write("pywg demo: it is made of Linux network namespaces; this system has none\n")
        return 1
    try:
        chosen = parse(arguments)
    except UsageError as error:
        return wrong_use("demo", str(error))
    try:
        if chosen.clean:
            return _clean()
        return _demo(chosen, start_daemon)
    except (DemoError, UapiError, OSError) as error:
        sys.stderr.write(f"pywg demo: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def parse(words: Sequence[str]) -> Request:
    """Raises UsageError."""
    taken = take(words, flags=(KEEP, CLEAN), valued={ENGINE: "ENGINE", SECONDS: "N"})
    engine = taken.values.get(ENGINE, "auto")
    if taken.words:
        raise UsageError(f"expected options only, got '{taken.words[0]}'")
    if {KEEP, CLEAN} <= taken.flags:
        raise UsageError(f"expected {KEEP} or {CLEAN}, got both")
    if engine not in PREFERENCES:
        raise UsageError(f"{ENGINE} '{engine}': expected one of {', '.join(PREFERENCES)}")
    seconds = taken.seconds(SECONDS, 3.0, least=0, most=_LONGEST)
    return Request(CLEAN in taken.flags, KEEP in taken.flags, engine, seconds)


def _demo(chosen: Request, start_daemon: StartDaemon | None) -> int:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    nested = not unprivileged.may_make_namespaces()
    if nested:
        say("unshare --user --map-root-user --mount --net  # not root: a user namespace will do")
        unprivileged.become_root_in_user_namespace()
    options = Options(engine=chosen.engine, keep=chosen.keep, seconds=chosen.seconds, nested=nested)
    Walk(options, start_daemon).run()
    return 0


def _end(number: int, _frame: object) -> None:
    """A signal ends the demo as an exception does, so that it cleans up. Status as a shell counts it."""
    raise SystemExit(128 + number)


def _clean() -> int:
    """Take down every demo of this user that nobody looks after any more."""
    left = record.load_all()
    if not left:
        show("no demo is left up")
    for one in left:
        if one.owner.alive:
            show(f"demo {one.tag} is still running (pid {one.owner.pid}) and will clean up by itself")
            continue
        clean_up(Lab(say, tag=one.tag), list(one.processes))
    return 0
