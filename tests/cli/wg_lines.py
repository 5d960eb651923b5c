"""The command lines of wg(8) that are compared: see test_same_as_wg.py, and lines.py for how they are read.

Nothing comes in; tables go out. Rule: a line stands here once, under what it is about.
"""

from dataclasses import dataclass
from typing import Final

from pywg.show.fields import FIELDS
from tests.cli.lines import KEY_FILES, PSK, RIGHT, WRONG, Line, lines

SHOW: Final = [
    *(Line.parse(f"show IF {name}") for name in FIELDS),
    *lines("""
        show IF
        showconf IF
        WG_COLOR_MODE=always show IF
        WG_COLOR_MODE=never show IF
        WG_COLOR_MODE=auto show IF
        WG_COLOR_MODE=ALWAYS show IF
        WG_COLOR_MODE= show IF
        WG_COLOR_MODE=always show IF dump
        WG_COLOR_MODE=always NO_COLOR=1 show IF
        WG_COLOR_MODE=always WG_HIDE_KEYS=never show IF
        WG_HIDE_KEYS=never show IF
        WG_HIDE_KEYS=NEVER show IF
        WG_HIDE_KEYS=always show IF
        WG_HIDE_KEYS= show IF
        WG_HIDE_KEYS=always show IF private-key
        WG_HIDE_KEYS=always show IF dump
        WG_HIDE_KEYS=always showconf IF
    """),
]
"""On each interface."""

SHOW_ALL: Final = [
    *lines("""
        show
        show all
        show interfaces
        WG_COLOR_MODE=always WG_HIDE_KEYS=never show all
        show all dump
    """),
    *(Line.parse(f"show all {name}") for name in FIELDS if name not in {"dump", "endpoints"}),
]
"""On all interfaces of a machine."""

REFUSED: Final = lines("""
    show all frobnicate
    show all ''
    show all dump dump
    show interfaces dump
    show interfaces dump dump
    show IF frobnicate
    show IF ''
    show IF Dump
    show IF dump dump
    show absent0
    show absent0 dump
    show ''
    show ../IF
    show lo
    show help                       # asked for in this way it is a success, told on standard error
    show help dump
    showconf
    showconf absent0
    showconf all
    showconf ''
    showconf IF dump
    set
    set IF
    set absent0 listen-port 7
    set '' listen-port 7
    set all listen-port 7
    setconf
    setconf IF
    setconf IF {full} {full}
    setconf absent0 {full}
    setconf '' {full}
    setconf IF {missing}
    setconf IF ''
    addconf
    addconf IF
    addconf IF {full} {full}
    addconf absent0 {full}
    addconf IF {missing}
    syncconf
    syncconf IF
    syncconf IF {full} {full}
    syncconf absent0 {full}
    syncconf IF {missing}
    nobody: show                    # nothing may be read of it, but it is named
    nobody: show all dump
    nobody: show interfaces
    nobody: show IF
    nobody: show absent0
    nobody: showconf IF
    nobody: set IF listen-port 7
    nobody: syncconf IF /dev/null
    genkey x
    genpsk x
    pubkey x
""")
"""Wrong use, what is not there, what is not allowed."""

