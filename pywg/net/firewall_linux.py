"""What a full tunnel asks of the firewall of Linux: nft where it is installed, else iptables.

In: the tunnel's name, addresses and mark. Out: wg-quick's rules, under the names wg-quick gives them, so that
either takes away what the other made. They drop packets to the tunnel's addresses that did not come through
it and are not from here (CVE-2019-14899), and keep the mark of the tunnel's own UDP packets with their
connection, so that the check of sources (rp_filter) routes replies as marked packets are routed. Sources:
wg-quick(8), nft(8), iptables-restore(8).
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from pywg.net import command
from pywg.net.command import Run
from pywg.net.src_valid_mark_linux import SrcValidMark
from pywg.net.system import FAMILIES, Echo, IpInterface, NetworkError

TABLE_PREFIX: Final = "wg-quick-"
COMMENT: Final = '-m comment --comment "wg-quick(8) rule for {}"'
ANYBODYS: Final = COMMENT.partition("{}")[0]
_MARK: Final = re.compile(r"mark (0x[0-9a-f]+) ")
NFT_FAMILY: Final = {4: "ip", 6: "ip6"}
IPTABLES: Final = {4: "iptables", 6: "ip6tables"}


class LinuxFirewall:
    """A Firewall."""

    def __init__(self, echo: Echo, src_valid_mark: SrcValidMark, run: Run = command.run) -> None:
        self._echo = echo
        self._src_valid_mark = src_valid_mark
        self._run = run

    def add(self, name: str, family: int, addresses: Sequence[IpInterface], mark: int) -> None:
        """See Firewall."""
        own = [str(address.ip) for address in addresses if address.version == family]
        self._src_valid_mark.prepare()
        with self._src_valid_mark.one_at_a_time():
            if family == 4:
                self._src_valid_mark.require()
            restore = f"{IPTABLES[family]}-restore"
            if command.find("nft"):
                self._feed(["nft", "-f", "-"], nft_rules(name, family, own, mark))
            elif command.find(restore):
                self._feed([restore, "-n"], iptables_rules(name, own, mark))
            else:
                raise NetworkError(
                    f"a default route through {name} needs nft or {restore}, and neither is installed "
                    "(Debian: apt install nftables); or write 'Table = off' and add routes by yourself",
                    command.NOT_FOUND,
                )

    def mark(self, name: str) -> int | None:
        """See Firewall."""
        marks = (_MARK.search(line) for family in FAMILIES for line in self._rules(name, family))
        return next((int(found[1], 0) for found in marks if found), None)

    def remove(self, name: str) -> None:
        """See Firewall."""
        with self._src_valid_mark.one_at_a_time():
            # Both, for what is installed today may not have been when the tunnel came up.
            others_in_nft = self._remove_from_nft(name)
            others_in_iptables = self._remove_from_iptables(name)
            if not others_in_nft and not others_in_iptables:
                self._src_valid_mark.release()

    def _rules(self, name: str, family: int) -> list[str]:
        """Those of one family, as nft or iptables-save lists them."""
        if command.find("nft"):
            table = [NFT_FAMILY[family], f"{TABLE_PREFIX}{name}"]
            listed = command.asked("nft", "list", "table", *table, run=self._run)
            if listed:
                return listed.splitlines()
        save = f"{IPTABLES[family]}-save"
        listed = command.asked(save, run=self._run) if command.find(save) else ""
        return [line for line in listed.splitlines() if COMMENT.format(name) in line]

    def _remove_from_nft(self, name: str) -> bool:
        """Whether another full tunnel of IPv4 remains."""
        if not command.find("nft"):
            return False
        tables = command.asked("nft", "list", "tables", run=self._run).splitlines()
        ours = [table for table in tables if table.endswith(f" {TABLE_PREFIX}{name}")]
        if ours:
            self._feed(["nft", "-f", "-"], "".join(f"delete {table}\n" for table in ours))
        return any(table.startswith(f"table ip {TABLE_PREFIX}") for table in tables if table not in ours)

    def _remove_from_iptables(self, name: str) -> bool:
        """Whether another full tunnel of IPv4 remains."""
        others = {}
        for family in FAMILIES:
            program = IPTABLES[family]
            if not command.find(f"{program}-save"):
                continue
            lines = command.asked(f"{program}-save", run=self._run).splitlines()
            undo = iptables_undo(name, lines)
            if undo:
                self._feed([f"{program}-restore", "-n"], undo)
            others[family] = any(ANYBODYS in line and COMMENT.format(name) not in line for line in lines)
        return others.get(4, False)

    def _feed(self, words: Sequence[str], text: str) -> None:
        self._echo(" ".join(words))
        self._run(*words, text=text)


def nft_rules(name: str, family: int, own: Iterable[str], mark: int) -> str:
    """One transaction for nft: a table of its own. `own`: the tunnel's addresses of that family."""
    pf = NFT_FAMILY[family]
    table = f"{pf} {TABLE_PREFIX}{name}"
    return "\n".join(
        [
            f"add table {table}",
            f"add chain {table} preraw {{ type filter hook prerouting priority -300; }}",
            f"add chain {table} premangle {{ type filter hook prerouting priority -150; }}",
            f"add chain {table} postmangle {{ type filter hook postrouting priority -150; }}",
            *(
                f'add rule {table} preraw iifname != "{name}" {pf} daddr {ip} fib saddr type != local drop'
                for ip in own
            ),
            f"add rule {table} postmangle meta l4proto udp mark {mark} ct mark set mark",
            f"add rule {table} premangle meta l4proto udp meta mark set ct mark",
            "",
        ]
    )


def iptables_rules(name: str, own: Iterable[str], mark: int) -> str:
    """The same for iptables-restore or ip6tables-restore."""
    comment = COMMENT.format(name)
    return "\n".join(
        [
            "*raw",
            *(
                f"-I PREROUTING ! -i {name} -d {ip} -m addrtype ! --src-type LOCAL -j DROP {comment}"
                for ip in own
            ),
            "COMMIT",
            "*mangle",
            f"-I POSTROUTING -m mark --mark {mark} -p udp -j CONNMARK --save-mark {comment}",
            f"-I PREROUTING -p udp -j CONNMARK --restore-mark {comment}",
            "COMMIT",
            "",
        ]
    )


def iptables_undo(name: str, saved: Iterable[str]) -> str:
    """What iptables-restore needs to delete the rules of `name`; empty if there are none.

    `saved`: lines of iptables-save, where a table begins with ``*`` and its name.
    """
    comment = COMMENT.format(name)
    undo: list[str] = []
    table = ""
    for line in saved:
        if line.startswith("*"):
            table = line
        elif line.startswith("-A ") and comment in line:
            if table:
                undo += ["COMMIT", table] if undo else [table]
                table = ""
            undo.append(f"-D {line.removeprefix('-A ')}")
    return "\n".join([*undo, "COMMIT", ""]) if undo else ""
