"""Files and command lines that wg-quick and pywg are both given.

Comes in: nothing. Goes out: `CASES`, each with what Debian's wg-quick (1.0.20210914) is known to do otherwise
than wg-quick of 2026, or than pywg, and why.
"""

from dataclasses import dataclass
from typing import Final

NAME: Final = "wt0"
FILE: Final = f"./{NAME}.conf"
PRIVATE: Final = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="
PEERS: Final = (
    "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=",
    "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=",
    "gN65BkIKy1eCE9pP1wdc8ROUtkHLF2PfAqYdyYBz6EA=",
)
"""wg-quick(8) publishes these keys."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What is known to differ, and why."""

    reason: str
    about: tuple[str, ...]
    """Names of `Room.look`, or ``status``, ``echo``, ``output``, ``file``, ``resolvconf``."""


@dataclass(frozen=True, slots=True)
class Case:
    """A file and what is done with it."""

    label: str
    text: str
    commands: tuple[tuple[str, ...], ...] = (("up", FILE), ("down", FILE))
    path: str = FILE
    mode: int = 0o600
    differs: Difference | None = None
    between: tuple[str, ...] = ()
    """A command that is run before the last one."""


def interface(*lines: str) -> str:
    """The [Interface] section; the port is said, for else it is a random one."""
    return "\n".join(["[Interface]", f"PrivateKey = {PRIVATE}", "ListenPort = 51820", *lines, ""])


def peer(*lines: str, number: int = 0) -> str:
    """A [Peer] section."""
    return "\n".join(["[Peer]", f"PublicKey = {PEERS[number]}", *lines, ""])


_ADDRESS: Final = "Address = 10.0.0.1/24"
_OTHER: Final = "AllowedIPs = 10.0.0.2/32"
_BOTH: Final = "Address = 10.0.0.1/24, fd00::1/64"
_SIMPLE: Final = interface(_ADDRESS) + peer(_OTHER, "Endpoint = 192.0.2.9:51820")
_MANY: Final = ", ".join(f"10.{number}.{number}.0/24" for number in range(1, 120))
_HOOKS: Final = ("PostUp", "PreDown", "PostDown", "PostUp")
_BEFOREHAND: Final = Difference("ours is seen in the file, before anything is done", ("echo",))

