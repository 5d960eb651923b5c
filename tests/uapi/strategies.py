"""Any configuration and any state, for hypothesis."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from hypothesis import strategies as st

from pywg.endpoint import Endpoint
from pywg.protocol.allowed_ips import Prefix
from pywg.uapi.model import (
    DeviceChange,
    DeviceState,
    PeerChange,
    PeerState,
    PeerStatus,
    PrefixChange,
    RecentStatus,
    Status,
    StrangerStatus,
)

u16 = st.integers(0, 2**16 - 1)
u32 = st.integers(0, 2**32 - 1)
u64 = st.integers(0, 2**64 - 1)
keys = st.binary(min_size=32, max_size=32)

endpoints = st.one_of(
    st.builds(
        Endpoint,
        st.integers(0, 2**32 - 1).map(lambda n: str(IPv4Address(n))),
        st.integers(1, 2**16 - 1),
        st.just(0),
    ),
    st.builds(
        Endpoint,
        st.integers(0, 2**128 - 1).map(lambda n: str(IPv6Address(n))),
        st.integers(1, 2**16 - 1),
        # Numbers no interface of the machine has: those are written as names.
        st.one_of(st.just(0), st.integers(2**30, 2**32 - 1)),
    ),
)
prefixes: st.SearchStrategy[Prefix] = st.one_of(
    st.builds(lambda a, n: IPv4Network((a, n), strict=False), st.integers(0, 2**32 - 1), st.integers(0, 32)),
    st.builds(
        lambda a, n: IPv6Network((a, n), strict=False), st.integers(0, 2**128 - 1), st.integers(0, 128)
    ),
)

peer_changes = st.builds(
    PeerChange,
    public_key=keys,
    update_only=st.booleans(),
    remove=st.booleans(),
    preshared_key=st.none() | keys,
    endpoint=st.none() | endpoints,
    persistent_keepalive_interval=st.none() | u16,
    replace_allowed_ips=st.booleans(),
    allowed_ips=st.lists(st.builds(PrefixChange, prefixes, st.booleans()), max_size=5).map(tuple),
)
device_changes = st.builds(
    DeviceChange,
    private_key=st.none() | keys,
    listen_port=st.none() | u16,
    fwmark=st.none() | u32,
    replace_peers=st.booleans(),
    peers=st.lists(peer_changes, max_size=4).map(tuple),
)

peer_states = st.builds(
    PeerState,
    public_key=keys,
    preshared_key=keys,
    endpoint=st.none() | endpoints,
    last_handshake_ns=st.integers(0, 2**62),
    tx_bytes=u64,
    rx_bytes=u64,
    persistent_keepalive_interval=u16,
    allowed_ips=st.lists(prefixes, max_size=5).map(tuple),
)
device_states = st.builds(
    DeviceState,
    private_key=keys,
    listen_port=u16,
    fwmark=u32,
    peers=st.lists(peer_states, max_size=4).map(tuple),
)
configurable_states = device_states.filter(
    # A prefix has one owner, and a peer is there once; the scope of no interface is not to be resolved.
    lambda state: (
        len({peer.public_key for peer in state.peers}) == len(state.peers)
        and all(len(set(peer.allowed_ips)) == len(peer.allowed_ips) for peer in state.peers)
        and all(peer.endpoint is None or not peer.endpoint.scope_id for peer in state.peers)
    )
)
"""Those that a file can set."""

names = st.text("abcdefghijklmnopqrstuvwxyz0123456789_", min_size=1, max_size=20)
one_line = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=40)
texts = st.dictionaries(names, one_line, max_size=4)
counts = st.dictionaries(names, u64, max_size=4)
errnos = st.dictionaries(u16, u64, max_size=3)
peer_statuses = st.builds(
    PeerStatus,
    public_key=keys,
    drops=counts,
    handshake_failures=counts,
    icmp_errors=errnos,
    handshakes=counts,
    recent=st.builds(
        RecentStatus, handshakes=counts, handshake_failures=counts, drops=counts, icmp_errors=errnos
    ),
    traffic=counts,
)
statuses = st.builds(
    Status,
    engine=one_line,
    engine_reason=one_line,
    version=one_line,
    sockets=texts,
    offloads=texts,
    details=texts,
    drops=counts,
    handshake_failures=counts,
    handshake_failure_ages=counts,
    stranger=st.none() | st.builds(StrangerStatus, keys, one_line, u64),
    peers=st.lists(peer_statuses, max_size=3).map(tuple),
)
