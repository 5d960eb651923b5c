"""Command lines as one would type them, and the files they name.

Comes in: text. Goes out: words, environment, standard input. In a line IF stands for the interface, {NAME}
for the path of a file of FILES or for a public key, ``< NAME`` for such a file as standard input, ``nobody:``
in front for a user who is not root. ``NAME=value`` in front is the environment; nothing else is in it.
"""

import re
import shlex
from base64 import b64decode
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

PRIVATE: Final = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="
PUBLIC: Final = "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw="
PEER: Final = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
OTHER: Final = "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0="
NEW: Final = "gN65BkIKy1eCE9pP1wdc8ROUtkHLF2PfAqYdyYBz6EA="
PSK: Final = "FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE="
STRAY_BITS: Final = PEER[:-2] + "h="
"""The right length and alphabet, but bits behind the 32nd byte."""

WORDS: Final = {
    "PEER": PEER,
    "OTHER": OTHER,
    "NEW": NEW,
    "PUBLIC": PUBLIC,
    "SHORT": PEER[:-1],
    "LONG": f"{PEER}=",
    "HEX": b64decode(PEER).hex(),
    "STRAY_BITS": STRAY_BITS,
}

_ASSIGNMENT: Final = re.compile(r"([A-Z_]+)=(.*)")

INTERFACE: Final = f"[Interface]\nPrivateKey = {PSK}\nListenPort = 7\nFwMark = 0x10\n"
FULL_PEER: Final = (
    f"[Peer]\nPublicKey = {PEER}\nPresharedKey = {PRIVATE}\nAllowedIPs = 10.9.0.0/24, fd09::/64\n"
    "Endpoint = [2001:db8::9]:99\nPersistentKeepalive = 9\n"
)
NEW_PEER: Final = f"[Peer]\nPublicKey = {NEW}\nAllowedIPs = 10.0.0.0/24\n"
"""It takes a prefix away from PEER."""
BOTH: Final = INTERFACE + FULL_PEER


def _in_capitals(text: str) -> str:
    """All but keys and the x of hexadecimal numbers."""
    return "\n".join(
        line if "Key =" in line and "Persistent" not in line else line.upper().replace("0X", "0x")
        for line in text.split("\n")
    )


RIGHT: Final = {
    "full": BOTH + "\n" + NEW_PEER,
    "empty": "",
    "interface": INTERFACE,
    "only-its-section": "[Interface]\n",
    "peers": FULL_PEER + NEW_PEER,
    "new-peer": NEW_PEER,
    "peer-twice": FULL_PEER + NEW_PEER + NEW_PEER.replace("10.0.0.0/24", "10.5.0.0/16"),
    "own-public-key": INTERFACE.replace(PSK, PRIVATE) + FULL_PEER + NEW_PEER.replace(NEW, PUBLIC),
    "interface-twice": BOTH + "[Interface]\nListenPort = 8\n",
    "in-capitals": _in_capitals(BOTH),
    "without-spaces": BOTH.replace(" ", ""),
    "with-spaces": BOTH.replace("=\n", "=\f\n").replace(" = ", "\t =\v ").replace("[Peer]", " [ P e er ]"),
    "carriage-returns": BOTH.replace("\n", "\r\n"),
    "no-last-newline": BOTH.rstrip("\n"),
    "comments": f"# a file\n{INTERFACE}#ListenPort=9\n{FULL_PEER}AllowedIPs = 10.7.0.0/16 # more\n",
    "port-by-name": "[Interface]\nListenPort = domain\n" + FULL_PEER,
    "off": "[Interface]\nFwMark = off\n" + FULL_PEER.replace("Keepalive = 9", "Keepalive = Off"),
    "no-allowed-ips": FULL_PEER.replace("AllowedIPs = 10.9.0.0/24, fd09::/64\n", ""),
    "allowed-ips-without-length": FULL_PEER.replace("/24", "").replace("/64", ""),
    "allowed-ips-with-host-bits": FULL_PEER.replace("10.9.0.0/24", "10.9.0.1/24"),
    "allowed-ips-with-dots": FULL_PEER.replace("fd09::/64", "::ffff:10.1.2.3/128, ::/96, ::1.2.3.0/120"),
}
"""What setconf, addconf and syncconf take."""

