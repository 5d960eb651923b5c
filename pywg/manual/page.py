"""The manual as a whole, and its parts that are not of one command.

In: nothing. Out: `MANUAL`.
"""

from typing import Final

from pywg.manual import own, quick, wg
from pywg.manual.model import Command, Entries, Entry, Manual, Section

CONFIGURATION: Final = Section(
    "configuration",
    "Configuration files",
    """
        A section starts with `[Interface]` or `[Peer]`, and each peer has one of its own. Every other
        line is a setting: a name, an equals sign and a value. Case does not matter. What follows a `#` is
        a comment. A setting with a star may stand more than once; `Address`, `DNS` and `AllowedIPs` also
        take lists separated by commas.

        A hook is a line of the shell, up to its end, `#` and all. It finds the interface's name in the
        variable INTERFACE and the path of this file in CONFIG_FILE.
    """,
    (
        Entries(
            "[Interface]",
            (
                Entry("PrivateKey", "a private key in base64"),
                Entry("ListenPort", "the UDP port to listen on; if it is not given, the system chooses one"),
                Entry(
                    "FwMark", "the mark of outgoing packets, decimal or 0x and hexadecimal; 0 or `off`: none"
                ),
            ),
        ),
        Entries(
            "[Interface], for up and down only",
            (
                Entry("Address*", "addresses of the interface, with prefix lengths"),
                Entry("DNS*", "addresses of name servers; what is no address is a search domain"),
                Entry("MTU", "of the interface; by default 80 bytes less than on the way to the endpoints"),
                Entry(
                    "Table",
                    "where routes go: number or name of a routing table; `off`: no routes; `auto`, the "
                    "default: the main table, but default routes in one of their own",
                ),
                Entry("PreUp*, PostUp*", "hooks: commands for bash(1); `%i` is the interface's name"),
                Entry("PreDown*, PostDown*", "hooks of `pywg down`"),
                Entry("SaveConfig", "`true`: `pywg down` writes the present configuration to this file"),
            ),
        ),
        Entries(
            "[Peer]",
            (
                Entry("PublicKey", "its public key in base64; no peer is without"),
                Entry("PresharedKey", "a preshared key in base64"),
                Entry("AllowedIPs*", "networks that are sent to this peer and accepted from it"),
                Entry("Endpoint", "where to send to: an address or a name, and a port"),
                Entry("PersistentKeepalive", "seconds between keepalives, 1 to 65535; 0 or `off`: none"),
            ),
        ),
    ),
)

ENVIRONMENT: Final = Section(
    "environment",
    "Environment",
    lists=(
        Entries(
            "Of the commands",
            (
                Entry(
                    "WG_COLOR_MODE", "colours: `always`, `never`, or `auto` for a terminal only, the default"
                ),
                Entry("WG_HIDE_KEYS", "`never`: `show` does not hide secret keys, and has them in its JSON"),
                Entry(
                    "WG_ENDPOINT_RESOLUTION_RETRIES",
                    "how often to try again when the name of an endpoint cannot be resolved for now: a "
                    "number, 15 if unset, or `infinity`",
                ),
                Entry(
                    "WG_QUICK_USERSPACE_IMPLEMENTATION",
                    "a program to be the device of `up`, if it is to be another than pywg's daemon",
                ),
                Entry("NO_COLOR", "set: `demo` and `monitor` do without colours"),
            ),
        ),
        Entries(
            "Of the daemon",
            (
                Entry(
                    "LOG_LEVEL",
                    "what is logged: `verbose` (or `debug`), `error` (the default) or `silent`. In the "
                    "background the daemon keeps its standard output and error only if this is set and not "
                    "`silent`; errors go to syslog as well",
                ),
                Entry(
                    "PYWG_ENGINE",
                    "what carries the packets: `native`, `python`, or `auto` for the native engine where "
                    "there is one",
                ),
                Entry("WG_TUN_FD", "the descriptor of an open TUN device to take over"),
                Entry("WG_UAPI_FD", "the descriptor of a listening UAPI socket to take over"),
                Entry("WG_PROCESS_FOREGROUND", "`1`: stay in the foreground"),
                Entry(
                    "WG_TUN_NAME_FILE",
                    "on macOS, with the name `utun`: the file to write the interface's real name to",
                ),
                Entry("NOTIFY_SOCKET", "in the foreground: where a service manager listens (sd_notify(3))"),
                Entry("PYWG_READY_FD", "set by pywg for its background process, and for nobody else to set"),
            ),
        ),
    ),
)

FILES: Final = Section(
    "files",
    "Files",
    lists=(
        Entries(
            "",
            (
                Entry("/etc/wireguard/NAME.conf", "a configuration; for root only, as it holds secret keys"),
                Entry(
                    "/var/run/wireguard/NAME.sock", "an interface's UAPI socket; without it its daemon ends"
                ),
                Entry("/dev/net/tun", "where TUN devices come from, on Linux"),
            ),
        ),
    ),
)

STATUS: Final = Section(
    "status",
    "Exit status",
    """
        0 if all was done as asked; 1 if not, and standard error says why; 130 after an interrupt
        (Ctrl-C).
    """,
)

MANUAL: Final = Manual(
    name="pywg",
    summary="a userspace WireGuard: the daemon, wg and wg-quick in one program",
    description="""
        Runs WireGuard interfaces in user space. The same program has the commands of wg(8), which work
        with every WireGuard interface of the machine, and those of wg-quick(8).

        A single word that is no command is the name of an interface to make. Whatever makes, changes or
        looks at an interface needs root.
    """,
    daemon=own.DAEMON,
    groups=(wg.GROUP, quick.GROUP, own.GROUP),
    sections=(CONFIGURATION, ENVIRONMENT, FILES, STATUS),
    see_also=("wg(8)", "wg-quick(8)", "ip(8)", "systemd(1)"),
)


def commands() -> dict[str, Command]:
    """By word, in the manual's order; without the daemon, which has none."""
    return {command.word: command for group in MANUAL.groups for command in group.commands}
