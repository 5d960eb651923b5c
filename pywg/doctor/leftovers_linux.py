"""What full tunnels have left behind whose interface is gone: nft tables, and rules that lead nowhere.

In: nothing. Out: `Leftover`s of the network namespace we are in. Rules kept: nothing is changed; nft is asked
only for the names of tables, and rules of another shape than a full tunnel's are not looked at. Sources:
linux/fib_rules.h, linux/rtnetlink.h; the shapes: `pywg.net.rules_linux`, `pywg.net.firewall_linux`.
"""

import struct
import sys
from collections.abc import Callable, Iterator
from typing import Final

from pywg.doctor.facts import Leftover, LeftoverRule
from pywg.net import command, netlink
from pywg.net.firewall_linux import TABLE_PREFIX
from pywg.net.rtnetlink_questions import RtnetlinkQuestions

_FAMILIES: Final = {4: netlink.AF_INET, 6: netlink.AF_INET6}
_RTM_GETRULE: Final = 34
_FRA_FWMARK: Final = 10
_FRA_TABLE: Final = 15
_RTA_TABLE: Final = 15
_FIB_RULE_INVERT: Final = 2
_HEADER: Final = struct.Struct("=BBBBBBBBI")  # rtmsg and fib_rule_hdr: family, ..., table, ..., flags


def leftovers(is_there: Callable[[str], bool]) -> tuple[Leftover, ...]:
    """`is_there`: whether an interface of that name runs, be it elsewhere."""
    tables: dict[str, list[str]] = {}
    for line in command.asked("nft", "list", "tables").splitlines():
        table = line.removeprefix("table ").strip()
        name = table.partition(TABLE_PREFIX)[2]
        if name and not is_there(name):
            tables.setdefault(name, []).append(table)
    rules = tuple(_rules_to_nothing())
    if len(tables) == 1 or not rules:
        return tuple(Leftover(name, tuple(named), rules) for name, named in tables.items())
    return (*(Leftover(name, tuple(named)) for name, named in tables.items()), Leftover("", rules=rules))


def _rules_to_nothing() -> Iterator[LeftoverRule]:
    with RtnetlinkQuestions() as kernel:
        for version, family in _FAMILIES.items():
            rules = list(_listed(kernel, _RTM_GETRULE, family))
            to_tunnels = [table for table in map(_tunnels_table, rules) if table]
            if not to_tunnels:
                continue
            used = set(map(_table_of, _listed(kernel, netlink.RTM_GETROUTE, family)))
            for table in to_tunnels:
                if table not in used:
                    yield LeftoverRule(version, table)


def _tunnels_table(payload: bytes) -> int:
    """T; 0 if the rule is another."""
    found = netlink.attributes(payload[_HEADER.size :])
    mark, table = found.get(_FRA_FWMARK), found.get(_FRA_TABLE)
    inverted = _HEADER.unpack_from(payload)[-1] & _FIB_RULE_INVERT
    is_tunnels = inverted and table is not None and mark == table
    return int.from_bytes(table or b"", sys.byteorder) if is_tunnels else 0


def _table_of(payload: bytes) -> int:
    table = netlink.attributes(payload[_HEADER.size :]).get(_RTA_TABLE)
    return int(_HEADER.unpack_from(payload)[4]) if table is None else int.from_bytes(table, sys.byteorder)


def _listed(kernel: RtnetlinkQuestions, question: int, family: int) -> Iterator[bytes]:
    """The payloads of all answers; none where the kernel lacks the family."""
    flags, body = netlink.NLM_F_REQUEST | netlink.NLM_F_DUMP, _HEADER.pack(family, *[0] * 8)
    for payload in kernel.all(lambda sequence: netlink.build_message(question, flags, sequence, body)):
        if len(payload) >= _HEADER.size:
            yield payload
