"""Files, good, wrong and odd, to hold our parser against the reference tools with.

Keys are published ones (the manual page of wg).
"""

import random
from collections.abc import Iterable, Iterator

PRIVATE = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="
PEER = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
OTHER = "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0="
PSK = "FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE="

EXAMPLE = f"""[Interface]
PrivateKey = {PRIVATE}
ListenPort = 51820

[Peer]
PublicKey = {PEER}
Endpoint = 192.95.5.67:1234
AllowedIPs = 10.192.122.3/32, 10.192.124.0/24

[Peer]
PublicKey = {OTHER}
PresharedKey = {PSK}
Endpoint = [2607:5300:60:6b0::c05f:543]:2468
AllowedIPs = 10.192.122.4/32, 192.168.0.0/16
PersistentKeepalive = 25
"""

QUICK_EXAMPLE = f"""[Interface]
Address = 10.200.100.8/24, fd00::8/64
DNS = 10.200.100.1, example.com
MTU = 1380
Table = 1234
PreUp = true # before
PostUp = echo "%i" | grep '#1' && true
PreDown = a; b
PostDown = c
SaveConfig = true
PrivateKey = {PRIVATE}
# a comment
FwMark = 0xca6c

[Peer]
PublicKey = {PEER}
AllowedIPs = 0.0.0.0/0, ::/0
Endpoint = 127.0.0.1:51820
"""


def interface(line: str) -> str:
    return f"[Interface]\n{line}\n"


def peer(line: str) -> str:
    return f"[Peer]\nPublicKey = {PEER}\n{line}\n"


def _cases(text: str) -> list[str]:
    return text.split("|")


_LISTEN_PORTS = _cases(
    "0|1|51820|65535|-1|0x10|010|+5|00051820|1e3|5.|5 1|ntp|domain|http|frobnicate||\uff15|1_0|off"
)
_FWMARKS = _cases(
    "0|off|OFF|oFf|1|0xca6c|0xCA6C|0Xca6c|0x|0xg|010|0x0010|4294967295|4294967296|0xffffffff|"
    "0x100000000|-1|+1|1x|0x1 2||ca6c|0x-1|9999999999999999999999999999999999999999"
)
_KEEPALIVES = _cases("0|off|Off|1|25|65535|65536|-1|+25|025|0x19|25s|2 5||999999999999999999999999999999")
_ENDPOINTS = _cases(
    "127.0.0.1:1|127.0.0.1:0|127.0.0.1:65535|127.0.0.1|127.0.0.1:|:5|:|[::1]:5|[::1]|[::1]:|[::1|"
    "[::1]5|[::1]x:5|::1:5|2001:db8::1:51820|[127.0.0.1]:5|localhost:5|[localhost]:5|LOCALHOST:5|"
    "[fe80::1%lo]:5|fe80::1%lo:5|[fe80::1%1]:5|[fe80::1%nosuchif]:5|[]:5|127.1:5|0x7f.0.0.1:5|"
    "127.0.0.1:ntp|127.0.0.1:frob|127.0.0.1:-5|127.0.0.1:+5|256.0.0.1.:5|[::1]:5:6|"
    "[::ffff:192.0.2.1]:5|a b:5||[::1]]:5|[[::1]]:5|1 27.0.0.1 : 5|[2001:db8::1]:domain|127.0.0.1:0005|"
    "*:5"
)
_ALLOWED = _cases(
    "10.0.0.0/8|10.0.0.1|fd00::/8|fd00::1|0.0.0.0/0|::/0|10.0.0.0/8,fd00::/8|10.0.0.0/33|10.0.0.0/-1|"
    "10.0.0.0/+8|10.0.0.0/|10.0.0.0/08|10.0.0.0/008|10.0.0.0/8x|10.0.0.0/ 8|::/129|::/0128|::/128|"
    "10.0/8|010.0.0.0/8|10.0.0.256/32|10.0.0.0/8,|,10.0.0.0/8|10.0.0.0/8,,fd00::/8|,|| |"
    "10.0.0.0/8 fd00::/8|10.0.0.0/255.0.0.0|localhost|any|::ffff:1.2.3.4/128|::1.2.3.4|fe80::1%lo/64|"
    "10.0.0.1/24|fd00::1/64|1:2:3:4:5:6:7:8:9|10.0.0.0/0x8|10.0.0.0/8/8|10.0.0.0/8;fd00::/8|"
    "10.0.0.0/999999999999999999999999999999|10.0.0.0/8, 10.0.0.0/8"
)
_KEYS = (
    *(PSK, PSK[:-1], PSK[:-1] + "==", PSK + "=", " ".join(PSK), PSK[:-2] + "F=", PSK.replace("+", "-"), ""),
    *("=" * 44, "A" * 43 + "=", "A" * 42 + "==", "A" * 44, PSK.lower(), PSK[:20], f'"{PSK}"', "\u00e9" * 22),
    *(PSK[:42] + "B=", PSK[:20] + "#" + PSK[20:]),
)


