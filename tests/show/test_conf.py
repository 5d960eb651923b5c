"""What showconf prints sets the same again. That it is wg's: tests/config/test_same_as_wg.py."""

from dataclasses import replace
from ipaddress import ip_network

from hypothesis import given

from pywg.config.change import setconf_change
from pywg.config.parse import parse_wg
from pywg.endpoint import Endpoint
from pywg.net.resolve import resolver
from pywg.show.conf import showconf
from pywg.uapi.model import DeviceState, PeerState
from tests.uapi.fake import FakeDevice
from tests.uapi.strategies import configurable_states


def configuration(state: DeviceState) -> DeviceState:
    """Without what only time brings."""
    peers = (replace(peer, last_handshake_ns=0, tx_bytes=0, rx_bytes=0) for peer in state.peers)
    return replace(state, peers=tuple(peers))


@given(configurable_states)
def test_there_and_back(state: DeviceState) -> None:
    device = FakeDevice()
    change = setconf_change(parse_wg(showconf(state), "f"), resolver(tell=print, environ={}))
    assert change.listen_port == state.listen_port
    device.apply(replace(change, listen_port=None))  # The fake keeps a port for itself.
    assert replace(device.state, listen_port=state.listen_port) == configuration(state)


def test_addresses_are_written_as_the_c_library_does() -> None:
    prefixes = (ip_network("::ffff:192.0.2.1/128"), ip_network("::c000:201/128"), ip_network("2001:db8::/32"))
    peer = PeerState(bytes(32), endpoint=Endpoint("::ffff:c000:201", 5), allowed_ips=prefixes)
    text = showconf(DeviceState(peers=(peer,)))
    assert "AllowedIPs = ::ffff:192.0.2.1/128, ::192.0.2.1/128, 2001:db8::/32\n" in text
    assert "Endpoint = [::ffff:192.0.2.1]:5\n" in text
