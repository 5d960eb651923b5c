"""The table of the judgement: peers."""

from ipaddress import ip_network

from pywg.doctor.facts import (
    Astray,
    RouteFacts,
    Runner,
)
from pywg.doctor.findings import Code
from pywg.endpoint import Endpoint
from tests.doctor.patients import (
    TRIED,
    Case,
    K,
    P,
    W,
    interface,
    name_of,
    of,
    of_peer,
    peer,
    recent,
    told,
)

CASES_OF_PEERS = (
    # A peer that cannot be tried.
    Case(
        Code.BAD_PUBLIC_KEY,
        P,
        of_peer(recent=recent(failures={"zero_shared_secret": 2})),
        "low order",
        "pywg pubkey",
    ),
    Case(
        Code.NAME_UNRESOLVED,
        P,
        of_peer(recent=TRIED, endpoint=None, name=name_of("vpn.example", error="Name or service not known")),
        "vpn.example, does not resolve",
        "Mend the name",
    ),
    Case(
        Code.NO_ENDPOINT,
        P,
        of_peer(endpoint=None, recent=recent(drops={"no_endpoint": 1})),
        "no endpoint: nobody knows where",
        "pywg set wg0 peer ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8= endpoint HOST:PORT",
    ),
    Case(
        Code.NO_ENDPOINT,
        P,
        of_peer(endpoint=None, persistent_keepalive_interval=25),
        "no endpoint",
        "Endpoint",
    ),
    Case(
        Code.FAMILY_UNAVAILABLE,
        P,
        of(
            interface(
                peer(endpoint=Endpoint("2001:db8::1", 5), recent=TRIED),
                status=told(sockets={"link": "up", "v4": "open", "v6": "unavailable"}),
            )
        ),
        "an IPv6 address, and this machine has no IPv6",
        "other family",
    ),
    Case(
        Code.NO_ROUTE_TO_ENDPOINT,
        P,
        of_peer(recent=recent(initiations_sent=3, drops={"send_error": 3}), route=RouteFacts()),
        "no route to the endpoint 192.0.2.2:51820",
        "ip route get 192.0.2.2",
    ),
    Case(
        Code.ROUTING_LOOP,
        P,
        of_peer(recent=TRIED, route=RouteFacts("wg0", 1420)),
        "into the tunnel itself",
        "AllowedIPs",
    ),
    Case(
        Code.ROUTING_LOOP, P, of_peer(recent=recent(drops={"routing_loop": 1})), "into the tunnel", "FwMark"
    ),
    # Handshakes that come to nothing.
    Case(
        Code.WRONG_KEY,
        P,
        of_peer(recent=recent(initiations_sent=3, responses_refused=3, responses_sent=4)),
        "do not authenticate (3 responses): the preshared keys",
        "PresharedKey",
    ),
    Case(
        Code.WRONG_KEY,
        P,
        of_peer(handshake_age=130, recent=recent(initiations_sent=1, responses_refused=1)),
        "1 response",
        "PresharedKey",
    ),
    Case(
        Code.STALE_TIMESTAMP,
        P,
        of_peer(handshake_age=400, recent=recent(failures={"stale_timestamp": 6}, initiations_sent=2)),
        "initiations (6) carry a time before that of an earlier one",
        "clock of the other side",
    ),
    Case(
        Code.NEVER_CONFIRMED,
        P,
        of_peer(recent=recent(initiations_received=5, responses_sent=5)),
        "answered 5 times, and it used none",
        "preshared keys",
    ),
    Case(
        Code.NEVER_CONFIRMED,
        P,
        of_peer(recent=recent(initiations_received=1, responses_sent=1), traffic={"sent": 40}),
        "answered once, and it used none",
        "preshared keys",
    ),
    Case(
        Code.NEVER_CONFIRMED,
        P,
        of(interface(peer(told=False, rx_bytes=3 * 148, tx_bytes=3 * 92), runner=Runner.OTHER, status=None)),
        "answered 3 times",
        "preshared keys",
    ),
    Case(
        Code.ENDPOINT_OUTDATED,
        W,
        of_peer(recent=TRIED, name=name_of("vpn.example", Endpoint("198.51.100.1", 51820))),
        "vpn.example now stands for 198.51.100.1:51820, and the interface still sends to 192.0.2.2:51820",
        "endpoint vpn.example:51820",
    ),
    Case(
        Code.PORT_CLOSED,
        P,
        of_peer(recent=recent(initiations_sent=2, icmp={111: 2})),
        "192.0.2.2:51820 refused 2 datagrams",
        "ListenPort",
    ),
    Case(
        Code.HOST_UNREACHABLE,
        P,
        of_peer(recent=recent(initiations_sent=2, icmp={113: 1})),
        "1 datagram",
        "right",
    ),
    Case(
        Code.NETWORK_UNREACHABLE,
        P,
        of_peer(recent=recent(initiations_sent=2, icmp={101: 1})),
        "network",
        "route",
    ),
    Case(Code.PROHIBITED, P, of_peer(recent=recent(initiations_sent=2, icmp={13: 1})), "prohibits", "UDP"),
    Case(
        Code.SEND_REFUSED,
        P,
        of_peer(recent=recent(initiations_sent=2, drops={"send_error": 2})),
        "refused to send 2 datagrams",
        "nft list ruleset",
    ),
    Case(
        Code.PEER_UNDER_LOAD,
        W,
        of_peer(recent=recent(initiations_sent=2, cookie_replies_received=1)),
        "The peer is under load",
        "next attempt",
    ),
    Case(
        Code.NOTHING_CAME_BACK,
        P,
        of_peer(recent=TRIED),
        "3 handshake initiations went to 192.0.2.2:51820 and nothing ever came back",
        "ListenPort",
    ),
    Case(
        Code.NOTHING_CAME_BACK,
        P,
        of_peer(recent=recent(initiations_sent=1), traffic={"sent": 3}),
        "1 handshake initiation went",
        "PublicKey",
    ),
    Case(
        Code.NOTHING_CAME_BACK,
        P,
        of(interface(peer(told=False, tx_bytes=2 * 148), runner=Runner.OTHER, status=None)),
        "2 handshake initiations went to 192.0.2.2:51820 and nothing ever came back: a firewall",
        "PublicKey",
    ),
    Case(
        Code.GONE_SILENT,
        P,
        of_peer(handshake_age=400, recent=TRIED),
        "worked until 6 minutes ago; 3 handshake initiations since then found no answer",
        "still on",
    ),
    Case(
        Code.GONE_SILENT,
        P,
        of_peer(handshake_age=40, recent=TRIED),
        "worked until 40 seconds ago",
        "still on",
    ),
    Case(
        Code.GONE_SILENT,
        P,
        of(
            interface(
                peer(told=False, handshake_age=400, rx_bytes=500, persistent_keepalive_interval=25),
                runner=Runner.OTHER,
                status=None,
            )
        ),
        "worked until 6 minutes ago",
        "still on",
    ),
    Case(
        Code.HANDSHAKE_PENDING,
        W,
        of_peer(recent=recent(initiations_sent=1), traffic={"sent": 0}),
        "just begun",
        "in some seconds",
    ),
    Case(Code.CLOCK_WENT_BACK, W, of_peer(handshake_age=-7200), "2 hours in the future", "NTP"),
    # Packets that do not get through.
    Case(
        Code.NO_ALLOWED_IPS,
        P,
        of_peer(handshake_age=5, allowed_ips=(), recent=recent(drops={"source_not_allowed": 3})),
        "no allowed IPs",
        "allowed-ips",
    ),
    Case(
        Code.SOURCE_NOT_ALLOWED,
        P,
        of_peer(handshake_age=5, recent=recent(drops={"source_not_allowed": 3})),
        "3 packets of the peer had a source address outside its allowed IPs and were dropped",
        "now they are 10.0.0.2/32",
    ),
    Case(
        Code.OWN_ADDRESS_AT_PEER,
        W,
        of_peer(handshake_age=5, own=(ip_network("10.0.0.1/32"),)),
        "10.0.0.1/32 in the peer's allowed IPs is an address of this machine itself",
        "AllowedIPs",
    ),
    Case(
        Code.ROUTE_ELSEWHERE,
        P,
        of_peer(handshake_age=5, astray=(Astray(ip_network("10.0.0.2/32"), "eth0"),)),
        "Packets for 10.0.0.2/32 (goes to eth0) are not routed to wg0",
        "ip route add 10.0.0.2/32 dev wg0",
    ),
    Case(
        Code.ROUTE_ELSEWHERE,
        P,
        of_peer(handshake_age=5, astray=tuple(Astray(ip_network(f"10.{n}.0.0/16"), "") for n in range(5))),
        "10.2.0.0/16 (no route) and 2 more are not routed",
        "ip route add 10.0.0.0/16 dev wg0",
    ),
    Case(
        Code.MTU_TOO_LARGE,
        W,
        of_peer(handshake_age=5, route=RouteFacts("eth0", 1400)),
        "of 1420 bytes become datagrams of 1480, and the way to the endpoint carries 1400",
        "MTU = 1340",
    ),
    Case(
        Code.MTU_TOO_LARGE,
        W,
        of_peer(handshake_age=5, endpoint=Endpoint("2001:db8::1", 5), route=RouteFacts("eth0", 1492)),
        "of 1420 bytes become datagrams of 1500, and the way to the endpoint carries 1492",
        "MTU = 1412",
    ),
    # Nothing to mend.
    Case(Code.WAITING_FOR_PEER, K, of_peer(endpoint=None), "must begin", "endpoint HOST:PORT"),
    Case(
        Code.NOT_CONFIRMED_YET,
        K,
        of_peer(recent=recent(initiations_received=1, responses_sent=1), traffic={"sent": 2}),
        "A handshake of the peer was answered 2 seconds ago and is not confirmed yet",
        "again in 10 seconds",
    ),
    Case(
        Code.NOT_CONFIRMED_YET,
        K,
        of(interface(peer(told=False, rx_bytes=148, tx_bytes=92), runner=Runner.OTHER, status=None)),
        "was answered and is not confirmed yet",
        "again in 10 seconds",
    ),
    Case(Code.IDLE, K, of_peer(), "begins with the first packet", "ping"),
    Case(Code.IDLE, K, of_peer(handshake_age=900), "15 minutes ago", ""),
    Case(
        Code.WELL,
        K,
        of_peer(handshake_age=5, traffic={"received": 1}),
        "handshake 5 seconds ago, last heard 1",
        "",
    ),
    Case(
        Code.WELL,
        K,
        of_peer(handshake_age=5, allowed_ips=(ip_network("10.0.0.2/32"), ip_network("192.168.1.0/24"))),
        "The tunnel is up",
        "If hosts of 192.168.1.0/24 do not answer: the peer must forward to them and masquerade",
    ),
    Case(
        Code.WELL,
        K,
        of_peer(handshake_age=5, allowed_ips=(ip_network("10.0.0.0/25"),)),
        "The tunnel is up",
        "",
    ),
    Case(Code.WELL, K, of_peer(handshake_age=125, recent=recent(initiations_sent=1)), "The tunnel is up", ""),
)