def _numbered(name: str, texts: Iterable[str]) -> dict[str, bytes]:
    return {f"{name}-{number}": text.encode() for number, text in enumerate(texts)}


WG_FILES: dict[str, bytes] = {
    "example": EXAMPLE.encode(),
    "empty": b"",
    "one newline": b"\n",
    "only a comment": b"# [Interface]\n",
    "no final newline": EXAMPLE.rstrip("\n").encode(),
    "CRLF": EXAMPLE.replace("\n", "\r\n").encode(),
    "only CR": EXAMPLE.replace("\n", "\r").encode(),
    "byte order mark": b"\xef\xbb\xbf" + EXAMPLE.encode(),
    "UTF-16": EXAMPLE.encode("utf-16"),
    "Latin-1 comment": b"# caf\xe9\n" + EXAMPLE.encode(),
    "Latin-1 value": interface("ListenPort = caf").encode()[:-1] + b"\xe9\n",
    "upper case": EXAMPLE.replace("ListenPort", "LISTENPORT").replace("[Peer]", "[PEER]").encode(),
    "lower case": EXAMPLE.replace("PublicKey", "publickey").replace("[Interface]", "[interface]").encode(),
    "Kelvin sign": EXAMPLE.replace("PrivateKey", "Private\u212aey").encode(),
    "blanks everywhere": EXAMPLE.replace("PublicKey", "\t Pub lic\vKey\f")
    .replace("[Peer]", " [ Pe er ] ")
    .encode(),
    "blanks in a key": EXAMPLE.replace(PEER, " ".join(PEER)).encode(),
    "no blanks": EXAMPLE.replace(" ", "").encode(),
    "non-breaking space": EXAMPLE.replace(" = ", "\u00a0=\u00a0").encode(),
    "unit separator": EXAMPLE.replace(" = ", " =\x1f ").encode(),
    "comments behind values": EXAMPLE.replace("\n", " # x\n").encode(),
    "comment with a section": EXAMPLE.replace("[Peer]", "[Peer]#[Interface]").encode(),
    "comment in a key": EXAMPLE.replace(PEER, PEER[:20] + "#" + PEER[20:]).encode(),
    "semicolon comment": b"; a comment\n" + EXAMPLE.encode(),
    "key before a section": f"ListenPort = 5\n{EXAMPLE}".encode(),
    "text before a section": f"hello\n{EXAMPLE}".encode(),
    "two interface sections": f"{EXAMPLE}[Interface]\nListenPort = 8\nFwMark = 3\n".encode(),
    "empty interface section": b"[Interface]\n",
    "unknown section": b"[Peers]\n",
    "section without end": b"[Interface\n",
    "section with text": b"[Interface] x\n",
    "section with equals": b"[Interface]=\n",
    "unknown setting": interface("Foo = 1").encode(),
    "setting of wg-quick": interface("Address = 10.0.0.1/24").encode(),
    "key of the other section": interface(f"PublicKey = {PEER}").encode(),
    "interface's key in a peer": peer("ListenPort = 5").encode(),
    "no equals": interface("ListenPort 5").encode(),
    "key alone": interface("ListenPort").encode(),
    "two equals": interface("ListenPort == 5").encode(),
    "key of base64 alone": interface(PRIVATE).encode(),
    "prefix of a key": interface("Listen = 5").encode(),
    "longer key": interface("ListenPorts = 5").encode(),
    "peer without public key": b"[Peer]\nAllowedIPs = 10.0.0.0/8\n",
    "peer without public key, then another": f"[Peer]\n{peer('')}".encode(),
    "peer twice": f"{peer('AllowedIPs = 10.0.0.0/8')}{peer('AllowedIPs = 11.0.0.0/8')}".encode(),
    "public key twice": peer(f"PublicKey = {OTHER}").encode(),
    "wrong, then right": interface("ListenPort = x\nListenPort = 5").encode(),
    "right, then wrong": interface("ListenPort = 5\nListenPort = x").encode(),
    "repeated keys": interface("ListenPort = 5\nFwMark = 1\nListenPort = 6\nFwMark = off").encode(),
    "repeated endpoint": peer("Endpoint = 127.0.0.1:1\nEndpoint = 127.0.0.1:2").encode(),
    "endpoint without a meaning, then another": peer(
        "Endpoint = 256.0.0.1.:1\nEndpoint = 127.0.0.1:2"
    ).encode(),
    "endpoint twice, for a peer twice": (
        peer("Endpoint = 127.0.0.1:1\nEndpoint = 127.0.0.1:2") + peer("Endpoint = 127.0.0.1:3")
    ).encode(),
    "allowed IPs twice": peer("AllowedIPs = 10.0.0.0/8\nAllowedIPs = fd00::/8").encode(),
    "own key as peer": f"[Interface]\nPrivateKey={PRIVATE}\n[Peer]\nPublicKey={PRIVATE}\n".encode(),
    "zero key": interface(f"PrivateKey = {'A' * 43}=").encode(),
    "long line": peer(
        "AllowedIPs = " + ", ".join(f"10.{i}.{j}.0/24" for i in range(50) for j in range(50))
    ).encode(),
    **_numbered("ListenPort", (interface(f"ListenPort = {value}") for value in _LISTEN_PORTS)),
    **_numbered("FwMark", (interface(f"FwMark = {value}") for value in _FWMARKS)),
    **_numbered("PersistentKeepalive", (peer(f"PersistentKeepalive = {value}") for value in _KEEPALIVES)),
    **_numbered("Endpoint", (peer(f"Endpoint = {value}") for value in _ENDPOINTS)),
    **_numbered("AllowedIPs", (peer(f"AllowedIPs = {value}") for value in _ALLOWED)),
    **_numbered("PresharedKey", (peer(f"PresharedKey = {value}") for value in _KEYS)),
    **_numbered("PrivateKey", (interface(f"PrivateKey = {value}") for value in _KEYS)),
    **_numbered("PublicKey", (f"[Peer]\nPublicKey = {value}\n" for value in _KEYS)),
}
"""What wg of 2021 and of 2026 and pywg take or refuse alike."""

