"""What commands of wg(8) do beyond what is compared with `wg`: streams, new keys, JSON, imports."""

import json
import os
import pty
import resource
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final

import pytest

from pywg.endpoint import Endpoint
from pywg.protocol.static_key import clamp
from pywg.uapi.codec import format_state
from pywg.uapi.model import DeviceChange, DeviceState, PeerChange, PeerState
from tests.cli.lines import OTHER, PEER, PRIVATE, PSK
from tests.cli.machine import PROJECT, PYWG, WG, Machine
from tests.needs import need, need_file, need_root

WG_JSON: Final = "/usr/share/doc/wireguard-tools/examples/json/wg-json"
STATE: Final = DeviceChange(
    private_key=b64decode(PRIVATE),
    listen_port=7,
    fwmark=0x10,
    peers=(PeerChange(b64decode(PEER), preshared_key=b64decode(PSK), persistent_keepalive_interval=25),),
)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """With one interface, pywg0."""
    need_root()
    need("wg", "unshare", "nsenter", "bash")
    with Machine(tmp_path_factory.mktemp("machine")) as made:
        made.pywg_daemon("pywg0")
        yield made


def environment(**more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT)} | more


def pywg(*words: str, stdin: bytes = b"", **env: str) -> subprocess.CompletedProcess[bytes]:
    """A process of its own, on this machine."""
    return subprocess.run(
        [*PYWG, *words], input=stdin, env=environment(**env), capture_output=True, timeout=20, check=False
    )


def shell(machine: Machine, script: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Bash on that machine, where ``pywg`` is a function."""
    return subprocess.run(
        machine.command("bash", "-c", f'pywg() {{ {" ".join(PYWG)} "$@"; }}\n{script}', "bash", *arguments),
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=20,
        check=False,
    )


def test_the_name_of_a_file_steers_no_terminal_and_makes_no_second_line() -> None:
    """As `strip *` in a directory of somebody else might."""
    done = pywg("strip", "/nowhere/\x1b[2J\x9b31m\npywg: all is well.conf")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr == b"pywg: /nowhere/?[2J?31m?pywg: all is well.conf: there is no such file\n"


@pytest.mark.parametrize("command", ["genkey", "genpsk"])
def test_new_keys(command: str) -> None:
    first, second = (pywg(command) for _ in range(2))
    assert (first.returncode, first.stderr, len(first.stdout)) == (0, b"", 45)
    assert first.stdout.endswith(b"=\n")
    assert first.stdout != second.stdout
    assert len(b64decode(first.stdout, validate=False)) == 32


def test_private_keys_are_clamped_and_preshared_keys_are_not() -> None:
    for _ in range(4):
        private_key = b64decode(pywg("genkey").stdout)
        assert (private_key[0] & 7, private_key[31] >> 6) == (0, 1)
        assert clamp(private_key) == private_key
    preshared_keys = [b64decode(pywg("genpsk").stdout) for _ in range(4)]
    # One in 2^20 of these tests would fail for nothing.
    assert any(clamp(key) != key for key in preshared_keys)


def test_public_key_of_a_new_key_is_that_of_wg() -> None:
    need("wg")
    private_key = pywg("genkey").stdout
    theirs = subprocess.run([WG, "pubkey"], input=private_key, capture_output=True, check=True)
    assert pywg("pubkey", stdin=private_key).stdout == theirs.stdout


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o660, 0o604, 0o602, 0o601, 0o644, 0o666])
@pytest.mark.parametrize("command", ["genkey", "genpsk"])
def test_warns_as_wg_of_a_file_that_all_may_open(tmp_path: Path, command: str, mode: int) -> None:
    need("wg")
    warned = []
    for argv in ([WG], PYWG):
        with (tmp_path / "key").open("wb") as file:
            os.fchmod(file.fileno(), mode)
            done = subprocess.run(
                [*argv, command], stdout=file, stderr=subprocess.PIPE, env=environment(), check=False
            )
        assert done.returncode == 0
        assert (tmp_path / "key").stat().st_size == 45
        warned.append(done.stderr != b"")
    assert warned[0] == warned[1] == bool(mode & 0o007)


@pytest.mark.parametrize(
    "words", ["genkey", "pubkey", "show", "show pywg0 dump", "show --json", "showconf pywg0"]
)
@pytest.mark.parametrize("where", [">&-", "> /dev/full"])
def test_a_result_that_cannot_be_written_is_a_failure(machine: Machine, words: str, where: str) -> None:
    machine.client("pywg0").set(STATE)
    done = shell(machine, f"echo {PRIVATE} | pywg {words} {where}")
    assert done.returncode == 1
    assert done.stderr.startswith(b"pywg: cannot write the result: ")
    assert done.stderr.count(b"\n") == 1
    assert done.stdout == b""


@pytest.mark.parametrize("words", ["genkey", "show", "show pywg0 dump"])
def test_standard_error_may_be_closed(machine: Machine, words: str) -> None:
    machine.client("pywg0").set(STATE)
    done = shell(
        machine,
        f"pywg {words} 2>&- > /dev/null; echo $?; pywg {words} x y z 2>&-; echo $?\n"
        f"pywg {words} x y z 2> /dev/full; echo $?",
    )
    assert (done.stdout, done.stderr) == (b"0\n1\n1\n", b"")


@pytest.mark.parametrize(
    "words", ["show all", "show told0 dump", "show all peers", "show --json", "showconf told0"]
)
def test_who_reads_only_the_beginning(machine: Machine, words: str) -> None:
    """More than a pipe takes, of which one line is read. The status is that of wg, which SIGPIPE ends."""
    state = DeviceState(peers=tuple(PeerState(number.to_bytes(32, "big")) for number in range(3000)))
    with machine.device_that_answers("told0", format_state(state).encode() + b"errno=0\n\n"):
        done = shell(machine, f"pywg {words} | (read -r line; sleep 0.1); echo ${{PIPESTATUS[0]}}")
    assert (done.stdout, done.stderr) == (b"141\n", b"")


@pytest.mark.parametrize("stdin", ["<&-", "< /dev/null", "< /proc/self/mem"])
def test_pubkey_without_anything_to_read(machine: Machine, stdin: str) -> None:
    done = shell(machine, f"pywg pubkey {stdin}")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"pywg: standard input")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("words", [["pubkey"], ["setconf", "nowhere0", "/dev/stdin"], ["genkey"]])
def test_a_crash_leaves_no_core_file_with_keys(tmp_path: Path, words: Sequence[str]) -> None:
    """Nor does Ctrl-\\, which is one. What we start may have core files all the same: the limit is soft."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    code = (
        "import resource, signal, sys\n"
        f"resource.setrlimit(resource.RLIMIT_CORE, ({hard}, {hard}))\n"
        "from pywg.cli.main import main\n"
        f"main({list(words)!r})\n"
        f"sys.exit(resource.getrlimit(resource.RLIMIT_CORE) != (0, {hard}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(),
        input=b"",
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_pubkey_of_zeros_without_end(machine: Machine) -> None:
    done = shell(machine, "pywg pubkey < /dev/zero")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"pywg: standard input: there is more than a key")


