"""The two rules of a full tunnel, as ``ip rule`` adds them and wg-quick(8) puts them to use.

In: tables. Out: pairs of rules. ``not fwmark T lookup T`` sends everything to the tunnel's own table but what
the tunnel itself sends; ``lookup main suppress_prefixlength 0``, which comes before it, keeps every route of
the main table but the default one. The kernel chooses the priorities: each new rule goes before all but the
local table's. Rule kept: with a tunnel goes its own pair and no other's. (wg-quick takes away every
suppress_prefixlength rule, and with it the LAN of a second full tunnel.) Sources: ip-rule(8),
linux/fib_rules.h.
"""

from dataclasses import dataclass
from typing import Any, Final

from pyroute2 import NetlinkError

from pywg.net.rtnetlink_linux import AF_OF, NO_SUCH_FAMILY, RT_TABLE_MAIN, Rtnetlink
from pywg.net.system import FAMILIES, NetworkError

FIB_RULE_INVERT: Final = 2
NO_PRIORITY: Final = None
"""Leaves the choice to the kernel; pyroute2 would send 32000."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, as far as we look at it."""

    priority: int
    table: int
    inverted: bool
    mark: int | None
    suppress_prefixlength: int | None

    @property
    def leads_to_a_tunnel(self) -> bool:
        """``not fwmark T lookup T``."""
        return self.inverted and self.mark == self.table

    @property
    def keeps_main(self) -> bool:
        """``lookup main suppress_prefixlength 0``."""
        return self.table == RT_TABLE_MAIN and self.suppress_prefixlength == 0


class LinuxRules:
    """A Rules."""

    def __init__(self, kernel: Rtnetlink) -> None:
        self._kernel = kernel

    def add_default_rules(self, family: int, table: int) -> None:
        """See Rules."""
        to_the_tunnel = {"table": table, "fwmark": table, "flags": FIB_RULE_INVERT}
        self._add_rule(family, f"not fwmark {table} table {table}", to_the_tunnel)
        keep_main = {"table": RT_TABLE_MAIN, "suppress_prefixlen": 0}
        self._add_rule(family, "table main suppress_prefixlength 0", keep_main)

    def remove_default_rules(self, table: int) -> None:
        """See Rules."""
        for family in FAMILIES:
            rules = self._rules(family)
            leading = [rule for rule in rules if rule.table == table]
            companions = [companion_of(rule, rules) for rule in leading]
            for rule in leading:
                self._delete_rule(family, rule, f"table {table}")
            for rule in filter(None, companions):
                self._delete_rule(family, rule, "table main suppress_prefixlength 0")

    def _add_rule(self, family: int, words: str, request: dict[str, int]) -> None:
        self._kernel.change(
            f"ip -{family} rule add {words}",
            lambda: self._kernel.ipr.rule("add", family=AF_OF[family], priority=NO_PRIORITY, **request),
            dict.fromkeys(NO_SUCH_FAMILY, f"this kernel has no policy routing for IPv{family}"),
        )

    def _delete_rule(self, family: int, rule: Rule, words: str) -> None:
        request = {"family": AF_OF[family], "priority": rule.priority, "table": rule.table}
        if rule.keeps_main:
            request["suppress_prefixlen"] = 0
        self._kernel.change(
            f"ip -{family} rule delete {words}", lambda: self._kernel.ipr.rule("del", **request), {}
        )

    def _rules(self, family: int) -> list[Rule]:
        """By priority. None where the kernel lacks the family."""
        try:
            found = self._kernel.ipr.rule("dump", family=AF_OF[family])
        except NetlinkError as error:
            if error.code in NO_SUCH_FAMILY:
                return []
            raise NetworkError(f"ip -{family} rule show: {error.args[1]}") from None
        return sorted((_rule(message) for message in found), key=lambda rule: rule.priority)


def companion_of(leading: Rule, rules: list[Rule]) -> Rule | None:
    """The suppress_prefixlength rule that was added right after `leading`, hence is next before it.

    None if it is gone: then what comes before it belongs to another tunnel.
    """
    for rule in reversed(rules):
        if rule.priority >= leading.priority:
            continue
        if rule.keeps_main:
            return rule
        if rule.leads_to_a_tunnel:
            return None
    return None


def _rule(message: Any) -> Rule:
    suppress = message.get("suppress_prefixlen")
    return Rule(
        priority=message.get("priority") or 0,
        table=message.get("table"),
        inverted=bool(message["flags"] & FIB_RULE_INVERT),
        mark=message.get("fwmark"),
        suppress_prefixlength=None if suppress is None or suppress == 0xFFFFFFFF else suppress,
    )