INCREMENTAL_FILES = _numbered(
    "incremental",
    (
        peer(lines)
        for lines in (
            "AllowedIPs = +10.0.0.0/8",
            "AllowedIPs = -10.0.0.0/8",
            "AllowedIPs = +10.0.0.0/8, -11.0.0.0/8, 12.0.0.0/8",
            "AllowedIPs = 10.0.0.0/8, +11.0.0.0/8",
            "AllowedIPs = +10.0.0.0/8\nAllowedIPs = 11.0.0.0/8",
            "AllowedIPs = 10.0.0.0/8\nAllowedIPs = -fd00::1",
            "AllowedIPs = + 10.0.0.0 / 8",
            "AllowedIPs = +",
            "AllowedIPs = -,10.0.0.0/8",
            "AllowedIPs = +-10.0.0.0/8",
            "AllowedIPs = ++10.0.0.0/8",
            "AllowedIPs = 10.0.0.0/8+",
        )
    ),
)
"""Changes to what a peer has: wg has them since 2025."""


_ADDRESSES = _cases("10.0.0.1/24, fd00::1/64|10.0.0.1/24 10.0.0.2/24|,10.0.0.1,,fd00::1,|10.0.0.1\t10.0.0.2|")
_DNS = _cases(
    "10.0.0.53|10.0.0.53, fd00::53|example.com|a, 10.0.0.1 b,c 1.2|10.0.0.53:53|fe80::1%eth0||1.2.3|"
    "1.2.3.4x|..|::|a:b"
)
_SAVE = _cases("true|false|TRUE|True|1|yes||true # x|tr ue|true false")
_HOOKS = _cases("a # b|a#b|# b||a = b|  a  |a\\|echo '%i' \"x\" $y `z` && w|a\r|a\t;\tb|é|-n")

