"""The commands of wg(8): keys, and what a WireGuard interface is told and tells.

In: nothing. Out: `GROUP`. What the commands do is wg's; how it is said is ours.
"""

from typing import Final

from pywg.manual.model import Argument, Command, Example, Fills, Group, Option, Word

_INTERFACE: Final = Argument(
    "INTERFACE", "a WireGuard interface, whatever implementation runs it", (Fills.INTERFACE,)
)
_FILE: Final = Argument(
    "FILE",
    "a configuration file without the settings that only `up` and `down` understand, or /dev/stdin",
    (Fills.FILE,),
)
_KEY_FILE: Final = Argument("FILE", fills=(Fills.FILE,))
_STATUS: Final = """
    0; 1 for an error. Then nothing was changed, unless the interface refused a part: what comes before
    that part stays changed.
"""

SHOW: Final = Command(
    word="show",
    forms=("show [--json] [INTERFACE | all | interfaces]", "show {INTERFACE | all} FIELD"),
    summary="show interfaces and their peers",
    description="""
        Shows one interface or, by default, all of them by name; the peers with the newest handshake come
        first.
        Keys that must stay secret are shown as `(hidden)`, unless WG_HIDE_KEYS says otherwise.

        With a FIELD it prints that alone, for scripts: a line for each peer, its parts separated by tabs;
        after `all`, the interface's name comes first. What is not set is `(none)` or `off`; secret keys
        are not hidden.

        As JSON it has the names of wg-json, an object for each interface and in it one for each peer.
        Secret keys are left out, unless WG_HIDE_KEYS is `never`.
    """,
    arguments=(
        Argument(
            "INTERFACE",
            "a WireGuard interface, whatever implementation runs it, or",
            (Fills.INTERFACE,),
            (Word("all", "every interface"), Word("interfaces", "the names of all interfaces, no more")),
        ),
        Argument(
            "FIELD",
            "what to print, one of",
            words=(
                Word("public-key", "the interface's public key"),
                Word("private-key", "the interface's private key"),
                Word("listen-port", "the UDP port it listens on"),
                Word("fwmark", "the mark of its outgoing packets"),
                Word("peers", "the public keys of its peers"),
                Word("preshared-keys", "each peer's preshared key"),
                Word("endpoints", "each peer's endpoint"),
                Word("allowed-ips", "each peer's allowed IPs"),
                Word("latest-handshakes", "each peer's latest handshake, in seconds since 1970"),
                Word("transfer", "bytes received from and sent to each peer"),
                Word("persistent-keepalive", "each peer's keepalive interval in seconds"),
                Word(
                    "dump",
                    "all of it: a line of private key, public key, listen port and fwmark; then for each "
                    "peer a line of public key, preshared key, endpoint, allowed IPs, latest handshake, "
                    "bytes received, bytes sent and persistent keepalive",
                ),
            ),
        ),
    ),
    options=(Option(("--json",), "print everything as JSON"),),
    status="""
        0; 1 if no interface could be read. One of several that cannot be is told on standard error, and
        the others are shown.
    """,
    examples=(
        Example(("pywg show",), "everything, for people"),
        Example(("pywg show wg0 latest-handshakes",), "when each peer was last heard of, for a script"),
    ),
)

SHOWCONF: Final = Command(
    word="showconf",
    forms=("showconf INTERFACE",),
    summary="print an interface's configuration as setconf takes it",
    description="""
        Prints what the interface is set to in the format of a configuration file, secret keys included.
    """,
    arguments=(_INTERFACE,),
    examples=(Example(("umask 077", "pywg showconf wg0 > wg0.conf"), "keep a copy"),),
)

