"""The daemon, and the commands that only pywg has.

In: nothing. Out: `DAEMON` and `GROUP`.
"""

from typing import Final

from pywg.manual.model import Argument, Command, Example, Fills, Group, Option, Word

DAEMON: Final = Command(
    word="",
    forms=("[-f|--foreground] INTERFACE",),
    summary="make a WireGuard interface and run it in the background",
    description="""
        Opens a TUN device of that name and its UAPI socket, and leaves a daemon behind that carries its
        packets. When this returns, the interface can be set up: with pywg, with wg(8), with whatever
        speaks UAPI. wg-quick(8) uses pywg where WG_QUICK_USERSPACE_IMPLEMENTATION is `pywg`.

        The daemon ends on SIGTERM, SIGINT or SIGHUP, when its interface is deleted (`ip link delete`
        INTERFACE), and when its socket file is removed.

        In the foreground it tells a service manager that it is ready, if one asked for that
        (sd_notify(3)).
    """,
    arguments=(
        Argument(
            "INTERFACE",
            "the name of the new interface: up to 15 of a-z A-Z 0-9 _ = + . -; one that is a command needs "
            "`-f` before it; on macOS `utun` and a number, or `utun` to let the kernel choose one",
        ),
    ),
    options=(Option(("-f", "--foreground"), "stay in the foreground and log to standard error"),),
    status="""
        0 when the interface is ready (in the foreground: when the daemon was told to end), else 1; 128
        and the signal's number if a signal kept the daemon from starting.
    """,
    examples=(
        Example(("pywg wg0", "pywg setconf wg0 wg0.conf", "ip link set wg0 up"), "without `pywg up`"),
        Example(("LOG_LEVEL=verbose pywg -f wg0",), "see what it does"),
    ),
)

DOCTOR: Final = Command(
    word="doctor",
    forms=("doctor [--json] [INTERFACE|FILE]",),
    summary="find out why a tunnel does not work",
    description="""
        Looks at the machine, at the interface and at each of its peers, and says in a sentence each what
        is wrong and what to do, after `ok`, `warning` or `problem`. It changes nothing. With a
        configuration, an interface that is not up is looked at, too. pywg's own daemon tells it more than
        others do.

        As JSON it has `status`, which is the exit status, and `findings`, an object each with `code`,
        `severity`, `interface`, `peer` (its public key), `endpoint`, `sentence` and `advice`. What does not
        apply is null. Codes stay the same from version to version.
    """,
    arguments=(
        Argument(
            "INTERFACE|FILE",
            "the one to look at, or its configuration; by default all there are",
            (Fills.INTERFACE, Fills.CONFIGURATION),
        ),
    ),
    options=(Option(("--json",), "print what was found as JSON, with a code for each cause"),),
    status="0 if nothing is wrong, 1 if something is, 2 if it could not look.",
)

MONITOR: Final = Command(
    word="monitor",
    forms=("monitor [--interval SECONDS] [--once] [INTERFACE...]",),
    summary="watch interfaces, peers and rates live",
    description="""
        Shows rates, handshakes and dropped packets as they happen. The key q or Ctrl-C ends it, Ctrl-Z
        pauses it. It needs the Python package rich, which `pip install 'pywg-tunnel[monitor]'` brings.
        Where there is no terminal it prints everything once, as with `--once`.
    """,
    arguments=(
        Argument(
            "INTERFACE",
            "those to show; by default all, as they come and go",
            (Fills.INTERFACE,),
            repeats=True,
        ),
    ),
    options=(
        Option(
            ("--interval",), "time between two looks, 0.1 to 3600; 1 if it is not given", Argument("SECONDS")
        ),
        Option(("--once",), "print everything once, with the rates of one interval"),
    ),
    status="""
        0; 1 if rich is not installed, if this user may look at nothing, or, with `--once`, if an interface
        did not answer.
    """,
)

DEMO: Final = Command(
    word="demo",
    forms=("demo [--engine ENGINE] [--seconds N] [--keep | --clean]",),
    summary="show a tunnel between two network namespaces, step by step",
    description="""
        Two peers in network namespaces of their own ping each other, fetch a page, are measured and
        shown. It leaves nothing behind. It needs Linux; root only where users may not make namespaces.
    """,
    options=(
        Option(("--keep",), "leave the tunnel up and say what to try"),
        Option(("--clean",), "remove what `--keep` left up"),
        Option(
            ("--engine",),
            "what carries the packets",
            Argument(
                "ENGINE",
                words=(
                    Word("auto", "the native engine where there is one, else Python's; the default"),
                    Word("native", "the one in Rust, or fail"),
                    Word("python", "the one in Python"),
                ),
            ),
        ),
        Option(
            ("--seconds",), "length of each TCP transfer; 0 for none, 3 if it is not given", Argument("N")
        ),
    ),
)

COMPLETION: Final = Command(
    word="completion",
    forms=("completion SHELL",),
    summary="print a completion script",
    description="Prints it. It completes commands, their words, interfaces, peers and files.",
    arguments=(
        Argument(
            "SHELL",
            "one of",
            words=(Word("bash", "4.4 or newer"), Word("zsh", "5 or newer"), Word("fish", "3 or newer")),
        ),
    ),
    examples=(
        Example(("source <(pywg completion bash)",), "in ~/.bashrc"),
        Example(("source <(pywg completion zsh)",), "in ~/.zshrc, after compinit"),
        Example(("pywg completion fish > ~/.config/fish/completions/pywg.fish",), "to have it always"),
    ),
)

UNIT: Final = Command(
    word="unit",
    forms=("unit [UNIT]",),
    summary="print a systemd unit that runs this pywg",
    description="""
        Prints a template unit of systemd(1) with the path of the pywg that was called, for systemd does
        not find one that is installed in a virtual environment.
    """,
    arguments=(
        Argument(
            "UNIT",
            "one of",
            words=(
                Word("up", "pywg@.service, the default: `pywg up` and `pywg down`"),
                Word(
                    "daemon",
                    "pywg-daemon@.service: the daemon with keys and peers, watched by systemd; addresses and "
                    "routes are left to systemd-networkd(8) or others",
                ),
            ),
        ),
    ),
    examples=(
        Example(
            ("pywg unit > /etc/systemd/system/pywg@.service", "systemctl enable --now pywg@wg0"),
            "bring up wg0 now and whenever the machine starts",
        ),
    ),
)

TOPICS: Final = (
    Word("daemon", "`pywg` INTERFACE"),
    Word("configuration", "the format of configuration files"),
    Word("environment", "variables that are read"),
    Word("files", "where what is"),
    Word("status", "what exit statuses mean"),
)

HELP: Final = Command(
    word="help",
    forms=("help [COMMAND]",),
    summary="print an overview, or all about one command",
    description="`pywg` COMMAND `--help` says the same.",
    arguments=(Argument("COMMAND", "a command, or one of these topics", (Fills.COMMAND,), TOPICS),),
)

VERSION: Final = Command(
    word="version",
    forms=("version", "--version"),
    summary="print the version and the engine that would carry packets here",
    description="Prints two lines: the version, and the engine with the reason.",
)

GROUP: Final = Group("Commands of pywg's own", (DOCTOR, MONITOR, DEMO, COMPLETION, UNIT, HELP, VERSION))
