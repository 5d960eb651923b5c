"""The further operation ``get_status=1`` as text: `model.Status` to lines and back.

In: a Status, or the lines of a reply. Out: the other one. Rule kept: one ``key=value`` per line, device
first, then one block per ``public_key``; a mapping's entry is ``group.name=value``; a reader ignores what
it does not know. No key but public ones is ever part of it.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pywg.uapi import values
from pywg.uapi.codec import MalformedReplyError, parse_lines
from pywg.uapi.model import PeerStatus, Status

_NAME: Final = re.compile(r"[!-<>-~]+")
"""Printable ASCII without the separator."""
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
"""Control characters: they would break a line, or steer the terminal of whoever reads the status."""
_COUNT: Final = values.number(values.U64)

_TEXTS: Final = ("engine", "engine_reason", "version")
_TEXT_GROUPS: Final = {"socket": "sockets", "offload": "offloads", "detail": "details"}
_COUNT_GROUPS: Final = {"drop": "drops", "handshake_failure": "handshake_failures"}
_ERRNO_GROUP: Final = "icmp_error"


def status_lines(status: Status) -> Iterator[str]:
    """The lines of a reply to get_status, without errno. ValueError for a name that cannot be one."""
    for name in _TEXTS:
        yield f"{name}={_one_line(getattr(status, name))}"
    for group, field in (_TEXT_GROUPS | _COUNT_GROUPS).items():
        yield from _group(group, getattr(status, field))
    for peer in status.peers:
        yield f"public_key={peer.public_key.hex()}"
        for group, field in _COUNT_GROUPS.items():
            yield from _group(group, getattr(peer, field))
        yield from _group(_ERRNO_GROUP, {str(errno): count for errno, count in peer.icmp_errors.items()})


def format_status(status: Status) -> str:
    """`status_lines` as one text, each line with its newline."""
    return "".join(f"{line}\n" for line in status_lines(status))


def parse_status(text: str) -> Status:
    """Read the lines of a reply to get_status. Raises MalformedReplyError."""
    device: dict[str, Any] = {"engine": "", "engine_reason": ""}
    peers: list[dict[str, Any]] = []
    for key, value in parse_lines(text):
        try:
            _take(device, peers, key, value)
        except ValueError as error:
            raise MalformedReplyError(f"{key[:60]!a} in the reply: {error}") from None
    return Status(**device, peers=tuple(PeerStatus(**peer) for peer in peers))


def _take(device: dict[str, Any], peers: list[dict[str, Any]], key: str, value: str) -> None:
    owner = peers[-1] if peers else device
    group, _, name = key.partition(".")
    named = _NAME.fullmatch(name) is not None
    if key == "public_key":
        peers.append({key: values.key(value)})
    elif key in _TEXTS and not peers:
        device[key] = _one_line(value)
    elif named and group in _COUNT_GROUPS:
        owner.setdefault(_COUNT_GROUPS[group], {})[name] = _COUNT(value)
    elif named and group in _TEXT_GROUPS and not peers:
        device.setdefault(_TEXT_GROUPS[group], {})[name] = _one_line(value)
    elif named and group == _ERRNO_GROUP and peers:
        owner.setdefault("icmp_errors", {})[values.number(values.U16)(name)] = _COUNT(value)


def _group(group: str, entries: Mapping[str, object]) -> Iterator[str]:
    for name, value in entries.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot be a name in a status")
        yield f"{group}.{name}={_one_line(str(value))}"


def _one_line(text: str) -> str:
    return _UNPRINTABLE.sub(" ", text)