SET: Final = Command(
    word="set",
    forms=(
        (
            "set INTERFACE [listen-port PORT] [fwmark MARK] [private-key FILE] "
            "[peer KEY [remove] [preshared-key FILE] [endpoint HOST:PORT] [persistent-keepalive SECONDS] "
            "[allowed-ips [+|-]IP/CIDR[,[+|-]IP/CIDR]...]]..."
        ),
    ),
    summary="change an interface's settings, add and remove peers",
    description="""
        Changes what is named and leaves the rest. What follows `peer` KEY is of that peer, up to the next
        `peer`; a peer that is not there yet is added.

        Secret keys are read from files, such as /dev/stdin, for every user of the machine can see the words
        of a command. An empty file, such as /dev/null, takes the key away.
    """,
    arguments=(_INTERFACE,),
    settings=(
        Option(
            ("listen-port",),
            "the UDP port to listen on, 0 to 65535; with 0 the system chooses one",
            Argument("PORT"),
        ),
        Option(
            ("fwmark",),
            "mark outgoing packets, for routing rules and firewalls: 32 bits, decimal or 0x and hexadecimal; "
            "0 or `off` for no mark",
            Argument("MARK", words=(Word("off"),)),
        ),
        Option(("private-key",), "a file with the interface's private key in base64", _KEY_FILE),
        Option(
            ("peer",),
            "the peer that the following settings apply to: its public key in base64",
            Argument("KEY", fills=(Fills.PEER,)),
        ),
    ),
    peer_settings=(
        Option(("remove",), "take the peer away"),
        Option(
            ("preshared-key",),
            "a file with a key in base64 that both ends share: it is mixed into the handshake and protects "
            "what is sent today, should Curve25519 be broken one day",
            _KEY_FILE,
        ),
        Option(
            ("endpoint",),
            "where to send to, until the peer is heard of from elsewhere: an address (IPv6 in brackets) or a "
            "name, which is resolved now and once, and a port",
            Argument("HOST:PORT"),
        ),
        Option(
            ("persistent-keepalive",),
            "send an empty packet this often, 1 to 65535, so that a NAT or a firewall between keeps the way "
            "open; 25 is usual; 0 or `off` for none",
            Argument("SECONDS", words=(Word("off"),)),
        ),
        Option(
            ("allowed-ips",),
            "networks that are sent to this peer and accepted from it, separated by commas. They replace "
            "those it has; if `+` or `-` stands before any, each is added or taken away. An empty word takes "
            "all away. A network belongs to one peer: the last that was given it",
            Argument("IP/CIDR"),
        ),
    ),
    status=_STATUS,
    examples=(
        Example(("pywg set wg0 listen-port 51820 private-key ./private",), "set the port and the key"),
        Example(
            ("pywg set wg0 peer KEY endpoint 192.0.2.7:51820 allowed-ips 10.0.0.2/32",),
            "add a peer",
        ),
        Example(("pywg set wg0 peer KEY allowed-ips +192.168.1.0/24",), "reach the network behind it, too"),
    ),
)

SETCONF: Final = Command(
    word="setconf",
    forms=("setconf INTERFACE FILE",),
    summary="replace an interface's configuration by a file's",
    description="Sets the interface to what the file says. What the file does not mention is taken away.",
    arguments=(_INTERFACE, _FILE),
    status=_STATUS,
)

ADDCONF: Final = Command(
    word="addconf",
    forms=("addconf INTERFACE FILE",),
    summary="add a file's configuration to an interface's",
    description="Sets what the file says and leaves everything else as it is.",
    arguments=(_INTERFACE, _FILE),
    status=_STATUS,
)

SYNCCONF: Final = Command(
    word="syncconf",
    forms=("syncconf INTERFACE FILE",),
    summary="do as setconf does without disturbing sessions",
    description="""
        Compares the file with what the interface is set to and changes only what differs, so that the
        sessions of unchanged peers go on.
    """,
    arguments=(_INTERFACE, _FILE),
    status=_STATUS,
    examples=(Example(("pywg syncconf wg0 <(pywg strip wg0)",), "after an edit of /etc/wireguard/wg0.conf"),),
)

GENKEY: Final = Command(
    word="genkey",
    forms=("genkey",),
    summary="print a new private key",
    description="""
        Prints a random private key of Curve25519 in base64. If standard output is a file that every user
        may read, a warning goes to standard error; `umask 077` prevents that.
    """,
    examples=(
        Example(("umask 077", "pywg genkey | tee private | pywg pubkey > public"), "a pair of keys in files"),
    ),
)

GENPSK: Final = Command(
    word="genpsk",
    forms=("genpsk",),
    summary="print a new preshared key",
    description="""
        Prints 32 random bytes in base64. Both ends of a tunnel must have the same. It warns as genkey does.
    """,
)

PUBKEY: Final = Command(
    word="pubkey",
    forms=("pubkey",),
    summary="print the public key of a private key",
    description="""
        Reads a private key in base64 from standard input, where nothing else may stand, and prints its
        public key.
    """,
)

GROUP: Final = Group(
    "Commands of wg, for every WireGuard interface of this machine",
    (SHOW, SHOWCONF, SET, SETCONF, ADDCONF, SYNCCONF, GENKEY, GENPSK, PUBKEY),
)
