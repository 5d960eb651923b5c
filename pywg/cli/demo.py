"""``pywg demo``: in the arguments, out a walk-through of a tunnel and an exit status.

The status is 0 only if three pings were answered and the page said what it should.
"""

import argparse
import signal
import sys
from collections.abc import Sequence

from pywg.demo import record, unprivileged
from pywg.demo.clean import clean_up
from pywg.demo.lab import Lab
from pywg.demo.say import DemoError, say, show
from pywg.demo.walk import Options, StartDaemon, Walk
from pywg.engine.choose import PREFERENCES
from pywg.uapi.client import UapiError


def main(arguments: Sequence[str], start_daemon: StartDaemon | None = None) -> int:
    """Run the demo, or clean up after kept ones. `start_daemon` replaces pywg by another daemon."""
    if not sys.platform.startswith("linux"):
        sys.stderr.write("pywg demo: it is made of Linux network namespaces; this system has none\n")
        return 1
    chosen = _parser().parse_args(list(arguments))
    try:
        if chosen.clean:
            return _clean()
        return _demo(chosen, start_daemon)
    except (DemoError, UapiError, OSError) as error:
        sys.stderr.write(f"pywg demo: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pywg demo",
        description="Two WireGuard peers in network namespaces of their own ping each other, fetch a page, "
        "are measured and shown. Leaves nothing behind.",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--keep", action="store_true", help="leave the tunnel up and say what to try")
    what.add_argument("--clean", action="store_true", help="remove what --keep left up")
    parser.add_argument("--engine", choices=PREFERENCES, default="auto", help="data plane (PYWG_ENGINE)")
    parser.add_argument(
        "--seconds", type=float, default=3.0, metavar="N", help="length of each TCP transfer, 0: none (3)"
    )
    return parser


def _demo(chosen: argparse.Namespace, start_daemon: StartDaemon | None) -> int:
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
