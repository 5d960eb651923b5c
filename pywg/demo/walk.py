"""The walk-through: two peers are made, ping each other, fetch a page, are measured and shown.

In: what the user chose. Out: lines on standard output; DemoError or UapiError when a step fails. Every step
is said before it is done, and whatever was made is taken away again unless it is to be kept.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pywg.demo import children, daemon, peers, processes, record
from pywg.demo.children import Helpers
from pywg.demo.clean import clean_up
from pywg.demo.inside import GREETING
from pywg.demo.lab import End, Lab
from pywg.demo.say import DemoError, say, show
from pywg.show.pretty import pretty
from pywg.uapi.client import UapiClient

PINGS = 3
HTTP_PORT = 9090
_STEP_TIMEOUT = 60.0

StartDaemon = Callable[[End], None]


@dataclass(frozen=True, slots=True)
class Options:
    """What may be chosen on the command line."""

    engine: str = "auto"
    keep: bool = False
    seconds: float = 3.0
    """How long each of the two TCP transfers takes."""
    nested: bool = False
    """In a user namespace of our own: what is kept is reached through nsenter."""


class Walk:
    """One demo, from its first namespace to its last line."""

    def __init__(self, options: Options, start_daemon: StartDaemon | None = None) -> None:
        self._options = options
        self._lab = Lab(say)
        self._start_daemon = start_daemon or partial(
            daemon.start, environment={"PYWG_ENGINE": options.engine}
        )
        self._helpers = Helpers()
        self._server: subprocess.Popen[str] | None = None

    def run(self) -> None:
        """All of it. Raises DemoError or UapiError; also KeyboardInterrupt, SystemExit, after cleaning up."""
        keep = False
        try:
            self._remember()
            self._lab.create()
            self._start_peers()
            self._configure()
            self._ping()
            self._fetch()
            self._measure()
            self._show_state()
            keep = self._options.keep
        finally:
            if not keep:
                clean_up(self._lab, end_helpers=self._helpers.end)
        self._invite()

    def _start_peers(self) -> None:
        for end in self._lab.ends:
            said = f"PYWG_ENGINE={self._options.engine} pywg {end.device}"
            say(f"ip netns exec {end.namespace} env {said}")
            self._start_daemon(end)
            self._remember()
        status = UapiClient(self._lab.ends[0].device).status()
        if status is not None:
            show(f"engine: {status.engine} ({status.engine_reason})")

    def _configure(self) -> None:
        for end, change in zip(self._lab.ends, peers.changes(self._lab.ends), strict=True):
            say(peers.in_words_of_wg(end.device, change))
            UapiClient(end.device).set(change)
            self._lab.bring_up_tunnel(end)

    def _ping(self) -> None:
        here, there = self._lab.ends
        say(f"ip netns exec {here.namespace} ping -c {PINGS} {there.inner.ip}")
        words = children.inside(here.path, "ping", str(there.inner.ip), str(PINGS))
        done = children.run(words, timeout=_STEP_TIMEOUT)
        if done.returncode:
            raise DemoError(f"not all of {PINGS} pings through the tunnel were answered")

    def _fetch(self) -> None:
        here, there = self._lab.ends
        url = f"http://{there.inner.ip}:{HTTP_PORT}/"
        say(f"start an HTTP server in {there.namespace} at {url} that answers: {GREETING.decode().strip()}")
        self._server, _ = self._serve(there, "serve", str(there.inner.ip), str(HTTP_PORT))
        self._remember()
        say(f"ip netns exec {here.namespace} curl {url}")
        body = self._output(here, "fetch", url)
        show(body.rstrip("\n"))
        if body.encode() != GREETING:
            raise DemoError(f"the page at {url} is not what was expected: {GREETING!r}")

    def _measure(self) -> None:
        seconds = self._options.seconds
        if seconds <= 0:
            return
        _, there = self._lab.ends
        rates = []
        for what, address in (("wire", there.wire), ("tunnel", there.inner)):
            say(f"TCP to {address.ip} for {seconds:g} s, through the {what}")
            rates.append(self._tcp_rate(str(address.ip)))
            show(f"{what:>7}: {_bits(rates[-1])}")
        wire, tunnel = rates
        show(f"  ratio: the tunnel carries 1/{wire / tunnel:.1f} of what the wire does ({tunnel / wire:.2%})")

    def _tcp_rate(self, address: str) -> float:
        """Bits per second that came out at the far end."""
        here, there = self._lab.ends
        sink, port = self._serve(there, "sink", address)
        self._output(here, "source", address, str(port), str(self._options.seconds))
        try:
            text, _ = sink.communicate(timeout=_STEP_TIMEOUT)
            told = json.loads(text)
        except (ValueError, subprocess.TimeoutExpired):
            raise DemoError(f"the TCP transfer to {address} did not end as it should") from None
        if not told["bytes"]:
            raise DemoError(f"no data came through TCP to {address}")
        return float(told["bytes"] * 8 / told["seconds"])

    def _show_state(self) -> None:
        for end in self._lab.ends:
            say(f"pywg show {end.device}")
            show(pretty(end.device, UapiClient(end.device).get(), now=time.time_ns(), color=_color()))

    def _invite(self) -> None:
        """What to try while it stays up."""
        if not self._options.keep:
            return
        here, there = self._lab.ends
        way = ""
        if self._options.nested and self._server is not None:
            way = f"nsenter --preserve-credentials --user --mount --net -t {self._server.pid} "
        show("The tunnel stays up. Try, and see both ends count:")
        show(f"  {way}ip netns exec {here.namespace} ping {there.inner.ip}")
        show(f"  {way}ip netns exec {here.namespace} curl http://{there.inner.ip}:{HTTP_PORT}/")
        show(f"  {way}{own_command()} show")
        show("and remove it with:")
        show(f"  {own_command()} demo --clean")

    def _serve(self, end: End, *words: str) -> tuple["subprocess.Popen[str]", int]:
        """Start a helper that says `ready PORT`; returns it and the port."""
        helper = self._helpers.start(children.inside(end.path, *words))
        assert helper.stdout is not None  # noqa: S101 (for the type checker: PIPE was asked for)
        line = helper.stdout.readline().split()
        if line[:1] != ["ready"]:
            raise DemoError(f"{words[0]} did not start: {' '.join(line) or 'it gave no reason'}")
        return helper, int(line[1])

    def _output(self, end: End, *words: str) -> str:
        words_inside = children.inside(end.path, *words)
        done = children.run(words_inside, timeout=_STEP_TIMEOUT, output=subprocess.PIPE)
        if done.returncode:
            raise DemoError(f"{' '.join(words)} failed: {done.stdout.strip() or 'it gave no reason'}")
        return done.stdout

    def _remember(self) -> None:
        owner = processes.identify(os.getpid())
        if owner is not None:
            record.save(record.Record(self._lab.tag, owner, self._lab.processes()))


def own_command() -> str:
    """How the user called us, to be typed again."""
    called = Path(sys.argv[0])
    return str(called) if called.name == "pywg" else f"{sys.executable} -m pywg"


def _bits(rate: float) -> str:
    return f"{rate / 1e9:.2f} Gbit/s" if rate >= 1e9 else f"{rate / 1e6:.0f} Mbit/s"


def _color() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ
