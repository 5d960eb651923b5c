"""The further operation ``get_status=1`` as text: `model.Status` to lines and back.

In: a Status, or the lines of a reply. Out: the other one. Rule kept: one ``key=value`` per line, device
first, then one block per ``public_key``; a mapping's entry is ``group.name=value``; a reader ignores what
it does not know. No key but public ones is ever part of it.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from pywg.uapi import values
from pywg.uapi.codec import MalformedReplyError, parse_lines
from pywg.uapi.model import PeerStatus, RecentStatus, Status, StrangerStatus

_NAME: Final = re.compile(r"[!-<>-~]+")
"""Printable ASCII without the separator."""
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
"""Control characters: they would break a line, or steer the terminal of whoever reads the status."""
_COUNT: Final = values.number(values.U64)

_TEXTS: Final = ("engine", "engine_reason", "version")
_TEXT_GROUPS: Final = {"socket": "sockets", "offload": "offloads", "detail": "details"}
_COUNT_GROUPS: Final = {"drop": "drops", "handshake_failure": "handshake_failures"}
_DEVICE_COUNT_GROUPS: Final = {"handshake_failure_age": "handshake_failure_ages"}
_PEER_COUNT_GROUPS: Final = {"handshake": "handshakes", "traffic": "traffic"}
_RECENT: Final = "recent_"
_RECENT_COUNT_GROUPS: Final = _COUNT_GROUPS | {"handshake": "handshakes"}
_ERRNO_GROUP: Final = "icmp_error"
_STRANGER: Final = "stranger"

_Groups = Mapping[str, str]
_ERRNO: Final = values.number(values.U16)


def status_lines(status: Status) -> Iterator[str]:
    """The lines of a reply to get_status, without errno. ValueError for a name that cannot be one."""
    for name in _TEXTS:
        yield f"{name}={_one_line(getattr(status, name))}"
    yield from _groups(status, _TEXT_GROUPS | _COUNT_GROUPS | _DEVICE_COUNT_GROUPS)
    if (stranger := status.stranger) is not None:
        yield f"{_STRANGER}.public_key={stranger.public_key.hex()}"
        yield f"{_STRANGER}.source={_one_line(stranger.source)}"
        yield f"{_STRANGER}.seconds_ago={stranger.seconds_ago}"
    for peer in status.peers:
        yield f"public_key={peer.public_key.hex()}"
        yield from _groups(peer, _COUNT_GROUPS)
        yield from _errnos("", peer.icmp_errors)
        yield from _groups(peer, _PEER_COUNT_GROUPS)
        yield from _groups(peer.recent, _RECENT_COUNT_GROUPS, _RECENT)
        yield from _errnos(_RECENT, peer.recent.icmp_errors)


def format_status(status: Status) -> str:
    """`status_lines` as one text, each line with its newline."""
    return "".join(f"{line}\n" for line in status_lines(status))


def parse_status(text: str) -> Status:
    """Read the lines of a reply to get_status. Raises MalformedReplyError."""
    device: dict[str, Any] = {"engine": "", "engine_reason": ""}
    peers: list[dict[str, Any]] = []
    for key, value in parse_lines(text):
        try:
            if key == "public_key":
                peers.append({key: values.key(value)})
            elif peers:
                _take_of_peer(peers[-1], key, value)
            else:
                _take_of_device(device, key, value)
        except ValueError as error:
            raise MalformedReplyError(f"{key[:60]!a} in the reply: {error}") from None
    stranger = device.pop(_STRANGER, {})
    if len(stranger) == 3:
        device[_STRANGER] = StrangerStatus(**stranger)
    return Status(**device, peers=tuple(map(_peer, peers)))


def _peer(fields: dict[str, Any]) -> PeerStatus:
    return PeerStatus(**fields | {"recent": RecentStatus(**fields.get("recent", {}))})


def _take_of_device(device: dict[str, Any], key: str, value: str) -> None:
    group, _, name = key.partition(".")
    if key in _TEXTS:
        device[key] = _one_line(value)
    elif not _NAME.fullmatch(name):
        return
    elif group in _TEXT_GROUPS:
        device.setdefault(_TEXT_GROUPS[group], {})[name] = _one_line(value)
    elif group == _STRANGER and name in _STRANGER_FIELDS:
        device.setdefault(_STRANGER, {})[name] = _STRANGER_FIELDS[name](value)
    else:
        _take_count(device, _COUNT_GROUPS | _DEVICE_COUNT_GROUPS, group, name, value)


def _take_of_peer(peer: dict[str, Any], key: str, value: str) -> None:
    group, _, name = key.partition(".")
    if not _NAME.fullmatch(name):
        return
    groups = _COUNT_GROUPS | _PEER_COUNT_GROUPS
    if group.startswith(_RECENT):
        peer = peer.setdefault("recent", {})
        group, groups = group.removeprefix(_RECENT), _RECENT_COUNT_GROUPS
    if group == _ERRNO_GROUP:
        peer.setdefault("icmp_errors", {})[_ERRNO(name)] = _COUNT(value)
    else:
        _take_count(peer, groups, group, name, value)


def _take_count(owner: dict[str, Any], groups: _Groups, group: str, name: str, value: str) -> None:
    if group in groups:
        owner.setdefault(groups[group], {})[name] = _COUNT(value)


def _groups(owner: object, groups: _Groups, prefix: str = "") -> Iterator[str]:
    for group, field in groups.items():
        entries: Mapping[str, object] = getattr(owner, field)
        for name, value in entries.items():
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} cannot be a name in a status")
            yield f"{prefix}{group}.{name}={_one_line(str(value))}"


def _errnos(prefix: str, counts: Mapping[int, int]) -> Iterator[str]:
    for errno, count in counts.items():
        yield f"{prefix}{_ERRNO_GROUP}.{errno}={count}"


def _one_line(text: str) -> str:
    return _UNPRINTABLE.sub(" ", text)


_STRANGER_FIELDS: Final[Mapping[str, Callable[[str], object]]] = {
    "public_key": values.key,
    "source": _one_line,
    "seconds_ago": _COUNT,
}