SET: Final = [
    *lines("""
        set IF listen-port 12345
        set IF listen-port 0
        set IF listen-port 65535
        set IF listen-port 007
        set IF listen-port +7
        set IF listen-port domain
        set IF listen-port seven
        set IF listen-port -1
        set IF listen-port 1.5
        set IF listen-port 7x
        set IF listen-port ''
        set IF listen-port
        set IF listen-port 7 listen-port 8
        set IF fwmark 0xca6c
        set IF fwmark 0xABC
        set IF fwmark 51820
        set IF fwmark 010
        set IF fwmark 0
        set IF fwmark off
        set IF fwmark OFF
        set IF fwmark 4294967295
        set IF fwmark 0xffffffff
        set IF fwmark 4294967296
        set IF fwmark 0x100000000
        set IF fwmark -1
        set IF fwmark +1
        set IF fwmark 0x
        set IF fwmark 0xzz
        set IF fwmark 0Xa
        set IF fwmark on
        set IF fwmark ''
        set IF fwmark
        set IF private-key /dev/null
        set IF private-key {missing}
        set IF private-key {directory}
        set IF private-key ''
        set IF private-key
        set IF private-key {key} listen-port seven
        set IF private-key /dev/stdin < key
        set IF private-key /dev/stdin < short-key
        set IF private-key /dev/stdin < no-key
        set IF peer {PEER}
        set IF peer {NEW}
        set IF peer {PUBLIC}
        set IF peer {PUBLIC} allowed-ips 10.0.0.0/8
        set IF peer {SHORT}
        set IF peer {LONG}
        set IF peer {HEX}
        set IF peer {STRAY_BITS}
        set IF peer ' {PEER}'
        set IF peer ''
        set IF peer
        set IF peer {PEER} remove
        set IF peer {NEW} remove
        set IF peer {PEER} remove peer {OTHER} remove
        set IF peer {PEER} remove peer {PEER}
        set IF peer {PEER} remove endpoint 192.0.2.9:9 allowed-ips 10.9.0.0/16
        set IF peer {PEER} preshared-key /dev/null
        set IF peer {PEER} preshared-key /dev/stdin < key-alone
        set IF peer {PEER} preshared-key {missing}
        set IF peer {PEER} preshared-key
        set IF peer {PEER} endpoint 192.0.2.9:9
        set IF peer {PEER} endpoint 192.0.2.9:0
        set IF peer {PEER} endpoint 192.0.2.9:65535
        set IF peer {PEER} endpoint 192.0.2.9:domain
        set IF peer {PEER} endpoint 127.1:9
        set IF peer {PEER} endpoint 0x7f.1:9
        set IF peer {PEER} endpoint [192.0.2.9]:9
        set IF peer {PEER} endpoint [2001:db8::9]:9
        set IF peer {PEER} endpoint 2001:db8::9:9
        set IF peer {PEER} endpoint [::ffff:192.0.2.1]:9
        set IF peer {PEER} endpoint [fe80::9%lo]:9
        set IF peer {PEER} endpoint [fe80::9%1]:9
        set IF peer {PEER} endpoint [fe80::9%absent0]:9
        set IF peer {PEER} endpoint 192.0.2.9
        set IF peer {PEER} endpoint 192.0.2.9:
        set IF peer {PEER} endpoint :9
        set IF peer {PEER} endpoint [::1]
        set IF peer {PEER} endpoint [::1]9
        set IF peer {PEER} endpoint [::1:9
        set IF peer {PEER} endpoint []:9
        set IF peer {PEER} endpoint host.invalid:
        set IF peer {PEER} endpoint ''
        set IF peer {PEER} endpoint
        WG_ENDPOINT_RESOLUTION_RETRIES=0 set IF peer {PEER} endpoint 192.0.2.9:nine
        WG_ENDPOINT_RESOLUTION_RETRIES=0 set IF peer {PEER} endpoint host.invalid:9
        WG_ENDPOINT_RESOLUTION_RETRIES=infinity set IF peer {PEER} endpoint 192.0.2.9:9
        WG_ENDPOINT_RESOLUTION_RETRIES=many set IF peer {PEER} endpoint 192.0.2.9:9
        WG_ENDPOINT_RESOLUTION_RETRIES=many set IF listen-port 7
        WG_ENDPOINT_RESOLUTION_RETRIES= set IF peer {PEER} endpoint 192.0.2.9:9
        WG_ENDPOINT_RESOLUTION_RETRIES=+00000000000 set IF peer {PEER} endpoint 192.0.2.9:9
        WG_ENDPOINT_RESOLUTION_RETRIES=0 set IF peer {PEER} endpoint host.invalid:9 endpoint 192.0.2.9:9
        WG_ENDPOINT_RESOLUTION_RETRIES=0 set IF peer {PEER} endpoint 192.0.2.9:nine endpoint 192.0.2.9:9
        set IF peer {PEER} endpoint '192.0.2.9: 9'
        set IF peer {PEER} endpoint 192.0.2.9:-0
        WG_ENDPOINT_RESOLUTION_RETRIES=0 set IF peer {PEER} endpoint 192.0.2.9:-1
        set IF peer {PEER} persistent-keepalive 9
        set IF peer {PEER} persistent-keepalive 007
        set IF peer {PEER} persistent-keepalive 65535
        set IF peer {PEER} persistent-keepalive 0
        set IF peer {PEER} persistent-keepalive off
        set IF peer {PEER} persistent-keepalive OFF
        set IF peer {PEER} persistent-keepalive 65536
        set IF peer {PEER} persistent-keepalive -1
        set IF peer {PEER} persistent-keepalive +9
        set IF peer {PEER} persistent-keepalive 9s
        set IF peer {PEER} persistent-keepalive on
        set IF peer {PEER} persistent-keepalive ''
        set IF peer {PEER} persistent-keepalive
        set IF peer {PEER} allowed-ips 10.9.0.0/16
        set IF peer {PEER} allowed-ips 10.9.0.0/16,::/0
        set IF peer {PEER} allowed-ips ' 10.9.0.0 / 16 , ::/0 '
        set IF peer {PEER} allowed-ips ''
        set IF peer {PEER} allowed-ips 10.9.0.1
        set IF peer {PEER} allowed-ips fd09::1
        set IF peer {PEER} allowed-ips ::ffff:10.9.0.1
        set IF peer {PEER} allowed-ips 10.1.0.0/16         # it is OTHER's
        set IF peer {PEER} allowed-ips 10.9.0.1/16
        set IF peer {PEER} allowed-ips fd09::1/64
        set IF peer {PEER} allowed-ips 10.9.0.0/016
        set IF peer {PEER} allowed-ips '10.9.0.0/1 6'
        set IF peer {PEER} allowed-ips 10.9.0.0/16,10.9.0.0/16
        set IF peer {PEER} allowed-ips 10.9.0.0/33
        set IF peer {PEER} allowed-ips fd09::/129
        set IF peer {PEER} allowed-ips 10.9.0.0/
        set IF peer {PEER} allowed-ips 10.9.0.0/-1
        set IF peer {PEER} allowed-ips 10.9.0.0/x
        set IF peer {PEER} allowed-ips 10.9.0.0/16/16
        set IF peer {PEER} allowed-ips 10.9.0.0/255.255.0.0
        set IF peer {PEER} allowed-ips 10.9.0.0/16,
        set IF peer {PEER} allowed-ips ,10.9.0.0/16
        set IF peer {PEER} allowed-ips ,
        set IF peer {PEER} allowed-ips /
        set IF peer {PEER} allowed-ips x
        set IF peer {PEER} allowed-ips 10.9/16
        set IF peer {PEER} allowed-ips 010.9.0.0/16
        set IF peer {PEER} allowed-ips [fd09::1]/64
        set IF peer {PEER} allowed-ips fd09::%lo/64
        set IF peer {PEER} allowed-ips
        set IF peer {PEER} allowed-ips 10.9.0.0/16 allowed-ips 10.8.0.0/16
        set IF peer {NEW} allowed-ips 10.0.0.0/24 peer {OTHER} allowed-ips fd00::/64
        set IF listen-port 7 fwmark 7 private-key {key} peer {NEW} preshared-key {key} endpoint [::9]:9 remove
        set IF peer {NEW} allowed-ips ::/0 persistent-keepalive 9 endpoint 192.0.2.9:9 preshared-key {key}
        set IF frobnicate
        set IF ''
        set IF Listen-Port 7
        set IF remove
        set IF allowed-ips 10.9.0.0/16
        set IF peer {PEER} listen-port 7
        set IF peer {PEER} frobnicate
        set IF listen-port 7 peer {NEW} frobnicate
    """),
    *(Line.parse(f"set IF private-key {{{name}}}") for name in KEY_FILES),
    *(Line.parse(f"set IF peer {{PEER}} preshared-key {{{name}}}") for name in KEY_FILES),
]