def test_pubkey_of_endless_input(machine: Machine) -> None:
    """It ends at the first character that is not white space, and holds no more than a piece of what came."""
    done = shell(
        machine,
        f"(echo {PRIVATE}; yes) | pywg pubkey; (echo {PRIVATE}; yes '') | head -c 9999999 | pywg pubkey",
    )
    assert done.stdout == b"HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=\n"
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    ("script", "key"),
    [
        ("pywg set pywg0 private-key <(echo $1)", PSK),
        ("echo $1 | pywg set pywg0 private-key /dev/stdin", PSK),
        ("mkfifo $2/fifo; (sleep 0.2; echo $1) > $2/fifo & pywg set pywg0 private-key $2/fifo; wait", PSK),
        ("pywg set pywg0 private-key /dev/null", ""),
        (": > $2/empty; pywg set pywg0 private-key $2/empty", ""),
        ("pywg setconf pywg0 <(printf '[Interface]\nPrivateKey=%s\n' $1)", PSK),
        ("printf '[Interface]\nPrivateKey=%s\n' $1 | pywg addconf pywg0 /dev/stdin", PSK),
        ("pywg syncconf pywg0 /dev/stdin <<< $'[Interface]\nPrivateKey='$1", PSK),
        ("pywg showconf pywg0 | sed s#PrivateKey.*#PrivateKey=$1# | pywg syncconf pywg0 /dev/stdin", PSK),
    ],
)
def test_files_that_are_none(machine: Machine, tmp_path: Path, script: str, key: str) -> None:
    """Process substitution, pipes, FIFOs, here-strings; an empty file clears the key."""
    machine.client("pywg0").set(STATE)
    done = shell(machine, script, PSK, str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    expected = f"PrivateKey = {_clamped(key)}\n" if key else ""
    told = machine.wg(["showconf", "pywg0"]).out
    assert [line for line in told.splitlines(keepends=True) if line.startswith("PrivateKey")] == (
        [expected] if expected else []
    )


def _clamped(key: str) -> str:
    return b64encode(clamp(b64decode(key))).decode()


def test_an_empty_pipe_is_no_empty_file(machine: Machine) -> None:
    """The command that should have written the key has failed. So does wg."""
    machine.client("pywg0").set(STATE)
    before = machine.client("pywg0").get()
    for program in (WG, "pywg"):
        done = shell(machine, f"false | {program} set pywg0 private-key /dev/stdin")
        assert done.returncode == 1
        assert done.stderr != b""
    assert machine.client("pywg0").get() == before


def test_colours_on_a_terminal_and_nowhere_else(machine: Machine) -> None:
    machine.client("pywg0").set(STATE)
    seen = [
        [on_terminal(machine.command(*argv, "show"), env) for argv in ([WG], PYWG)]
        for env in ({}, {"WG_COLOR_MODE": "never"}, {"WG_COLOR_MODE": "sometimes"})
    ]
    for theirs, ours in seen:
        assert ours == theirs
    assert [b"\x1b[" in ours for _, ours in seen] == [True, False, True]


def on_terminal(argv: Sequence[str], env: Mapping[str, str]) -> bytes:
    """What a command writes to a terminal."""
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as reading:
        with os.fdopen(theirs, "wb") as writing:
            subprocess.run(argv, stdout=writing, env=environment(**env), check=True, timeout=20)
        written = b""
        try:
            while piece := reading.read(65536):
                written += piece
        except OSError:  # EIO: all is read, and nobody has it open any more.
            pass
        return written


def as_json(machine: Machine, *words: str, **env: str) -> Any:
    done = machine.pywg(["show", *words, "--json"], env=env)
    assert (done.error, done.status) == ("", 0)
    assert done.out.endswith("}\n")
    return json.loads(done.out)


@pytest.mark.parametrize("words", [[], ["all"], ["pywg0"]])
def test_json_is_that_of_wg_json(machine: Machine, words: list[str]) -> None:
    need_file(WG_JSON)
    machine.client("pywg0").set(STATE)
    done = subprocess.run(
        machine.command("bash", WG_JSON), env=environment(), capture_output=True, check=True, timeout=20
    )
    theirs = json.loads(done.stdout)
    assert theirs["pywg0"]["peers"][PEER]["persistentKeepalive"] == 25
    assert as_json(machine, *words, WG_HIDE_KEYS="never") == theirs


def test_json_of_everything(machine: Machine) -> None:
    """By the letter, for where there is no wg-json; and without secrets unless they are asked for."""
    peer = PeerState(
        b64decode(PEER),
        b64decode(PSK),
        Endpoint("2001:db8::1", 9),
        last_handshake_ns=1_700_000_000_999_999_999,
        tx_bytes=2**64 - 1,
        rx_bytes=1,
        persistent_keepalive_interval=25,
        allowed_ips=(ip_network("10.0.0.0/8"), ip_network("::ffff:10.0.0.0/104")),
    )
    state = DeviceState(b64decode(PRIVATE), 51820, 0x10, (peer, PeerState(b64decode(OTHER))))
    with machine.device_that_answers("told0", format_state(state).encode() + b"errno=0\n\n"):
        hidden = as_json(machine, "told0")
        shown = as_json(machine, "told0", WG_HIDE_KEYS="never")
    assert list(hidden) == ["told0"]
    assert hidden["told0"] == {
        "publicKey": "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=",
        "listenPort": 51820,
        "fwmark": 16,
        "peers": {
            PEER: {
                "endpoint": "[2001:db8::1]:9",
                "latestHandshake": 1_700_000_000,
                "transferRx": 1,
                "transferTx": 2**64 - 1,
                "persistentKeepalive": 25,
                "allowedIps": ["10.0.0.0/8", "::ffff:10.0.0.0/104"],
            },
            OTHER: {"allowedIps": []},
        },
    }
    hidden["told0"]["privateKey"] = PRIVATE
    hidden["told0"]["peers"][PEER]["presharedKey"] = PSK
    assert shown == hidden


def test_json_where_one_does_not_answer(machine: Machine) -> None:
    with machine.device_that_answers("broken0", b""):
        done = machine.pywg(["show", "--json"])
        assert (list(json.loads(done.out)), done.status) == (["pywg0"], 0)
        assert done.error == "pywg: broken0: the daemon closed the connection without a reply\n"
        assert machine.pywg(["show", "broken0", "--json"]).status == 1


@pytest.mark.parametrize(
    "words", ["interfaces --json", "pywg0 dump --json", "--json all dump", "--json pywg0 x y"]
)
def test_json_of_what_is_for_scripts_already(machine: Machine, words: str) -> None:
    done = machine.pywg(["show", *words.split()])
    assert (done.out, done.status) == ("", 1)
    assert done.error.startswith(
        "pywg: with --json expected an interface or 'all', and no field\nusage: pywg show "
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("show --foo", "unknown option '--foo'; expected --json"),
        ("show a b c", "expected at most an interface and a field, and nothing after 'interfaces'"),
        ("show interfaces x", "expected at most an interface and a field, and nothing after 'interfaces'"),
        (f"show pywg0 {PRIVATE}", "unknown field (hidden); expected one of public-key, private-key, "),
        ("showconf", "expected one interface"),
        ("set pywg0", "expected an interface and what to change of it"),
        ("syncconf pywg0", "expected an interface and a file"),
        (f"genkey {PRIVATE}", "genkey takes no words"),
        (f"genpsk {PRIVATE}", "genpsk takes no words"),
        (f"pubkey {PRIVATE}", "pubkey takes no words; it reads the private key from standard input"),
    ],
)
def test_wrong_use_has_a_reason_and_then_the_usage(machine: Machine, words: str, sentence: str) -> None:
    done = machine.pywg(words.split())
    assert (done.out, done.status) == ("", 1)
    first, usage = done.error.split("\n", 1)
    assert first.startswith(f"pywg: {sentence}")
    assert usage.startswith(f"usage: pywg {words.split(maxsplit=1)[0]}")
    assert PRIVATE not in done.error


