"""10,000 wrong texts: none escapes as an exception, none silences the server, none makes it tell a key."""

import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pywg.uapi.codec import MalformedReplyError, format_change, format_state, parse_set, parse_state
from pywg.uapi.model import DeviceChange, DeviceState
from pywg.uapi.status import format_status, parse_status
from tests.uapi.fake import Served, eventually, read_reply

TEXTS = 10_000
CANARY = "c0ffee" * 10 + "c0ff"

KEYS = (
    *("set", "get", "get_status", "private_key", "listen_port", "fwmark", "replace_peers", "public_key"),
    *("update_only", "remove", "preshared_key", "endpoint", "persistent_keepalive_interval"),
    *(
        "replace_allowed_ips",
        "allowed_ip",
        "protocol_version",
        "errno",
        "last_handshake_time_sec",
        "tx_bytes",
    ),
    *("drop.x", "icmp_error.1", "engine", "", "x", "PRIVATE_KEY", "recent_drop.x", "recent_icmp_error.1"),
    *("handshake.x", "traffic.x", "handshake_failure_age.x", "stranger.public_key", "stranger.source"),
)
VALUES = (
    *("true", "false", "", "0", "1", "-1", "65535", "65536", "4294967295", "4294967296", "9" * 5000, "0x10"),
    *(CANARY, CANARY[:-1], CANARY + "0", "0" * 64, "ff" * 32),
    *("192.0.2.1:5", "192.0.2.1", "[::1]:5", "[fe80::1%lo]:5", "[fe80::1%nope]:5", "[fe80::1%9999999999]:5"),
    *("[::1:5", ":5", "[]:5", "1.2.3.4.5:5", "example.com:5", "[%]:5", "[::%\0]:1"),
    *(
        "10.0.0.0/8",
        "10.0.0.0",
        "-10.0.0.0/8",
        "10.0.0.0/33",
        "::/0",
        "-::/128",
        "::/129",
        "fe80::%1/64",
        "/",
        "-",
    ),
)
SEPARATORS = ("=",) * 20 + ("", "==", " = ", "\0", ":")
ENDS = ("\n",) * 20 + ("", "\r\n", "\n\n", "\x0b", "\u2028", "\n \n")


def line(chance: random.Random) -> str:
    return chance.choice(KEYS) + chance.choice(SEPARATORS) + chance.choice(VALUES) + chance.choice(ENDS)


def texts() -> Iterator[str]:
    """Lines of wrong and right parts, bytes of nothing, and right texts with a few wrong bytes."""
    chance = random.Random(1)
    for number in range(TEXTS):
        match number % 3:
            case 0:
                text = "".join(line(chance) for _ in range(chance.randrange(1, 12)))
            case 1:
                right = [
                    f"private_key={CANARY}",
                    "public_key=" + "ab" * 32,
                    "endpoint=[::1]:5",
                    "allowed_ip=::/0",
                ]
                broken = list("\n".join(chance.sample(right, k=chance.randrange(1, 5))) + "\n")
                for _ in range(chance.randrange(1, 4)):
                    broken[chance.randrange(len(broken))] = chr(chance.randrange(256))
                text = "".join(broken)
            case _:
                text = chance.randbytes(chance.randrange(200)).decode("latin-1")
        yield text


@contextmanager
def reply_refused_without_secrets() -> Iterator[None]:
    """A text may be no reply, but nothing else may come of it."""
    try:
        yield
    except MalformedReplyError as error:
        told = str(error)
    else:
        told = ""
    assert CANARY[:-4] not in told


def test_codec() -> None:
    refused = 0
    for text in texts():
        parsed = parse_set(line for line in text.split("\n") if line)
        assert parse_set(format_change(parsed.change).split("\n")[:-1]).change == parsed.change
        if parsed.error is not None:
            refused += 1
            assert parsed.error.errno in {22, 71, 90}
            assert CANARY[:-4] not in str(parsed.error)
            assert str(parsed.error).isprintable()
        with reply_refused_without_secrets():
            state = parse_state(text)
            assert parse_state(format_state(state)) == state
        with reply_refused_without_secrets():
            status = parse_status(text)
            assert parse_status(format_status(status)) == status
    # Both ways must have been walked.
    assert TEXTS // 2 < refused < TEXTS


def test_server(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    for number, text in enumerate(texts()):
        data = text.encode("latin-1", "replace")
        if number % 4:
            data = b"set=1\n" + data
        with served.connect() as connection:
            connection.sendall(data)
            # One in three goes without a word, as a client that crashed.
            if number % 3:
                connection.shutdown(socket.SHUT_WR)
                while reply := read_reply(connection):
                    assert reply.rpartition(b"errno=")[2].removesuffix(b"\n\n").lstrip(b"-").isdigit()
    assert eventually(lambda: served.server.connections == 0)
    served.device.state = DeviceState(fwmark=1)
    assert served.ask("get=1\n\n") == b"fwmark=1\nerrno=0\n\n"
    assert len(served.device.changes) > TEXTS // 2
    assert any(change != DeviceChange() for change in served.device.changes)
    assert "broke off" not in caplog.text
    assert CANARY[:-4] not in caplog.text