QUICK_FILES: dict[str, bytes] = {
    "quick example": QUICK_EXAMPLE.encode(),
    "wg example": EXAMPLE.encode(),
    "nothing": b"",
    "blanks": b"  \t \n   ",
    "newlines": b"\n\n\n",
    "no end": QUICK_EXAMPLE.rstrip("\n").encode(),
    "blanks at the end": QUICK_EXAMPLE.encode() + b"  ",
    "carriage returns": QUICK_EXAMPLE.replace("\n", "\r\n").encode(),
    "quick upper case": QUICK_EXAMPLE.upper()
    .replace(PRIVATE.upper(), PRIVATE)
    .replace(PEER.upper(), PEER)
    .encode(),
    "quick lower case": QUICK_EXAMPLE.replace("PostUp", "postup").replace("Address", "ADDRESS").encode(),
    "quick Latin-1": QUICK_EXAMPLE.encode() + b"# caf\xe9\n[Interface]\nPostUp = \xe9\n",
    "quick byte order mark": b"\xef\xbb\xbf" + QUICK_EXAMPLE.encode(),
    "quick Kelvin sign": QUICK_EXAMPLE.replace("Table = 1234", "Table = \u212a")
    .replace("PrivateKey", "x")
    .encode(),
    "zero bytes": QUICK_EXAMPLE.replace("MTU", "M\0TU").encode(),
    "indented": QUICK_EXAMPLE.replace("\n", "\n \t ").encode(),
    "form feeds": QUICK_EXAMPLE.replace(" = ", " \f=\v ").encode(),
    "commented lines": QUICK_EXAMPLE.replace("\n", " # 10.9.9.9 = x\n")
    .replace("true # 10.9.9.9 = x", "true")
    .encode(),
    "keys in a peer": f"{EXAMPLE}Address = 10.0.0.1\nMTU = 1400\n".encode(),
    "keys before a section": b"Address = 10.0.0.1\nMTU = 1400\n[Interface]\nMTU = 1401\n",
    "second section": f"{QUICK_EXAMPLE}[Interface]\nMTU = 1300\nAddress = 10.0.0.9\nPostUp = d\n".encode(),
    "interface with blanks": b"[ Interface ]\nAddress = 10.0.0.1\n",
    "interface with equals": b"[Interface]=\nAddress = 10.0.0.1\n",
    "interface without end": b"[Interface]\n[x\nAddress = 10.0.0.1\n",
    "repeated": interface("MTU = 1400\nMTU = 1300\nTable = 5\nTable = off\nDNS = a\nDNS = 1.1.1.1").encode(),
    "taken back": interface("MTU = 1400\nMTU =\nTable = 5\nTable = ").encode(),
    "unknown quick key": interface("Foo = 1\nAddress = 10.0.0.1").encode(),
    "longer quick key": interface("MTUs = 1\nXMTU = 1").encode(),
    "comment before equals": interface("MTU # = 1400").encode(),
    "key with blanks inside": interface("Post Up = a").encode(),
    "options": b"-n\n",
    "backslashes": b"# \\n \\c \\\n",
    **_numbered("Address", (interface(f"Address = {value}") for value in _ADDRESSES)),
    **_numbered("DNS", (interface(f"DNS = {value}") for value in _DNS)),
    **_numbered("SaveConfig", (interface(f"SaveConfig = {value}") for value in _SAVE)),
    **_numbered("PostUp", (interface(f"PostUp = {value}") for value in _HOOKS)),
    **_numbered("PreDown", (interface(f"predown={value}") for value in _HOOKS)),
}
"""For wg-quick; not every one is right for wg."""


def mutated(example: str, count: int, seed: int) -> Iterator[bytes]:
    """The example with one or two things changed, the same ones for the same seed."""
    chance = random.Random(seed)
    lines = example.encode().split(b"\n")
    pieces = (
        b"=",
        b"#",
        b" ",
        b",",
        b"/",
        b"[",
        b"]",
        b"\r",
        b"\t",
        b"0",
        b"9",
        b"-",
        b"%",
        b":",
        b"x",
        b"\xff",
    )
    for _ in range(count):
        changed = list(lines)
        for _ in range(chance.randint(1, 2)):
            at = chance.randrange(len(changed))
            line = changed[at]
            place = chance.randint(0, len(line))
            match chance.randrange(6):
                case 0:
                    del changed[at : at + 1]
                    changed = changed or [b""]
                case 1:
                    changed.insert(at, chance.choice(lines))
                case 2:
                    changed[at] = line[:place] + chance.choice(pieces) + line[place:]
                case 3:
                    changed[at] = line[:place] + line[place + 1 :]
                case 4:
                    changed[at] = line[:place] + b"\n" + line[place:]
                case _:
                    changed[at] = line.swapcase()
        yield b"\n".join(changed)
