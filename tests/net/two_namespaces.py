"""The same thing done twice: by pywg in one network namespace and by the system's own commands in another.

In: calls of a LinuxNetwork. Out: what it said, and listings of both namespaces to be compared word by word.
"""

import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeVar

from pywg.net.system_linux import LinuxNetwork
from tests.net.inside import Inside, inside_new_namespace, new_namespace
from tests.netns.namespace import Namespace, run
from tests.netns.wait import until

T = TypeVar("T")

SETTLING_SECONDS = 3.0
LISTINGS = (
    ("-d", "address"),
    ("-d", "-4", "route", "show", "table", "all"),
    ("-d", "-6", "route", "show", "table", "all"),
    ("-d", "-4", "rule"),
    ("-d", "-6", "rule"),
)


def listing(namespace: Namespace) -> str:
    """Links, addresses, routes and rules, without what differs between any two namespaces."""
    text = "\n".join(namespace.ip(*words) for words in LISTINGS)
    return re.sub(r"(?m)^\d+: |link-netnsid \d+|link/ether \S+", "", text)


@dataclass(slots=True)
class Ours:
    """A LinuxNetwork whose thread is in a namespace of its own, and what it has said."""

    inside: Inside
    said: list[str] = field(default_factory=list)
    network: LinuxNetwork = field(init=False)

    def __post_init__(self) -> None:
        self.network = self.inside.run(lambda: LinuxNetwork(self.said.append))

    @property
    def namespace(self) -> Namespace:
        return self.inside.namespace

    def ask(self, call: Callable[[LinuxNetwork], T]) -> T:
        """What it returns in there."""
        return self.inside.run(lambda: call(self.network))

    def do(self, call: Callable[[LinuxNetwork], object]) -> list[str]:
        """Call it in there; returns what it said."""
        self.said.clear()
        self.ask(call)
        return list(self.said)


@dataclass(frozen=True, slots=True)
class Two:
    """Ours, and the namespace for the system's own commands. Both have a TUN device ``wg0`` that is down."""

    ours: Ours
    theirs: Namespace

    def same(self, call: Callable[[LinuxNetwork], object]) -> list[str]:
        """Do it in ours and run what was said in theirs: after that both are equal. Returns what was said."""
        said = self.ours.do(call)
        for line in said:
            self.theirs.run(*shlex.split(line))
        self._settle()
        assert listing(self.ours.namespace) == listing(self.theirs)
        return said

    def _settle(self) -> None:
        """The kernel tells of a carrier that is missing a moment later (linkwatch)."""
        with suppress(AssertionError):
            until(
                lambda: listing(self.ours.namespace) == listing(self.theirs),
                "both are equal",
                seconds=SETTLING_SECONDS,
            )


def add_tun(namespace: Namespace, name: str) -> None:
    """A persistent TUN device, as nobody holds it its carrier is missing."""
    namespace.ip("tuntap", "add", "dev", name, "mode", "tun")


@contextmanager
def our_namespace() -> Iterator[Ours]:
    """Only the one."""
    with inside_new_namespace() as inside:
        add_tun(inside.namespace, "wg0")
        ours = Ours(inside)
        try:
            yield ours
        finally:
            ours.ask(lambda net: net.close())


@contextmanager
def two_namespaces() -> Iterator[Two]:
    """Both."""
    with our_namespace() as ours, new_namespace() as theirs:
        add_tun(theirs, "wg0")
        yield Two(ours, theirs)


def ip_batch(namespace: Namespace, *lines: str) -> None:
    """Many commands of ip(8) at once."""
    run("ip", "-n", namespace.name, "-batch", "-", text="\n".join(lines))