WRONG: Final = {
    "no-section": "ListenPort = 7\n",
    "unknown-section": INTERFACE + "[Peers]\n",
    "unknown-key": INTERFACE + "Frobnicate = yes\n",
    "no-value": "[Interface]\nListenPort =\n",
    "no-equals": "[Interface]\nListenPort\n",
    "of-wg-quick": INTERFACE + "Address = 10.0.0.1/24\n",
    "key-of-peer-in-interface": INTERFACE + f"PublicKey = {PEER}\n",
    "key-of-interface-in-peer": FULL_PEER + "ListenPort = 7\n",
    "no-public-key": INTERFACE + "[Peer]\nAllowedIPs = 10.0.0.0/8\n",
    "bad-private-key": INTERFACE.replace(PSK, PSK[:-2]),
    "bad-public-key": FULL_PEER.replace(PEER, STRAY_BITS),
    "bad-preshared-key": FULL_PEER.replace(PRIVATE, PRIVATE + "="),
    "bad-port": "[Interface]\nListenPort = seven\n",
    "bad-fwmark": "[Interface]\nFwMark = 0x100000000\n",
    "bad-endpoint": FULL_PEER.replace("]:99", "]"),
    "bad-keepalive": FULL_PEER.replace("Keepalive = 9", "Keepalive = 65536"),
    "bad-allowed-ips": FULL_PEER.replace("fd09::/64", "fd09::/129"),
    "allowed-ips-with-last-comma": FULL_PEER.replace("fd09::/64", ""),
    "wrong-after-right": BOTH + "x\n",
    "rubbish": "\udcff\udcfe\udc80",
}
"""What they do not."""

KEY_FILES: Final = {
    "key": f"{PSK}\n",
    "key-alone": PSK,
    "key-and-spaces": f"{PSK} \t\v\f\r\n\n",
    "key-and-zero": f"{PSK}\0\n\0",
    "no-key": "",
    "only-newline": "\n",
    "short-key": PSK[:-1],
    "key-and-more": f"{PSK}\nx\n",
    "two-keys": PSK + PRIVATE,
    "key-and-separator": f"{PSK}\x1c",
    "space-and-key": f" {PSK}\n",
    "newline-in-key": f"{PSK[:20]}\n{PSK[20:]}",
    "hex-key": f"{b64decode(PSK).hex()}\n",
    "url-safe-key": f"{PSK.replace('+', '-')}\n",
    "stray-bits": f"{STRAY_BITS}\n",
    "key-without-end": f"{PSK[:-1]}A",
    "zero-key": "A" * 43 + "=",
    "ones-key": "/" * 42 + "8=",
    "equals": "=" * 44,
    "bytes": "\udcff" * 44,
}

FILES: Final = {
    **RIGHT,
    **WRONG,
    **KEY_FILES,
    "bare-peer": f"[Peer]\nPublicKey = {PEER}\n",
    "increment": f"[Peer]\nPublicKey = {PEER}\nAllowedIPs = +10.2.0.0/16, -10.0.0.0/24\n",
    "port-too-large": "[Interface]\nListenPort = 65537\n",
    "zero-byte": INTERFACE + "\0x\n",
}
"""Name to content; also there are a ``directory`` and what is ``missing``."""


def write_files(directory: Path) -> None:
    """Make FILES."""
    (directory / "directory").mkdir()
    for name, text in FILES.items():
        (directory / name).write_bytes(text.encode("utf-8", "surrogateescape"))


@dataclass(frozen=True, slots=True)
class Line:
    """A line, taken apart."""

    text: str
    words: tuple[str, ...]
    env: dict[str, str]
    stdin: bytes
    is_nobody: bool

    @classmethod
    def parse(cls, text: str) -> Self:
        """See the top of this file."""
        words = shlex.split(text)
        is_nobody = words[0] == "nobody:"
        del words[: int(is_nobody)]
        env = {}
        while (assignment := _ASSIGNMENT.fullmatch(words[0])) is not None:
            env[assignment[1]] = assignment[2]
            del words[0]
        stdin = ""
        if "<" in words:
            stdin = FILES[words.pop()]
            words.pop()
        return cls(text, tuple(words), env, stdin.encode("utf-8", "surrogateescape"), is_nobody)

    @property
    def id(self) -> str:
        """For pytest, which cuts at ``::``."""
        return self.text.replace("::", "..")

    def argv(self, interface: str, directory: Path) -> list[str]:
        """The words, with everything filled in."""
        filled = {name: str(directory / name) for name in (*FILES, "directory", "missing")} | WORDS
        return [interface if word == "IF" else word.format_map(filled) for word in self.words]


def lines(text: str) -> list[Line]:
    """One per line; empty ones are left out, and what follows ``# `` is a comment."""
    uncommented = (line.partition("# ")[0].strip() for line in text.splitlines())
    return [Line.parse(line) for line in uncommented if line]
