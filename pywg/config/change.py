"""What a configuration asks of a device: `WgConfig` to the one change that wg(8) would send.

In: a configuration, for ``syncconf`` the device's state too, and who resolves endpoints. Out: `DeviceChange`.
Rule kept: setconf.c and ipc-uapi.h of wg, March 2026 (that ``syncconf`` resets a preshared key and a
keepalive which the file lacks is newer than Debian's of 2021). No I/O but through `resolve`; its errors pass.
"""

from collections.abc import Callable
from dataclasses import replace

from pywg.config.model import HostPort, PeerConfig, WgConfig
from pywg.endpoint import Endpoint
from pywg.uapi.model import UNSET_KEY, DeviceChange, DeviceState, PeerChange, PeerState

Resolve = Callable[[HostPort], Endpoint]
"""Such as `net.resolve.resolver()`."""


def merge_change(config: WgConfig, resolve: Resolve) -> DeviceChange:
    """``set``, and from a file ``addconf``: what is not mentioned stays."""
    return DeviceChange(
        private_key=config.private_key,
        listen_port=config.listen_port,
        fwmark=config.fwmark,
        peers=tuple(_peer_change(peer, resolve) for peer in config.peers),
    )


def setconf_change(config: WgConfig, resolve: Resolve) -> DeviceChange:
    """``setconf``: what is not mentioned is cleared, other peers go."""
    change = merge_change(config, resolve)
    return replace(
        change,
        private_key=change.private_key or UNSET_KEY,
        listen_port=change.listen_port or 0,
        fwmark=change.fwmark or 0,
        replace_peers=True,
    )


def syncconf_change(config: WgConfig, state: DeviceState, resolve: Resolve) -> DeviceChange:
    """``syncconf``: what ``setconf`` leaves behind, without touching the sessions of peers that stay.

    The endpoint of a peer stays where it is if the file names none.
    """
    change = setconf_change(config, resolve)
    if not change.peers or not state.peers:
        return change
    mentioned = {peer.public_key for peer in change.peers}
    present = {peer.public_key: peer for peer in state.peers}
    # wg puts each one it removes before the others, in the order of their keys.
    removals = [PeerChange(key, remove=True) for key in sorted(present.keys() - mentioned, reverse=True)]
    kept = []
    for peer in change.peers:
        # Only the first block of a peer resets; it would undo what an earlier one has set.
        old = present.pop(peer.public_key, None)
        kept.append(_with_resets(peer, old) if old else peer)
    return replace(change, replace_peers=False, peers=(*removals, *kept))


def _peer_change(peer: PeerConfig, resolve: Resolve) -> PeerChange:
    # wg resolves also what does not count or is then removed: a wrong name is an error either way.
    for other in peer.other_endpoints:
        resolve(other)
    endpoint = resolve(peer.endpoint) if peer.endpoint else None
    if peer.remove:
        return PeerChange(peer.public_key, remove=True)
    return PeerChange(
        peer.public_key,
        preshared_key=peer.preshared_key,
        endpoint=endpoint,
        persistent_keepalive_interval=peer.persistent_keepalive,
        replace_allowed_ips=peer.replace_allowed_ips,
        allowed_ips=peer.allowed_ips,
    )


def _with_resets(peer: PeerChange, old: PeerState) -> PeerChange:
    """Of what the peer has now, clear what its block does not mention."""
    if peer.preshared_key is None and old.preshared_key != UNSET_KEY:
        peer = replace(peer, preshared_key=UNSET_KEY)
    if peer.persistent_keepalive_interval is None and old.persistent_keepalive_interval:
        peer = replace(peer, persistent_keepalive_interval=0)
    return peer
