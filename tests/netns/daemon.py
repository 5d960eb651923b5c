"""A WireGuard daemon in a namespace, either pywg or Debian's wireguard-go, and what `wg` says of it.

Comes in: a program, a namespace and `wg` arguments. Goes out: running daemons and parsed `wg show ... dump`.
Rule: the program under test is asked for by `subject()`; ``PYWG_TEST_SUBJECT=wireguard-go`` swaps it for
wireguard-go, to tell a fault of these tests from one of pywg. Its engine is asked for by PYWG_ENGINE, and no
daemon is handed out that runs another.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from pywg.uapi.client import UapiClient
from tests.netns.namespace import UAPI_SOCKETS, CommandError, Namespace, run, socket_answers
from tests.netns.wait import until

PROJECT = Path(__file__).resolve().parents[2]
START_SECONDS = 20.0
STOP_SECONDS = 15.0


class Program(Enum):
    """Which WireGuard to run."""

    PYWG = "pywg"
    HASTY = "pywg with short limits"
    FAULTY = "pywg whose native engine fails on demand"
    WIREGUARD_GO = "wireguard-go"

    @property
    def is_pywg(self) -> bool:
        """Whether it is ours."""
        return self is not Program.WIREGUARD_GO

    @property
    def argv(self) -> list[str]:
        """The command line, without interface."""
        if self is Program.WIREGUARD_GO:
            return ["wireguard-go"]
        return [sys.executable, "-P", "-m", _STAND_INS.get(self, "pywg")]


_STAND_INS = {Program.HASTY: "tests.netns.hasty_daemon", Program.FAULTY: "tests.daemon.faulty_daemon"}
"""Modules that are pywg but for what a test needs to be otherwise."""


def subject() -> Program:
    """The program under test: pywg, unless the environment says otherwise (see above)."""
    return Program(os.environ.get("PYWG_TEST_SUBJECT", Program.PYWG.value))


def daemon_environment(**more: str) -> dict[str, str]:
    """The environment daemons are started in: this tree's pywg, and every log line."""
    return os.environ | {"PYTHONPATH": str(PROJECT), "LOG_LEVEL": "verbose"} | more


