"""Files of wg(8) and wg-quick(8): text to what it says.

In: a whole file as text. Out: `WgConfig` or `QuickConfig`, or ConfigError for the first wrong line. Rules
kept: what the tools of March 2026 take is taken with the same meaning (config.c; wg-quick/linux.bash,
parse_options): settings and sections in any case, `#` begins a comment, hooks keep theirs, of repeated
settings the last one counts, lists grow. For wg white space means nothing anywhere; wg-quick drops it around
names and values. Where this is stricter, tests/config/differences.py names it.
"""

from collections.abc import Callable, Iterator
from ipaddress import IPv4Interface, IPv6Address, IPv6Interface
from pathlib import Path

from pywg.base64_key import key_from_base64
from pywg.config import quick_values, values
from pywg.config.draft import PeerDraft, WgDraft
from pywg.config.model import ConfigError, Hooks, QuickConfig, Section, Table, WgConfig
from pywg.config.unrecognised import explain
from pywg.config.values import BLANKS, without_blanks, wrong_value


def parse_wg(text: str, source: str) -> WgConfig:
    """A file for ``setconf``, ``addconf`` or ``syncconf``. `source` names it in messages.

    `text`: decoded as UTF-8 with surrogateescape. Raises ConfigError.
    """
    parser = _WgParser(source)
    for number, line in enumerate(text.split("\n"), 1):
        parser.take(number, line)
    return parser.finish()


def parse_quick(text: str, path: Path, name: str) -> QuickConfig:
    """A file for ``up``, ``down`` and ``save`` of the interface `name`. Raises ConfigError."""
    parser = _QuickParser(str(path))
    wg = _WgParser(str(path), is_quick=True)
    for number, line in _quick_lines(text):
        if not parser.take(number, line):
            wg.take(number, line)
    return QuickConfig(
        name=name,
        path=path,
        wg=wg.finish(),
        addresses=tuple(parser.addresses),
        dns=tuple(parser.dns),
        dns_search=tuple(parser.dns_search),
        mtu=parser.mtu,
        table=parser.table,
        table_text=parser.table_text,
        hooks=Hooks(**{hook: tuple(commands) for hook, commands in parser.hooks.items()}),
        save_config=parser.save_config,
    )


def strip(text: str, source: str) -> str:
    """What ``wg-quick strip`` prints: the file without the lines that are only wg-quick's.

    Like there, whether the rest is right is left to who reads it. Raises ConfigError.
    """
    parser = _QuickParser(source, only_sort=True)
    kept = (line for number, line in _quick_lines(text) if not parser.take(number, line))
    # wg-quick ends each line and echoes the whole, which ends it once more.
    return "".join(f"{line}\n" for line in kept) + "\n"


