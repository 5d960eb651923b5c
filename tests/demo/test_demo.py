"""The demo end to end: it shows what it promises, and leaves nothing behind however it ends."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pywg.demo import record
from pywg.show.pretty import pretty
from pywg.uapi.client import UapiClient
from tests.needs import ENGINES, need, need_engine, need_root
from tests.nobody import as_nobody

ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 60


def command(daemon: str, *arguments: str, python: str = sys.executable) -> list[str]:
    return [python, "-m", "tests.demo.run_demo", daemon, *arguments]


def run(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE, check=False)


def tag_of(output: str) -> str:
    found = re.search(r"pywg-demo-([0-9a-f]{4})-1", output)
    assert found, output
    return found[1]


def leftovers(tag: str) -> list[str]:
    """Everything on the machine that still bears the demo's tag."""
    found = [str(path) for path in Path("/run/netns").glob(f"*{tag}*")]
    found += [str(path) for path in Path("/var/run/wireguard").glob(f"*{tag}*")]
    found += [str(path) for path in Path("/tmp").glob(f"pywg-demo-*/*{tag}*")]  # noqa: S108 - only looked at
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if f"-{tag}" in line:
            found.append(f"{process.name}: {line}")
    return found


def assert_walked(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall(r"64 bytes from 10\.0\.0\.2: icmp_seq=\d ttl=64 time=", done.stdout)) == 3
    assert "3 packets transmitted, 3 received, 0% packet loss" in done.stdout
    assert "\nhello, wireguard\n" in done.stdout
    assert done.stdout.count("  latest handshake: ") == 2
    assert done.stdout.count("  private key: (hidden)") == 2


@pytest.mark.parametrize("engine", ENGINES)
def test_walks_through_and_leaves_nothing(engine: str) -> None:
    need_root()
    need_engine(engine)
    done = run(command("pywg", "--seconds", "1", "--engine", engine))
    assert_walked(done)
    assert f"engine: {engine}" in done.stdout
    assert re.search(r"ratio: the tunnel carries 1/\d+\.\d of what the wire does \(\d+\.\d\d%\)", done.stdout)
    steps = [line for line in done.stdout.splitlines() if line.startswith("[#] ")]
    assert steps[0].startswith("[#] ip netns add pywg-demo-")
    assert steps[-1].startswith("[#] ip netns delete pywg-demo-")
    assert leftovers(tag_of(done.stdout)) == []


@pytest.fixture
def cleaned() -> Iterator[None]:
    yield
    run(command("pywg", "--clean"))


@pytest.mark.usefixtures("cleaned")
def test_keep_stays_up_and_clean_removes_it() -> None:
    need_root()
    need("ip", "wg")
    done = run(command("pywg", "--seconds", "0", "--keep"))
    assert_walked(done)
    tag = tag_of(done.stdout)
    invitation = next(line for line in done.stdout.splitlines() if line.endswith(" ping 10.0.0.2"))
    assert invitation.strip() == f"ip netns exec pywg-demo-{tag}-1 ping 10.0.0.2"

    # What lives on is the same to Debian's wg as to our own formatter.
    device = f"wg1-{tag}"
    for _ in range(5):  # the second may turn between the two
        ours = pretty(device, UapiClient(device).get(), now=time.time_ns())
        theirs = run(["wg", "show", device]).stdout
        if ours == theirs:
            break
    assert ours == theirs
    assert "latest handshake" in ours

    removed = run(command("pywg", "--clean"))
    assert removed.returncode == 0, removed.stderr
    assert leftovers(tag) == []
    assert "no demo is left up" in run(command("pywg", "--clean")).stdout


def test_the_laboratory_carries_another_implementation() -> None:
    need_root()
    need("wireguard-go")
    done = run(command("wireguard-go", "--seconds", "0"))
    assert_walked(done)
    assert leftovers(tag_of(done.stdout)) == []


def test_a_failing_daemon_is_told_and_cleaned_up() -> None:
    need_root()
    done = run(command("failing"))
    assert done.returncode == 1
    assert re.fullmatch(r"pywg demo: .*ended with status 1: no luck today\n", done.stderr)
    assert leftovers(tag_of(done.stdout)) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("step", ["link add veth0", "pywg wg2", "ping -c", "through the tunnel"])
def test_interrupted_it_cleans_up(number: signal.Signals, step: str) -> None:
    need_root()
    with subprocess.Popen(
        command("pywg", "--seconds", "1"),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as demo:
        assert demo.stdout is not None
        output = ""
        for line in demo.stdout:
            output += line
            if step in line:
                demo.send_signal(number)
                break
        rest, _ = demo.communicate(timeout=DEADLINE)
    assert demo.returncode == 128 + number, output + rest
    assert step in output
    assert leftovers(tag_of(output)) == []


def test_a_closed_output_takes_everything_down() -> None:
    need_root()
    with subprocess.Popen(
        command("pywg"), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as demo:
        assert demo.stdout is not None
        assert demo.stderr is not None
        first = demo.stdout.readline()
        demo.stdout.close()
        complaint = demo.stderr.read()
    assert demo.returncode == 1
    assert "output was closed" in complaint
    assert leftovers(tag_of(first)) == []


def test_root_without_capabilities_uses_a_user_namespace() -> None:
    need_root()
    need("setpriv")
    done = run(["setpriv", "--bounding-set", "-sys_admin,-net_admin", *command("pywg", "--seconds", "0")])
    assert done.stdout.startswith("[#] unshare --user "), done.stderr
    assert_walked(done)
    assert leftovers(tag_of(done.stdout)) == []


def test_where_user_namespaces_are_refused_it_says_what_to_do() -> None:
    need_root()
    need("setpriv")
    # Without CAP_SETFCAP the kernel refuses to map root (user_namespaces(7)).
    done = run(["setpriv", "--bounding-set", "-sys_admin,-net_admin,-setfcap", *command("pywg")])
    assert done.returncode == 1
    assert "user namespace is refused here" in done.stderr
    assert "sudo make demo" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("keep", [False, True])
def test_an_ordinary_user(nobodys_python: str, *, keep: bool) -> None:
    need("nsenter")
    words = command("pywg", "--seconds", "0", *(["--keep"] if keep else []), python=nobodys_python)
    done = run([*as_nobody(), *words])
    assert_walked(done)
    tag = tag_of(done.stdout)
    if keep:
        invitation = next(line for line in done.stdout.splitlines() if line.strip().startswith("nsenter "))
        way = invitation.split()[: invitation.split().index("ip")]
        listed = run([*as_nobody(), *way, "ls", "/run/netns"])
        cleaning = run([*as_nobody(), *command("pywg", "--clean", python=nobodys_python)])
        assert cleaning.returncode == 0, cleaning.stderr
        assert listed.stdout.split() == [f"pywg-demo-{tag}-1", f"pywg-demo-{tag}-2"]
    assert leftovers(tag) == []


def test_a_planted_record_is_not_believed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(record, "_directory", lambda: tmp_path)
    tmp_path.chmod(0o777)
    with pytest.raises(PermissionError, match="not made by this user"):
        record.load_all()
    tmp_path.chmod(0o700)
    assert record.load_all() == []