def assert_engine(interface: str, environment: Mapping[str, str]) -> None:
    """The daemon, which was started in this environment, runs the engine that it asks for, if any."""
    asked = environment.get("PYWG_ENGINE", "auto")
    status = UapiClient(interface).status()
    assert status is not None, f"{interface}: this is not pywg"
    assert asked in {"auto", status.engine}, (
        f"{interface}: runs the {status.engine} engine ({status.engine_reason}) instead of {asked}"
    )


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A static key pair, base64 as `wg` prints it."""

    private: str
    public: str

    @classmethod
    def generate(cls) -> "KeyPair":
        """A new pair from ``wg genkey``."""
        private = run("wg", "genkey").stdout.strip()
        return cls(private, run("wg", "pubkey", text=private).stdout.strip())


def new_preshared_key() -> str:
    """A new preshared key, base64."""
    return run("wg", "genpsk").stdout.strip()


@dataclass(frozen=True, slots=True)
class PeerDump:
    """One peer line of ``wg show IF dump``; times in seconds of the epoch, sizes in bytes."""

    preshared_key: str
    endpoint: str
    allowed_ips: tuple[str, ...]
    latest_handshake: int
    received: int
    sent: int
    persistent_keepalive: str


@dataclass(frozen=True, slots=True)
class DeviceDump:
    """``wg show IF dump``."""

    private_key: str
    public_key: str
    listen_port: int
    fwmark: str
    peers: Mapping[str, PeerDump]

    @classmethod
    def parse(cls, text: str) -> "DeviceDump":
        """Read the tab-separated lines."""
        device, *lines = (line.split("\t") for line in text.splitlines())
        peers = {
            public: PeerDump(
                psk, endpoint, tuple(allowed.split(",")), int(handshake), int(received), int(sent), keepalive
            )
            for public, psk, endpoint, allowed, handshake, received, sent, keepalive in lines
        }
        return cls(device[0], device[1], int(device[2]), device[3], peers)


@dataclass(slots=True)
class Daemon:
    """A daemon in the foreground, with its log in a file."""

    program: Program
    namespace: Namespace
    interface: str
    process: subprocess.Popen[bytes]
    log_file: Path

    @classmethod
    def start(
        cls,
        program: Program,
        namespace: Namespace,
        interface: str,
        log_file: Path,
        env: Mapping[str, str],
    ) -> "Daemon":
        """Start `program` for `interface` and wait until its socket answers.

        Raises CommandError with its log.
        """
        environment = daemon_environment(**env)
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                namespace.command(*program.argv, "-f", interface),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
            )
        daemon = cls(program, namespace, interface, process, log_file)
        try:
            until(
                lambda: process.poll() is not None or socket_answers(daemon.socket),
                f"{program.value} answers on {daemon.socket}",
                seconds=START_SECONDS,
            )
            if process.poll() is not None:
                raise CommandError(f"{program.value} {interface}: exit {process.returncode}")
            if program.is_pywg:
                assert_engine(interface, environment)
        except AssertionError as error:
            daemon.kill()
            raise CommandError(f"{error}\n{daemon.log()}") from None
        return daemon

    @property
    def socket(self) -> Path:
        """The UAPI socket."""
        return UAPI_SOCKETS / f"{self.interface}.sock"

    def log(self) -> str:
        """What the daemon has logged up to now."""
        return self.log_file.read_text(errors="replace")

    def wg(self, command: str, *arguments: str, text: str = "", check: bool = True) -> str:
        """What ``wg COMMAND IF ARGUMENTS`` prints, on both streams; `text` is its /dev/stdin."""
        done = self.namespace.run("wg", command, self.interface, *arguments, text=text, check=check)
        return done.stdout + done.stderr

    def set(self, *arguments: str, text: str = "") -> None:
        """``wg set IF ARGUMENTS``."""
        self.wg("set", *arguments, text=text)

    def configure(self, config: str) -> None:
        """``wg setconf IF`` with the text of a configuration file."""
        self.wg("setconf", "/dev/stdin", text=config)

    def dump(self) -> DeviceDump:
        """The whole state, parsed."""
        return DeviceDump.parse(self.wg("show", "dump"))

    def peer(self, public_key: str) -> PeerDump:
        """The state of one peer."""
        return self.dump().peers[public_key]

    def udp_families(self) -> int:
        """In how many of the two families it has a UDP socket."""
        process = Path(f"/proc/{self.process.pid}")
        held = {_target(entry) for entry in (process / "fd").iterdir()}
        return sum(
            any(f"socket:[{line.split()[9]}]" in held for line in table.read_text().splitlines()[1:])
            for table in (process / "net" / "udp", process / "net" / "udp6")
        )

    def until_link_is(self, state: str) -> None:
        """Wait until it has noticed that its link is "up" or "down": it has all sockets, or none.

        What is sent to it, or given to its interface, before it has noticed that it is up is lost.
        """
        families = 2 if state == "up" else 0
        what = f"{self.interface} has noticed that it is {state}"
        until(lambda: self.udp_families() == families, what, seconds=START_SECONDS, every=0.005)

    def stop(self) -> int:
        """End the daemon with SIGTERM; returns its exit code, raises CommandError if it does not end."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """Wait for the daemon to end by itself; raises CommandError if it does not."""
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise CommandError(
                f"{self.interface}: still alive {STOP_SECONDS} s after it was to end\n{self.log()}"
            ) from None

    def kill(self) -> None:
        """End the daemon at once and wipe its socket."""
        self.process.kill()
        self.process.wait()
        self.socket.unlink(missing_ok=True)

    def assert_gone(self, *elsewhere: Namespace) -> None:
        """Process, socket and interface (here and in the namespaces `elsewhere`) no longer exist."""
        assert self.process.poll() is not None, f"{self.interface}: daemon still runs"
        assert not self.socket.exists(), f"{self.interface}: {self.socket} was left behind"
        for namespace in (self.namespace, *elsewhere):
            assert not namespace.has_link(self.interface), (
                f"{self.interface} was left behind in {namespace.name}"
            )

    def close(self) -> None:
        """Clean-up at the end of a test: stop if needed and hold the daemon to leaving nothing behind."""
        try:
            if self.process.poll() is None:
                code = self.stop()
                assert code == 0 or not self.program.is_pywg, f"{self.interface}: exit {code}"
            until(lambda: not self.namespace.has_link(self.interface), "the interface is gone", seconds=10)
            self.assert_gone()
        finally:
            with contextlib.suppress(OSError):
                print(f"--- {self.program.value} {self.interface}", *self.log().splitlines()[-60:], sep="\n")
            self.socket.unlink(missing_ok=True)


def _target(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink())
    except FileNotFoundError:  # It was closed meanwhile.
        return ""