def _quick_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines as bash reads them: without blanks around them and without zero bytes."""
    lines = text.replace("\0", "").split("\n")
    for number, line in enumerate(lines, 1):
        trimmed = line.strip(" \t")
        # What follows the last newline is a line only if there is something.
        if trimmed or number < len(lines):
            yield number, trimmed


def _fold(text: str) -> str:
    """In lower case, but only what is ASCII: the tools know no other letters."""
    return text.lower() if text.isascii() else text


class _WgParser:
    """What wg(8) reads, line by line."""

    def __init__(self, source: str, *, is_quick: bool = False) -> None:
        self._source = source
        self._is_quick = is_quick
        self._section = Section.NONE
        self._draft = WgDraft()

    def take(self, number: int, line: str) -> None:
        """Read a line. Raises ConfigError."""
        cleaned = without_blanks(line.partition("#")[0])
        if not cleaned:
            return
        if cleaned.startswith("["):
            self._begin(number, cleaned)
            return
        name, _, value = cleaned.partition("=")
        setting = _fold(name)
        try:
            # wg takes no line that ends with its "=".
            known = value != "" and self._take_value(number, setting, value)
        except ValueError as error:
            raise ConfigError(self._source, number, wrong_value(name, value, error)) from None
        if not known:
            raise self._unrecognised(number, cleaned)

    def finish(self) -> WgConfig:
        """The file has ended. Raises ConfigError."""
        return self._draft.finish(self._source)

    def _unrecognised(self, number: int, line: str) -> ConfigError:
        return ConfigError(self._source, number, explain(line, self._section, is_quick=self._is_quick))

    def _begin(self, number: int, section: str) -> None:
        match _fold(section):
            case "[interface]":
                self._section = Section.INTERFACE
            case "[peer]":
                self._section = Section.PEER
                # A file gives a peer's whole list, be it empty.
                self._draft.peers.append(PeerDraft(line=number, replace_allowed_ips=True))
            case _:
                raise self._unrecognised(number, section)

    def _take_value(self, number: int, setting: str, value: str) -> bool:
        """Whether the section has such a setting. Raises ValueError for a wrong value."""
        if self._section is Section.PEER:
            return self._take_peer_value(self._draft.peers[-1], number, setting, value)
        if self._section is Section.NONE:
            return False
        match setting:
            case "privatekey":
                self._draft.private_key = key_from_base64(value)
            case "listenport":
                self._draft.listen_port = values.port(value)
            case "fwmark":
                self._draft.fwmark = values.fwmark(value)
            case _:
                return False
        return True

    def _take_peer_value(self, peer: PeerDraft, number: int, setting: str, value: str) -> bool:
        match setting:
            case "publickey":
                peer.public_key = key_from_base64(value)
            case "presharedkey":
                peer.preshared_key = key_from_base64(value)
            case "endpoint":
                peer.endpoints.append(values.endpoint(value, number))
            case "persistentkeepalive":
                peer.persistent_keepalive = values.persistent_keepalive(value)
            case "allowedips":
                place = f"{self._source}:{number}"
                self._draft.warnings += (f"{place}: {warning}" for warning in peer.add_allowed_ips(value))
            case _:
                return False
        return True


class _QuickParser:
    """What wg-quick(8) reads itself, line by line; all else is left to wg."""

    def __init__(self, source: str, *, only_sort: bool = False) -> None:
        """`only_sort`: do not look at values that ``strip`` does not need."""
        self.addresses: list[IPv4Interface | IPv6Interface] = []
        self.dns: list[str] = []
        self.dns_search: list[str] = []
        self.mtu: int | None = None
        self.table: Table | int = Table.AUTO
        self.table_text: str | None = None
        self.hooks: dict[str, list[str]] = {"pre_up": [], "post_up": [], "pre_down": [], "post_down": []}
        self.save_config = False
        self._source = source
        self._in_interface = False
        self._taken: set[IPv4Interface | IPv6Address] = set()
        self._takers: dict[str, Callable[[str], None]] = {
            "address": self._take_addresses,
            "dns": self._take_dns,
            "mtu": self._take_mtu,
            "table": self._take_table,
            "saveconfig": self._take_save_config,
            "preup": self.hooks["pre_up"].append,
            "postup": self.hooks["post_up"].append,
            "predown": self.hooks["pre_down"].append,
            "postdown": self.hooks["post_down"].append,
        }
        self._only_sort = only_sort

    def take(self, number: int, line: str) -> bool:
        """Whether the line is wg-quick's. Raises ConfigError."""
        name, equals, value = (part.strip(BLANKS) for part in line.partition("#")[0].partition("="))
        if name.startswith("["):
            self._in_interface = _fold(name) == "[interface]"
        setting = _fold(name)
        if not self._in_interface or setting not in self._takers:
            return False
        if self._only_sort and setting != "saveconfig":
            return True
        if not equals:
            raise ConfigError(self._source, number, f"{name} has no value; expected {name} = ...")
        if setting.startswith(("pre", "post")):
            value = line.partition("=")[2].strip(BLANKS)  # A hook is a shell's business, its comment too.
        try:
            self._takers[setting](value)
        except ValueError as error:
            raise ConfigError(self._source, number, wrong_value(name, value, error)) from None
        return True

    def _take_addresses(self, value: str) -> None:
        for address in quick_values.addresses(value):
            # The kernel gives an IPv6 address once, an IPv4 address once with each prefix length.
            once = address.ip if isinstance(address, IPv6Interface) else address
            if once in self._taken:
                raise ValueError(f"the interface has {once} already; expected each address once")
            self._taken.add(once)
            self.addresses.append(address)

    def _take_dns(self, value: str) -> None:
        for entry in quick_values.entries(value):
            (self.dns if quick_values.is_name_server(entry) else self.dns_search).append(entry)

    def _take_mtu(self, value: str) -> None:
        self.mtu = quick_values.mtu(value)

    def _take_table(self, value: str) -> None:
        self.table = quick_values.table(value)
        self.table_text = value or None

    def _take_save_config(self, value: str) -> None:
        self.save_config = quick_values.boolean(value)