CONF: Final = [
    *(
        Line.parse(f"{command} IF {{{name}}}")
        for command in ("setconf", "addconf", "syncconf")
        for name in (*RIGHT, *WRONG)
    ),
    *lines("""
        setconf IF /dev/null
        setconf IF /dev/stdin < full
        addconf IF /dev/stdin < new-peer
        syncconf IF /dev/stdin < full
        setconf IF /dev/stdin < rubbish
        setconf IF {bare-peer}
        addconf IF {bare-peer}
    """),
]

ON_ANOTHER_DAEMON: Final = [
    *(
        Line.parse(f"{command} IF {{{name}}}")
        for command in ("setconf", "addconf", "syncconf")
        for name in RIGHT
    ),
    *lines("""
        set IF listen-port 12345
        set IF fwmark 0xca6c
        set IF fwmark off
        set IF private-key {key}
        set IF private-key /dev/null
        set IF peer {PUBLIC} allowed-ips 10.0.0.0/8
        set IF peer {NEW} remove
        set IF peer {PEER} remove peer {OTHER} remove
        set IF peer {PEER} preshared-key /dev/null
        set IF peer {PEER} endpoint [fe80::9%lo]:9
        set IF peer {PEER} endpoint [::ffff:192.0.2.1]:9
        set IF peer {PEER} persistent-keepalive 0
        set IF peer {PEER} allowed-ips ''
        set IF peer {PEER} allowed-ips 10.9.0.1/16,::ffff:10.9.0.1
        set IF peer {NEW} allowed-ips 10.0.0.0/24 peer {OTHER} allowed-ips fd00::/64
        set IF peer {NEW} allowed-ips ::/0 persistent-keepalive 9 endpoint 192.0.2.9:9 preshared-key {key}
    """),
]
"""Some that reach the interface, for one that is not ours."""

