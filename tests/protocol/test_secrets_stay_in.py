"""No class of the handshake shows a secret in its `repr`, in an error or in a traceback."""

import base64
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from pywg.protocol import noise
from pywg.protocol.constants import Limits
from pywg.protocol.cookie import CookieChecker, CookieSender
from pywg.protocol.handshake import (
    HandshakeError,
    Identity,
    RemoteStatic,
    SessionKeys,
    create_initiation,
    create_response,
    open_initiation,
    read_initiation,
    read_response,
)

CANARIES = {
    name: name.encode().ljust(32, b"~")
    for name in (
        "alice-static",
        "alice-ephemeral",
        "bob-static",
        "bob-ephemeral",
        "preshared",
        "cookie-secret",
    )
}


def spellings(secret: bytes) -> set[str]:
    """How a secret could appear in text, whole or its middle."""
    middle = secret[3:27]
    return {
        spelled
        for part in (secret, middle)
        for spelled in (
            part.hex(),
            part.hex().upper(),
            part.hex(":"),
            base64.b64encode(part).decode().rstrip("="),
            base64.urlsafe_b64encode(part).decode().rstrip("="),
            repr(part)[2:-1],
            repr(list(part))[1:-1],
            str(int.from_bytes(part, "big")),
            str(int.from_bytes(part, "little")),
        )
    }


def everything() -> tuple[list[Any], dict[str, bytes]]:
    """One object of every class that holds a secret, and all the secrets."""
    alice, bob = Identity(CANARIES["alice-static"]), Identity(CANARIES["bob-static"])
    of_alice, of_bob = RemoteStatic(bob, alice.public_key), RemoteStatic(alice, bob.public_key)
    initiation = create_initiation(
        alice, of_bob, ephemeral_private=CANARIES["alice-ephemeral"], local_index=1, timestamp=bytes(12)
    )
    sender = CookieSender(of_bob, Limits())
    datagram = sender.seal(initiation.message, 0)
    opened = open_initiation(bob, datagram)
    received = read_initiation(opened, of_alice)
    response = create_response(
        received,
        of_alice,
        preshared_key=CANARIES["preshared"],
        ephemeral_private=CANARIES["bob-ephemeral"],
        local_index=2,
    )
    session = read_response(
        alice, of_bob, initiation.pending, response.message + bytes(32), preshared_key=CANARIES["preshared"]
    )
    checker = CookieChecker(bob.public_key, Limits(), lambda size: CANARIES["cookie-secret"][:size])
    assert sender.consume_reply(checker.create_reply(datagram, b"source", 0, nonce=bytes(24)), 0)
    finished = noise.Finished(b"", b"", *(CANARIES["preshared"],) * 3)
    written = noise.Written(b"", initiation.pending.state)
    assert of_bob.static_static is not None
    assert sender._cookie is not None
    secrets = CANARIES | {
        "clamped": alice.private_bytes(),
        "static-static": of_bob.static_static,
        "chaining key": initiation.pending.state.chaining_key,
        "hash": initiation.pending.state.hash,
        "claimed chaining key": opened.claimed.state.chaining_key,
        "read chaining key": received.first.state.chaining_key,
        "send key": session.send_key,
        "receive key": session.receive_key,
        "cookie": sender._cookie.ljust(32, b"\0"),
    }
    objects = [
        alice, of_bob, initiation, initiation.pending, initiation.pending.state, opened, opened.claimed,
        received, received.first, response, response.session, session, sender, checker, finished, written,
    ]  # fmt: skip
    return objects, secrets


def shown(text: str, secrets: dict[str, bytes]) -> set[str]:
    return {name for name, secret in secrets.items() if any(s in text for s in spellings(secret))}


def test_repr_and_str() -> None:
    objects, secrets = everything()
    for thing in objects:
        for text in (
            repr(thing),
            str(thing),
            f"{thing}",
            format(thing, ""),
            repr([thing]),
            repr({"k": thing}),
        ):
            assert shown(text, secrets) == set(), type(thing)


def test_repr_tells_something() -> None:
    """What may be shown is: who it is about."""
    objects, _ = everything()
    alice = objects[0]
    session = next(thing for thing in objects if isinstance(thing, SessionKeys))
    assert alice.public_key.hex() in repr(alice)
    assert "local_index=2, remote_index=1, is_initiator=False" in repr(session)
    assert objects[1].public_key.hex() in repr(objects[1])


def test_the_search_finds_what_is_shown() -> None:
    _, secrets = everything()
    for secret in secrets.values():
        for spelled in (secret, list(secret), secret.hex(), base64.b64encode(secret).decode()):
            assert shown(repr(spelled), secrets)


def test_errors_and_tracebacks() -> None:
    objects, secrets = everything()
    alice, of_bob, initiation = objects[:3]
    forged = bytes([2, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0]) + b"f" * 80
    failing: list[Callable[[], object]] = [
        lambda: open_initiation(alice, initiation.message + bytes(32)),
        lambda: read_response(alice, of_bob, initiation.pending, forged, preshared_key=CANARIES["preshared"]),
        lambda: alice.shared_secret(bytes(32)),
        lambda: Identity(CANARIES["alice-static"] + b"!"),
        lambda: alice.shared_secret(CANARIES["bob-static"] + b"!"),
    ]
    for attempt in failing:
        with pytest.raises((HandshakeError, ValueError)) as caught:
            attempt()
        text = "".join(traceback.format_exception(caught.value))
        assert shown(text, secrets) == set()