CASES: Final = (
    # Addresses
    Case("simple", _SIMPLE),
    Case("IPv6", interface("Address = fd00::1/64") + peer("AllowedIPs = fd00::2/128, 2001:db8:7::/48")),
    Case("both families", interface(_BOTH) + peer("AllowedIPs = 10.1.0.0/16, fd01::/64")),
    Case(
        "addresses without a length",
        interface("Address = 10.0.0.1, fd00::1") + peer("AllowedIPs = 10.0.0.2"),
        differs=Difference("ours echoes the length that ip(8) takes", ("echo",)),
    ),
    Case("addresses on several lines", interface("Address = 10.0.0.1/24", "address=10.2.0.1/16,fd00::1/64")),
    Case("no address", interface() + peer("AllowedIPs = 10.4.0.0/16")),
    # MTU
    Case("MTU", interface(_ADDRESS, "MTU = 1380") + peer(_OTHER)),
    Case("MTU from a route", interface(_ADDRESS) + peer("Endpoint = 198.51.100.7:51820")),
    Case("MTU from a link", interface(_ADDRESS) + peer("Endpoint = 203.0.113.7:51820")),
    Case("MTU from IPv6", interface(_ADDRESS) + peer("Endpoint = [2001:db8::7]:51820")),
    Case("MTU from the default route", interface(_ADDRESS) + peer(_OTHER)),
    Case(
        "MTU over endpoints",
        interface(_ADDRESS)
        + peer("Endpoint = 198.51.100.7:51820")
        + peer("Endpoint = 192.0.2.9:51820", number=1),
        differs=Difference("greatest MTU of all endpoints in 2021, least in 2026", ("links", "echo")),
    ),
    # Routes
    Case("Table = off", interface(_ADDRESS, "Table = off") + peer("AllowedIPs = 10.1.0.0/16, 0.0.0.0/0")),
    Case(
        "Table = number", interface(_BOTH, "Table = 1234") + peer("AllowedIPs = 10.1.0.0/16, fd01::/64, ::/0")
    ),
    Case(
        "Table = name",
        interface(_ADDRESS, "Table = main") + peer("AllowedIPs = 10.1.0.0/16"),
        differs=Difference("ours echoes the number of the table", ("echo",)),
    ),
    Case("Table = auto", interface(_ADDRESS, "Table = auto") + peer("AllowedIPs = 10.1.0.0/16")),
    Case("many allowed IPs", interface(_ADDRESS) + peer(f"AllowedIPs = {_MANY}")),
    Case(
        "overlapping allowed IPs",
        interface(_ADDRESS)
        + peer("AllowedIPs = 10.0.0.0/8, 10.1.2.0/24")
        + peer("AllowedIPs = 10.1.0.0/16, 10.0.0.7/32", number=1),
    ),
    Case("halves", interface(_BOTH) + peer("AllowedIPs = 0.0.0.0/1, 128.0.0.0/1, ::/1, 8000::/1")),
    # Full tunnels
    Case("0.0.0.0/0", interface(_ADDRESS) + peer("AllowedIPs = 0.0.0.0/0", "Endpoint = 192.0.2.9:51820")),
    Case("::/0", interface("Address = fd00::1/64") + peer("AllowedIPs = ::/0")),
    Case("all of both", interface(_BOTH) + peer("AllowedIPs = 0.0.0.0/0, ::/0, 10.0.0.0/8")),
    Case("all, with FwMark", interface(_BOTH, "FwMark = 0x4711") + peer("AllowedIPs = 0.0.0.0/0, ::/0")),
    Case("the highest FwMark", interface(_ADDRESS, "FwMark = 0xffffffff") + peer("AllowedIPs = 0.0.0.0/0")),
    Case(
        "all, more addresses",
        interface("Address = 10.0.0.1/24, 10.3.0.1/24") + peer("AllowedIPs = 0.0.0.0/0"),
    ),
    # The rest of the file
    Case("PersistentKeepalive", interface(_ADDRESS) + peer("PersistentKeepalive = 25", _OTHER)),
    Case("PresharedKey", interface(_ADDRESS) + peer(f"PresharedKey = {PEERS[2]}", _OTHER)),
    Case("FwMark", interface(_ADDRESS, "FwMark = 51") + peer("AllowedIPs = 10.1.0.0/16")),
    Case("DNS", interface(_ADDRESS, "DNS = 10.0.0.53, fd00::53, example.org", "DNS = lan") + peer()),
    Case("DNS, only domains", interface(_ADDRESS, "DNS = example.org") + peer()),
    Case(
        "keys in any case, comments, blanks",
        f"# a file\n\n  [interface]\nprivatekey={PRIVATE} # ours\n\tADDRESS = 10.0.0.1/24 # here\n"
        "listenport = 51820\n"
        f"[PEER]\npublickey ={PEERS[0]}\nallowedips = 10.1.0.0/16 , 10.2.0.0/16",
    ),
    # Hooks
    Case(
        "hooks",
        interface(_ADDRESS, *(f"{key} = echo {key} %i; echo 2 %i-%i" for key in _HOOKS)),
    ),
    Case("a hook that changes the interface", interface(_ADDRESS, "PostUp = ip ro add 10.9.0.0/16 dev %i")),
    Case("a hook of bash", interface(_ADDRESS, "PostUp = [[ %i == wt* ]] && wc -l < <(echo $((1+1)))")),
    Case("a hook as a function's body", interface(_ADDRESS, "PostUp = local a=1; echo $a; return; false")),
    Case("PostUp returns", interface(_ADDRESS, "PostUp = return 4")),
    Case("a hook that ends with a backslash", interface(_ADDRESS, "PostUp = echo \\")),
    Case("PostUp fails", interface(_ADDRESS, "PostUp = exit 7") + peer("AllowedIPs = 0.0.0.0/0")),
    Case("part of a PostUp fails", interface(_ADDRESS, "PostUp = false; true")),
    Case("PreDown fails", interface(_ADDRESS, "PreDown = test -e gone || exit 9", "PreDown = touch gone")),
    Case("PostDown fails", interface(_ADDRESS, "PostDown = exit 9")),
    # Saving
    Case(
        "SaveConfig",
        interface(_BOTH, "SaveConfig = true", "PostUp = true %i", "Table = auto", "MTU = 1300")
        + peer("AllowedIPs = 10.1.0.0/16", "Endpoint = 192.0.2.9:51820"),
        between=("wg", "set", NAME, "peer", PEERS[1], "allowed-ips", "10.2.0.0/16"),
    ),
    Case(
        "save",
        interface(_ADDRESS, "DNS = 10.0.0.53", "Table = 77") + peer("AllowedIPs = 10.1.0.0/16"),
        commands=(("up", FILE), ("save", FILE), ("down", FILE)),
    ),
    Case(
        "save, an IPv4 address within one of IPv6",
        interface("Address = ::192.0.2.7/96") + peer(_OTHER),
        commands=(("up", FILE), ("save", FILE), ("down", FILE)),
        differs=Difference("ours echoes the address as Python writes it", ("echo",)),
    ),
    Case("strip", "# kept\n" + interface(_ADDRESS, "DNS = 1.1.1.1") + peer(), (("strip", FILE),)),
    Case("strip of a wrong file", interface("Unknown = 1"), (("strip", FILE),)),
    # By name
    Case("by name", _SIMPLE, (("up", NAME), ("down", NAME)), path=f"/etc/wireguard/{NAME}.conf"),
    Case("world accessible", _SIMPLE, mode=0o644),
    # Wrong use
    Case("up twice", _SIMPLE, (("up", FILE), ("up", FILE), ("down", FILE))),
    Case("down twice", _SIMPLE, (("up", FILE), ("down", FILE), ("down", FILE))),
    Case("down, up", _SIMPLE, (("up", FILE), ("down", FILE), ("up", FILE), ("down", FILE))),
    Case("not up", _SIMPLE, (("down", FILE), ("save", FILE))),
    Case("no such name", _SIMPLE, tuple((word, "nosuch") for word in ("up", "down", "save", "strip"))),
    Case("no such file", _SIMPLE, (("up", "./nosuch.conf"),)),
    Case("another suffix", _SIMPLE, (("up", "./wt0.txt"),), path="./wt0.txt"),
    Case("no name", _SIMPLE, (("up",), ("down",), ("up", FILE, FILE))),
    Case("a wrong SaveConfig", interface(_ADDRESS, "SaveConfig = maybe"), (("up", FILE),)),
    Case("a wrong key", _SIMPLE.replace(PRIVATE, PRIVATE[1:]), (("up", FILE),), differs=_BEFOREHAND),
    Case("a wrong address", interface("Address = 10.0.0.1/99"), (("up", FILE),), differs=_BEFOREHAND),
    Case(
        "an address twice",
        interface(_ADDRESS, _ADDRESS),
        (("up", FILE),),
        differs=Difference("seen in the file: 1 and not ip(8)'s 2", ("status", "echo")),
    ),
)
