"""Where pywg means to differ from wg and wg-quick, by name. All else is to be the same; the tests say so.

Newer than Debian's tools of 2021, and here as in those of 2026:
- incremental allowed IPs: ``AllowedIPs = +10.0.0.0/8, -fd00::/8`` (test_same_as_wg);
- ``syncconf`` clears a preshared key and a keepalive that the file lacks (test_change, test_same_as_wg);
- hooks keep their ``#`` (test_same_as_wg_quick, test_parse);
- WG_ENDPOINT_RESOLUTION_RETRIES, and which errors of a resolver are final (tests/net/test_resolve).

In no version of them:
- whatever is refused is refused with file, line and what was expected, and never shows a key;
- a port that no UDP service has as its name is refused at once; wg asks again for three minutes;
- ``strip`` apart, wrong values of Address, MTU and Table are refused before anything is done; wg-quick finds
  them when ip(8) refuses them, or never: a second, right MTU hides a wrong one, and without routes
  nobody looks at Table. An MTU is 68 to 65535, also where the kernel's own WireGuard would take others;
- a setting of wg-quick without ``=`` is refused; wg-quick takes the setting's name for its value;
- ``DNS = *`` is no list of the files in this directory;
- ``save`` writes ``a && b`` in a hook as it is (bash 5.2 puts "[Interface]" in place of each ``&``), and
  addresses also of a device that has neither port nor key;
- ``down`` that could not take back name servers, rules or firewall says so and exits 1; wg-quick exits 0, or
  stops half-way;
- a route's ``mtu lock`` counts as its MTU;
- a directory is no configuration; wg takes it for an empty one and clears the interface;
- blanks or a minus before the port of ``listen-port`` are refused (wg takes ``set wg0 listen-port " 5"``, and
  for ``-4294967295`` it takes port 1);
- a key file ends after 64 KiB, a configuration after 128 MiB: wg skips white space without end;
- a number in WG_ENDPOINT_RESOLUTION_RETRIES that only strtoul(3) can wrap into range (-18446744073709551615);
- one prefix at two peers of a file is warned of, and taken as by wg (test_parse);
- a configuration that cannot be read to its end is none; wg takes what it could read;
- the cases below.
"""

from dataclasses import dataclass

from tests.config.corpus import interface, peer


@dataclass(frozen=True)
class Difference:
    """A file that wg takes and we refuse."""

    name: str
    text: str
    expected: str
    """Part of our message."""


STRICTER = (
    Difference(
        "wg cuts a port to 16 bits",
        interface("ListenPort = 65537"),
        "f:2: ListenPort '65537': expected a port from 0 to 65535",
    ),
    Difference(
        "wg cuts the port of an endpoint to 16 bits",
        peer("Endpoint = 127.0.0.1:70000"),
        "f:3: Endpoint '127.0.0.1:70000': expected a port from 0 to 65535",
    ),
    Difference(
        "wg ends a line at a zero byte",
        "[Interface]\0 and so on\nListenPort = 5\n",
        "f:1: there is a zero byte; expected a text file in UTF-8",
    ),
    Difference(
        "wg ends a value at a zero byte",
        interface("ListenPort = 5\0 and so on"),
        "f:2: ListenPort '5\\x00andsoon': expected a port",
    ),
)
