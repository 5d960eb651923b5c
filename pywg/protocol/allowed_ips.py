"""Crypto-routing table: which peer an inner address belongs to (whitepaper section 2).

Comes in: prefixes with their owners, and packed addresses. Goes out: the owner of the longest prefix that
contains the address. Rule kept: a prefix has one owner at most; inserting it for another moves it, as in the
kernel's allowedips.c.

One dictionary per prefix length, keyed by the leading bits, searched from the longest length in use. Tables
use few lengths, and a bounded cache in front of the search makes the common case one dictionary access.
"""

from collections.abc import Hashable
from ipaddress import IPv4Network, IPv6Network
from typing import Final, Generic, TypeVar

Prefix = IPv4Network | IPv6Network
T = TypeVar("T", bound=Hashable)

CACHED_ADDRESSES: Final = 4096
"""Most answers remembered; at the limit all are forgotten, so that no flood of addresses grows it."""


class AllowedIps(Generic[T]):
    """Longest-prefix match over both families, with owners of any hashable type (but not None)."""

    def __init__(self) -> None:
        self._families: dict[int, _Family[T]] = {4: _Family(32), 16: _Family(128)}
        # In the order of insertion, as `wg show` lists them.
        self._prefixes: dict[T, dict[Prefix, None]] = {}
        self._cache: dict[bytes, T | None] = {}

    def insert(self, prefix: Prefix, owner: T) -> None:
        """Give `prefix` to `owner`, taking it from whoever has it."""
        previous = self._families[prefix.max_prefixlen // 8].insert(prefix, owner)
        if previous is not None:
            self._disown(prefix, previous)
        self._prefixes.setdefault(owner, {})[prefix] = None
        self._cache.clear()

    def remove(self, prefix: Prefix, owner: T) -> bool:
        """Remove exactly `prefix`, not what is inside or around it, if `owner` has it; tells whether so."""
        if prefix not in self._prefixes.get(owner, ()):
            return False
        self._families[prefix.max_prefixlen // 8].remove(prefix)
        self._disown(prefix, owner)
        self._cache.clear()
        return True

    def remove_owner(self, owner: T) -> None:
        """Remove every prefix of `owner`."""
        for prefix in self._prefixes.pop(owner, ()):
            self._families[prefix.max_prefixlen // 8].remove(prefix)
        self._cache.clear()

    def lookup(self, address: bytes) -> T | None:
        """Owner of the longest prefix that contains `address` (4 or 16 bytes, network order), or None.

        Raises ValueError for any other length.
        """
        try:
            return self._cache[address]
        except KeyError:
            return self._search(address)

    def prefixes(self, owner: T) -> list[Prefix]:
        """What `owner` has: IPv4 first, then IPv6, each in the order of insertion."""
        return sorted(self._prefixes.get(owner, ()), key=lambda prefix: prefix.version)

    def __len__(self) -> int:
        return sum(map(len, self._prefixes.values()))

    def _search(self, address: bytes) -> T | None:
        family = self._families.get(len(address))
        if family is None:
            raise ValueError(f"an address has 4 or 16 bytes, not {len(address)}")
        owner = family.lookup(int.from_bytes(address, "big"))
        if len(self._cache) >= CACHED_ADDRESSES:
            self._cache.clear()
        self._cache[address] = owner
        return owner

    def _disown(self, prefix: Prefix, owner: T) -> None:
        owned = self._prefixes[owner]
        del owned[prefix]
        if not owned:
            del self._prefixes[owner]


class _Family(Generic[T]):
    """Prefixes of one address family."""

    def __init__(self, width: int) -> None:
        self._width = width
        # Host bits -> leading bits -> owner. Fewest host bits, hence the longest prefix, come first.
        self._tables: dict[int, dict[int, T]] = {}

    def insert(self, prefix: Prefix, owner: T) -> T | None:
        """Returns the previous owner."""
        shift = self._width - prefix.prefixlen
        table = self._tables.get(shift)
        if table is None:
            table = {}
            self._tables = dict(sorted([*self._tables.items(), (shift, table)], key=lambda item: item[0]))
        bits = int(prefix.network_address) >> shift
        previous = table.get(bits)
        table[bits] = owner
        return previous

    def remove(self, prefix: Prefix) -> None:
        shift = self._width - prefix.prefixlen
        table = self._tables[shift]
        del table[int(prefix.network_address) >> shift]
        if not table:
            del self._tables[shift]

    def lookup(self, address: int) -> T | None:
        for shift, table in self._tables.items():
            owner = table.get(address >> shift)
            if owner is not None:
                return owner
        return None
