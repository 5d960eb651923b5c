"""pywg/share: the completion scripts say what the manual says, and the shells themselves offer it on TAB."""

import subprocess
import sys
from pathlib import Path

import pytest

from pywg.cli.completion import SCRIPTS
from pywg.cli.main import COMMANDS, main
from pywg.manual import SHARE
from tests.cli.shells import ASK, HOSTILE_FILE, KEYS
from tests.needs import need, need_root

PROJECT = Path(__file__).resolve().parents[2]
FIELDS = {
    "public-key",
    "private-key",
    "listen-port",
    "fwmark",
    "peers",
    "preshared-keys",
    "endpoints",
    "allowed-ips",
    "latest-handshakes",
    "transfer",
    "persistent-keepalive",
    "dump",
}
INTERFACES = {"wg0", "wg1"}
PEER_SETTINGS = {"remove", "preshared-key", "endpoint", "persistent-keepalive", "allowed-ips", "peer"}

EXPECTED = {
    "pywg ": set(COMMANDS),
    "pywg sh": {"show", "showconf"},
    "pywg -": {"-f", "--foreground", "-h", "--help", "-v", "--version"},
    "pywg show ": INTERFACES | {"all", "interfaces"},
    "pywg show w": INTERFACES,
    "pywg show --json ": INTERFACES | {"all", "interfaces"},
    "pywg show wg0 ": FIELDS,
    "pywg show wg0 pe": {"peers", "persistent-keepalive"},
    "pywg show wg0 dump ": set(),
    "pywg show -": {"--json", "-h", "--help"},
    "pywg showconf ": INTERFACES,
    "pywg set ": INTERFACES,
    "pywg set wg0 ": {"listen-port", "fwmark", "private-key", "peer"},
    "pywg set wg0 l": {"listen-port"},
    "pywg set wg0 listen-port ": set(),
    "pywg set wg0 private-key ": {"key", "room", "wg7.conf"},
    "pywg set wg0 peer ": set(KEYS),
    "pywg set wg0 peer A": {KEYS[0]},
    "pywg set wg1 peer ": set(),
    f"pywg set wg0 peer {KEYS[0]} ": PEER_SETTINGS,
    f"pywg set wg0 peer {KEYS[0]} endpoint 192.0.2.1:51820 allowed-ips ": set(),
    f"pywg set wg0 peer {KEYS[0]} endpoint [2001:db8::1]:51820 a": {"allowed-ips"},
    f"pywg set wg0 peer {KEYS[0]} preshared-key k": {"key"},
    f"pywg set wg0 fwmark 1 peer {KEYS[0]} remove p": {"peer", "preshared-key", "persistent-keepalive"},
    "pywg set wg0 fwmark ": {"off"},
    "pywg syncconf wg0 ": {"key", "room", "wg7.conf"},
    "pywg genkey ": set(),
    "pywg demo --engine ": {"auto", "native", "python"},
    "pywg demo --engine native --s": {"--seconds"},
    "pywg completion ": {"bash", "zsh", "fish"},
    "pywg help e": {"environment"},
    "pywg monitor wg0 w": INTERFACES,
    "pywg monitor --interval ": set(),
    "pywg doctor ": INTERFACES | {"room", "wg7.conf"},
    "pywg unit ": {"up", "daemon"},
    "pywg unknown ": set(),
}


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """A working directory with one key, one configuration and one directory in it."""
    here = tmp_path / "here"
    (here / "room").mkdir(parents=True)
    (here / "key").touch()
    (here / "wg7.conf").touch()
    return here


@pytest.mark.parametrize("shell", ASK)
def test_shell_offers_what_may_follow(shell: str, room: Path) -> None:
    """And takes the name of an interface that was made by an enemy for a name, if for anything."""
    need(shell)
    offered = ASK[shell](room, list(EXPECTED))
    assert {line: _comparable(line, words) for line, words in offered.items()} == {
        line: sorted(words) for line, words in EXPECTED.items()
    }
    assert not (room / HOSTILE_FILE).exists()


def _comparable(line: str, words: set[str]) -> list[str]:
    """Without the hostile name, and without the options that zsh offers unasked where nothing else fits."""
    asked_for_options = line.rpartition(" ")[2].startswith("-")
    return sorted(
        word for word in words if HOSTILE_FILE not in word and (asked_for_options or not word.startswith("-"))
    )


@pytest.mark.parametrize("shell", ASK)
def test_configurations_are_offered_by_name_and_by_file(shell: str, tmp_path: Path) -> None:
    """In a mount namespace, where /etc is ours."""
    need(shell, "unshare", "mount")
    need_root()
    asked = (
        "import sys; from pathlib import Path; from tests.cli.shells import ASK\n"
        "room = Path(sys.argv[2]) / 'room'; room.mkdir()\n"
        "(room / 'wg7.conf').touch(); (room / 'notes').touch()\n"
        "print(sorted(ASK[sys.argv[1]](room, ['pywg up '])['pywg up ']))"
    )
    inside = (
        "mount -t tmpfs none /etc/wireguard && touch /etc/wireguard/nyc.conf /etc/wireguard/README && "
        'exec "$0" -c "$@"'
    )
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", inside, sys.executable, asked, shell, str(tmp_path)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.strip() == "['nyc', 'wg7.conf']"


@pytest.mark.parametrize(("shell", "name"), SCRIPTS.items())
def test_completion_prints_the_script(shell: str, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert capfd.readouterr() == ((SHARE / name).read_text(), "")


@pytest.mark.parametrize("words", [[], ["bash", "zsh"]])
def test_completion_of_one_shell_only(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", *words]) == 1
    assert capsys.readouterr() == (
        "",
        "pywg: expected one of the shells bash, zsh, fish\nusage: pywg completion SHELL\n",
    )


def test_completion_of_an_unknown_shell_names_those_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "csh"]) == 1
    assert "'csh' is none of the shells bash, zsh, fish" in capsys.readouterr().err


@pytest.mark.parametrize("source", ["source <(cat _pywg)", "autoload -U _pywg"])
def test_zsh_takes_the_function_both_ways(source: str) -> None:
    """`pywg help completion` says to source it; an installed one is autoloaded from $fpath."""
    need("zsh")
    script = f"fpath=($PWD $fpath); autoload -U compinit; compinit -u -D; {source}; print -r -- $_comps[pywg]"
    done = subprocess.run(
        ["zsh", "-f", "-c", script], cwd=SHARE, capture_output=True, text=True, timeout=20, check=False
    )
    assert (done.stdout, done.stderr) == ("_pywg\n", "")
