"""A configuration while it is read, be it a file or the words of ``set``: it grows, and ends as `WgConfig`.

In: typed values, one after the other. Out: `WgConfig`, or ConfigError for a peer without a public key. Rules
kept: those of wg (config.c) for what stands more than once: of a setting the last value counts, lists of
allowed IPs grow, and the last of them says whether they replace what the peer has.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from pywg.config import values
from pywg.config.model import ConfigError, HostPort, PeerConfig, WgConfig
from pywg.protocol.allowed_ips import Prefix
from pywg.uapi.model import PrefixChange


@dataclass(slots=True)
class PeerDraft:
    """A peer while it is read; as `PeerConfig`."""

    public_key: bytes | None = None
    line: int = 0
    remove: bool = False
    preshared_key: bytes | None = field(default=None, repr=False)
    endpoints: list[HostPort] = field(default_factory=list)
    persistent_keepalive: int | None = None
    replace_allowed_ips: bool = False
    allowed_ips: list[PrefixChange] = field(default_factory=list)

    def add_allowed_ips(self, text: str) -> list[str]:
        """One list of them. Returns warnings without their place; raises ValueError."""
        found = values.allowed_ips(text)
        self.replace_allowed_ips = found.replace
        self.allowed_ips += found.changes
        return [values.inexact_warning(entry) for entry in found.inexact]

    def finish(self, source: str) -> PeerConfig:
        """Nothing more comes. Raises ConfigError."""
        if self.public_key is None:
            raise ConfigError(source, self.line, "there is no PublicKey in this [Peer]; expected one")
        return PeerConfig(
            self.public_key,
            self.line,
            remove=self.remove,
            preshared_key=self.preshared_key,
            endpoint=self.endpoints[-1] if self.endpoints else None,
            other_endpoints=tuple(self.endpoints[:-1]),
            persistent_keepalive=self.persistent_keepalive,
            replace_allowed_ips=self.replace_allowed_ips,
            allowed_ips=tuple(self.allowed_ips),
        )


@dataclass(slots=True)
class WgDraft:
    """A configuration while it is read; as `WgConfig`."""

    private_key: bytes | None = field(default=None, repr=False)
    listen_port: int | None = None
    fwmark: int | None = None
    peers: list[PeerDraft] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def finish(self, source: str) -> WgConfig:
        """Nothing more comes. `source` names it in messages. Raises ConfigError."""
        return WgConfig(
            self.private_key,
            self.listen_port,
            self.fwmark,
            tuple(peer.finish(source) for peer in self.peers),
            (*self.warnings, *self._moved_allowed_ips(source)),
        )

    def _moved_allowed_ips(self, source: str) -> Iterator[str]:
        """One warning, be there thousands: what a file gives to two peers the later one has."""
        owners: dict[Prefix, PeerDraft] = {}
        first, count = "", 0
        for peer in self.peers:
            for change in peer.allowed_ips if peer.line else ():
                if change.remove:
                    continue
                owner = owners.setdefault(change.prefix, peer)
                if owner.public_key == peer.public_key:
                    continue
                owners[change.prefix] = peer
                count += 1
                first = first or (
                    f"{source}:{peer.line}: this [Peer] takes {change.prefix} away from the one in line "
                    f"{owner.line}; expected each of the AllowedIPs at one peer"
                )
        if count:
            yield first + (f" (and {count - 1} more such)" if count > 1 else "")
