"""`pywg up --kernel` beside Debian's wg-quick, both with an interface of the kernel's own WireGuard.

Comes in: a guest with such a kernel, and one configuration. Goes out: links, addresses, routes, rules, and
what `wg` tells: before, while it is up, and after. Rule: wg-quick is right.
"""

import re

import pytest

from tests.interop.guest import Guest
from tests.netns.namespace import CommandError

pytestmark = pytest.mark.timeout(60)


def snapshot(guest: Guest) -> str:
    """All of the network there is to see, without the numbers of interfaces and what hooks left behind."""
    seen = guest.run(
        "ip -d link; ip address; ip route show table all; ip -6 route show table all; ip rule; ip -6 rule;"
        " wg show all dump"
    )
    return re.sub(r"^\d+: ", "", seen, flags=re.MULTILINE)


def hooks_run(guest: Guest) -> str:
    """What the hooks have written since the last call."""
    return guest.run("cat /tmp/hooks; rm /tmp/hooks")


def test_up_and_down_as_wg_quick(guest: Guest) -> None:
    before = snapshot(guest)
    states, hooks = {}, {}
    for name, up, down in (
        ("wg-quick", "wg-quick up quick", "wg-quick down quick"),
        ("pywg", "pywg up --kernel quick", "pywg down quick"),
    ):
        guest.run(up)
        states[name] = snapshot(guest)
        guest.run(down)
        hooks[name] = hooks_run(guest)
        assert snapshot(guest) == before, name
    assert states["pywg"] == states["wg-quick"]
    assert "wireguard" in states["pywg"]
    assert before != states["pywg"]
    assert hooks["pywg"] == hooks["wg-quick"] == "up quick\ndown quick\n"


def test_each_takes_down_what_the_other_brought_up(guest: Guest) -> None:
    before = snapshot(guest)
    for up, down in (
        ("wg-quick up quick", "pywg down quick"),
        ("pywg up --kernel quick", "wg-quick down quick"),
    ):
        guest.run(up)
        guest.run(down)
        assert snapshot(guest) == before, (up, down)
        assert hooks_run(guest) == "up quick\ndown quick\n"


def test_a_failed_up_leaves_nothing(guest: Guest) -> None:
    before = snapshot(guest)
    with pytest.raises(CommandError, match="PostUp failed with status 1"):
        guest.run("pywg up --kernel failing")
    assert snapshot(guest) == before