PUBKEY: Final = [Line.parse(f"pubkey < {name}") for name in KEY_FILES]


@dataclass(frozen=True, slots=True)
class Newer:
    """What the tools of 2026 do and Debian's of 2021 do not."""

    line: Line
    what: str
    peer: str
    """What the dump says afterwards of PEER, with spaces for tabs."""


NEWER: Final = (
    *(
        Newer(
            Line.parse(f"set IF peer {{PEER}} allowed-ips {change}"),
            "incremental allowed IPs",
            f"{PSK} 192.0.2.1:1234 {allowed_ips} 0 0 0 25",
        )
        for change, allowed_ips in {
            "+10.2.0.0/16": "10.0.0.0/24,10.2.0.0/16,fd00::/64",
            "+10.2.0.1/16": "10.0.0.0/24,10.2.0.0/16,fd00::/64",
            "-10.0.0.0/24": "fd00::/64",
            "-10.0.0.7/24": "fd00::/64",
            "-10.0.0.0/24,-fd00::/64": "(none)",
            "-10.0.0.0/24,+10.0.0.0/25": "10.0.0.0/25,fd00::/64",
            "+10.2.0.0/16,10.3.0.0/16": "10.0.0.0/24,10.2.0.0/16,10.3.0.0/16,fd00::/64",
            "10.2.0.0/16,-10.2.0.0/16,+::/0": "10.0.0.0/24,fd00::/64,::/0",
        }.items()
    ),
    Newer(
        Line.parse("addconf IF {increment}"),
        "incremental allowed IPs in a file",
        f"{PSK} 192.0.2.1:1234 10.2.0.0/16,fd00::/64 0 0 0 25",
    ),
    Newer(
        Line.parse("syncconf IF {increment}"),
        "the same; preshared key and keepalive reset",
        "(none) 192.0.2.1:1234 10.2.0.0/16,fd00::/64 0 0 0 off",
    ),
    Newer(
        Line.parse("syncconf IF {bare-peer}"),
        "preshared key and keepalive reset where the file has none",
        "(none) 192.0.2.1:1234 (none) 0 0 0 off",
    ),
)
"""On the daemon of pywg; Debian's wireguard-go knows nothing of increments. One more, which changes nothing:
of ``show all endpoints``, the interface's name is on every line, not only on the first (a test of its own).
"""

OTHERWISE: Final = {
    "set IF listen-port 65537": "wg cuts the port to 16 bits and says nothing",
    "set IF peer {PEER} endpoint 192.0.2.9:65537": "the same",
    "set IF peer {PEER} endpoint '192.0.2.9: 65537'": "the same",
    "set IF peer {PEER} endpoint 192.0.2.9:-4294967295": "the same",
    "setconf IF {port-too-large}": "the same",
    "setconf IF {directory}": "wg takes it for an empty file and clears the interface",
    "syncconf IF {directory}": "the same",
    "setconf IF {zero-byte}": "wg does not see the rest of the line",
}
"""What wg takes, and we refuse without touching the interface, with the reason.

Not in the list: we sort interfaces by name, where wg has the directory's order; we refuse a name of more than
15 characters, where wg cuts it; we warn of a prefix that a file gives to two peers, of which wg says nothing;
our help is longer and goes to standard output; ``pywg`` alone is not ``pywg show``; a result that cannot be
written (full disk, closed standard output) is a failure, which wg does not notice (tests/cli/test_tools.py).
"""