def test_replies_of_other_implementations(machine: Machine) -> None:
    """Keys nobody knows, of the device and of peers, in any place; no protocol_version; upper-case digits."""
    public_key = b64decode(PEER).hex().upper()
    reply = (
        f"own_public_key={'0' * 64}\nlisten_port=7\nrx_total=9\n"
        f"public_key={public_key}\npost_quantum=ml-kem-768\nrx_bytes=1\nallowed_ip=10.0.0.0/8\n"
        "persistent_keepalive_interval=0\nallowed_ip_count=1\nerrno=0\n\n"
    )
    with machine.device_that_answers("other0", reply.encode()):
        theirs, ours = machine.wg(["show", "other0", "dump"]), machine.pywg(["show", "other0", "dump"])
        assert machine.pywg(["set", "other0", "listen-port", "8"]).status == 0
    assert (ours.out, ours.status) == (theirs.out, 0)


def test_a_daemon_that_ends_in_between_is_no_traceback(machine: Machine) -> None:
    for reply in (b"private_key=", b"errno=", b"\n\n", b"errno=0", b"x" * 100_000, b"errno=99999\n\n"):
        with machine.device_that_answers("broken0", reply):
            for words in (
                ["show", "broken0"],
                ["set", "broken0", "listen-port", "1"],
                ["showconf", "broken0"],
            ):
                done = machine.pywg(words)
                assert (done.out, done.status) == ("", 1)
                assert done.error.startswith("pywg: broken0: ")
                assert done.error.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "never"),
    [
        ("genkey", "cryptography pywg.uapi pywg.control socket dataclasses pathlib"),
        ("pubkey", "pywg.uapi pywg.control socket dataclasses pathlib pywg.protocol.noise"),
        ("show", "json pywg.config.parse pywg.net.resolve pywg.kernel pywg.protocol.noise"),
        ("set absent0 listen-port 1", "json pywg.show cryptography pywg.kernel"),
    ],
)
def test_nothing_is_imported_that_is_not_needed(words: str, never: str) -> None:
    done = pywg(*words.split(), stdin=PRIVATE.encode(), PYTHONPROFILEIMPORTTIME="1")
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.decode().splitlines() if "|" in line}
    assert "pywg.cli.output" in imported
    unwanted = {"asyncio", "pyroute2", "rich", "argparse", "ssl", *never.split()}
    assert {name for name in imported if any(f"{name}.".startswith(f"{one}.") for one in unwanted)} == set()


def test_interrupted_while_it_waits(machine: Machine) -> None:
    """Ctrl-C while a name is asked for again and again."""
    argv = machine.command(*PYWG, "set", "pywg0", "peer", PEER, "endpoint", "name.invalid:1")
    with subprocess.Popen(
        argv, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
    ) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        process.send_signal(2)
        rest = process.stderr.read()
        process.wait(10)
    assert b"trying again in 1.00 seconds" in said
    assert rest == b""
    assert process.returncode == 130
