"""The table of the judgement: an interface that is there, and its file."""

from ipaddress import ip_network

from pywg.doctor.facts import (
    Astray,
    ForwardingFacts,
    InterfaceFacts,
    Runner,
)
from pywg.doctor.findings import Code
from tests.doctor.patients import (
    STRANGER,
    TRIED,
    WELL,
    Case,
    K,
    P,
    W,
    interface,
    link,
    of,
    peer,
    recent,
    told,
)

CASES_OF_INTERFACES = (
    # An interface that is there.
    Case(
        Code.NAME_CLASH,
        P,
        of(interface(WELL, link=link(kind="wireguard"))),
        "kind: wireguard",
        "ip link delete wg0",
    ),
    Case(
        Code.NOT_WIREGUARD,
        P,
        of(InterfaceFacts("wg0", Runner.NOT_WIREGUARD, link=link(), tun_holder="openvpn (pid 9)")),
        "held by openvpn (pid 9)",
        "pywg up wg0",
    ),
    Case(
        Code.NOT_WIREGUARD,
        P,
        of(InterfaceFacts("wg0", Runner.NOT_WIREGUARD, link=link(kind="dummy"))),
        "a dummy device",
        "another name",
    ),
    Case(
        Code.DAEMON_SILENT,
        P,
        of(InterfaceFacts("wg0", Runner.SILENT, error="wg0: no answer within 5 s")),
        "no answer within 5 s",
        "pywg down wg0",
    ),
    Case(
        Code.NO_PRIVATE_KEY,
        P,
        of(
            interface(
                peer(recent=recent(initiations_sent=2, failures={"no_private_key": 2})),
                public_key=None,
                link=link(is_up=True),
                status=told(drops={"bad_mac1": 4}, stranger=STRANGER),
            )
        ),
        "no private key",
        "pywg set wg0 private-key",
    ),
    Case(
        Code.PORT_TAKEN,
        P,
        of(
            interface(
                peer(recent=TRIED),
                status=told(
                    sockets={"error": "cannot listen on UDP port 51820: it is in use", "v4": "closed"}
                ),
                port_holder="wireguard-go (pid 3)",
            )
        ),
        "UDP port 51820: it is in use by wireguard-go (pid 3)",
        "another ListenPort",
    ),
    Case(
        Code.NO_SOCKET,
        P,
        of(
            interface(
                peer(recent=TRIED),
                status=told(sockets={"error": "cannot listen on UDP port 80: Permission denied"}),
            )
        ),
        "Permission denied",
        "listen-port 0",
    ),
    Case(Code.NO_PEERS, P, of(interface()), "no peers", "pywg set wg0 peer"),
    Case(
        Code.INTERFACE_DOWN,
        P,
        of(
            interface(
                peer(handshake_age=900, recent=TRIED, astray=(Astray(ip_network("10.0.0.2/32"), ""),)),
                link=link(is_up=False),
            )
        ),
        "is down",
        "ip link set wg0 up",
    ),
    Case(
        Code.MADE_FOR_ANOTHER_KEY,
        P,
        of(interface(peer(recent=TRIED), status=told(drops={"bad_mac1": 4}))),
        "4 handshake messages arrived made for another public key than ours",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        alone=False,
    ),
    Case(
        Code.UNKNOWN_KEY,
        P,
        of(interface(peer(recent=TRIED), status=told(stranger=STRANGER))),
        "from 192.0.2.2:40000 with a public key that no peer here has: "
        "QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8=",
        "pywg set wg0 peer QEFCQ0RF",
    ),
    Case(
        Code.UNDER_LOAD,
        W,
        of(
            interface(
                WELL, status=told(handshake_failures={"cookie": 70}, handshake_failure_ages={"cookie": 2})
            )
        ),
        "under load",
        "firewall",
    ),
    Case(
        Code.RATE_LIMITED,
        W,
        of(
            interface(
                WELL,
                status=told(handshake_failures={"rate_limit": 9}, handshake_failure_ages={"rate_limit": 2}),
            )
        ),
        "too many (9",
        "block the source",
    ),
    Case(
        Code.NO_ADDRESS,
        W,
        of(interface(WELL, link=link(addresses=()))),
        "no address: packets leave with another interface's source",
        "ip address add",
    ),
    Case(
        Code.DESTINATION_NOT_ALLOWED,
        W,
        of(interface(peer(), status=told(drops={"no_route": 5}), multicasts=2)),
        "3 packets went into wg0 for addresses that no peer is allowed; the allowed IPs cover 10.0.0.2/32.",
        "allowed-ips +ADDRESS/32",
    ),
    Case(
        Code.NOT_FORWARDING,
        P,
        of(interface(WELL, forwarding=(ForwardingFacts(4, is_on=False, is_wanted=True),))),
        "does not forward IPv4, and the hooks of the file are there for that",
        "sysctl -w net.ipv4.ip_forward=1",
    ),
    Case(
        Code.NOT_FORWARDING,
        P,
        of(interface(WELL, forwarding=(ForwardingFacts(6, is_on=False, refused=4),))),
        "does not forward IPv6, and 4 packets for others were dropped: peers reach nothing beyond it",
        "sysctl -w net.ipv6.conf.all.forwarding=1",
    ),
    Case(
        Code.NOT_FORWARDING,
        K,
        of(interface(WELL, forwarding=(ForwardingFacts(4, is_on=False, refused=1),))),
        "does not forward IPv4; 1 packet for others was dropped, whichever way they came",
        "sysctl -w net.ipv4.ip_forward=1",
    ),
    Case(
        Code.TELLS_LESS,
        K,
        of(interface(peer(handshake_age=5, told=False), runner=Runner.OTHER, status=None)),
        "cannot be known",
        "",
    ),
    Case(
        Code.TELLS_LESS,
        K,
        of(
            interface(
                peer(handshake_age=5, told=False),
                runner=Runner.KERNEL,
                status=None,
                link=link(kind="wireguard"),
            )
        ),
        "The kernel runs it",
        "",
    ),
    Case(
        Code.LINK_ELSEWHERE, K, of(interface(WELL, link=None)), "another network namespace", "ip netns exec"
    ),
    Case(Code.INTERFACE_READY, K, of(interface(WELL)), "UDP port 51820, MTU 1420, engine native, 1 peer", ""),
)
