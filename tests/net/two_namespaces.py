"""The same thing done twice: by pywg in one network namespace and by the system's own commands in another.

In: calls of a Net. Out: what it said, and listings of both namespaces to be compared word by word.
"""

import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_interface, ip_network
from typing import TypeVar

import pytest

from pywg.net.links_linux import LinuxLinks
from pywg.net.routes_linux import LinuxRoutes
from pywg.net.rtnetlink_linux import Rtnetlink
from pywg.net.rules_linux import LinuxRules
from pywg.net.system import Echo, NetworkError
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


class Net:
    """Links, routes and rules upon one socket."""

    def __init__(self, echo: Echo) -> None:
        self.kernel = Rtnetlink(echo)
        self.links = LinuxLinks(self.kernel)
        self.routes = LinuxRoutes(self.kernel, self.links)
        self.rules = LinuxRules(self.kernel)


Call = Callable[[Net], object]


@dataclass(slots=True)
class Ours:
    """A Net whose thread is in a namespace of its own, and what it has said."""

    inside: Inside
    said: list[str] = field(default_factory=list)
    net: Net = field(init=False)

    def __post_init__(self) -> None:
        self.net = self.inside.run(lambda: Net(self.said.append))

    @property
    def namespace(self) -> Namespace:
        return self.inside.namespace

    def ask(self, call: Callable[[Net], T]) -> T:
        """What it returns in there."""
        return self.inside.run(lambda: call(self.net))

    def do(self, call: Callable[[Net], object]) -> list[str]:
        """Call it in there; returns what it said."""
        self.said.clear()
        self.ask(call)
        return list(self.said)


@dataclass(frozen=True, slots=True)
class Two:
    """Ours, and the namespace for the system's own commands. Both have a TUN device ``wg0`` that is down."""

    ours: Ours
    theirs: Namespace

    def same(self, call: Callable[[Net], object]) -> list[str]:
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
            ours.ask(lambda net: net.kernel.close())


@contextmanager
def two_namespaces() -> Iterator[Two]:
    """Both."""
    with our_namespace() as ours, new_namespace() as theirs:
        add_tun(theirs, "wg0")
        yield Two(ours, theirs)


def ip_batch(namespace: Namespace, *lines: str) -> None:
    """Many commands of ip(8) at once."""
    run("ip", "-n", namespace.name, "-batch", "-", text="\n".join(lines))


def refusal(ours: Ours, call: Call) -> str:
    """What the user reads."""
    with pytest.raises(NetworkError) as caught:
        ours.do(call)
    message = str(caught.value)
    assert "\n" not in message
    return message


def adding_address(address: str) -> Call:
    return lambda net: net.links.add_address("wg0", ip_interface(address))


def adding_route(prefix: str, table: int | None = None) -> Call:
    return lambda net: net.routes.add_route("wg0", ip_network(prefix), table)


def adding_default_rules(family: int, table: int) -> Call:
    return lambda net: net.rules.add_default_rules(family, table)


def asking_for_routes(prefixes: Iterable[str]) -> Callable[[Net], dict[str, bool]]:
    return lambda net: {each: net.routes.has_route("wg0", ip_network(each)) for each in prefixes}


def rules(ours: Ours, family: int = 4) -> list[str]:
    """Without the kernel's own."""
    shown = ours.namespace.ip(f"-{family}", "rule").replace("\t", " ").splitlines()
    return [line.strip() for line in shown if line.split(":")[0] not in {"0", "32766", "32767"}]
