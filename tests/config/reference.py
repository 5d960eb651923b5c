"""The reference tools, asked what they make of a file: Debian's by default, or those found first in PATH."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_PARSE_OPTIONS = """
source <(sed '/^# ~~ function override insertion point/,$d' "$1")
parse_options "$2"
list() { printf '%s\\0' "$#" "$@"; }
list "$INTERFACE" "$MTU" "$TABLE" "$SAVE_CONFIG"
list "${ADDRESSES[@]}"; list "${DNS[@]}"; list "${DNS_SEARCH[@]}"
list "${PRE_UP[@]}"; list "${POST_UP[@]}"; list "${PRE_DOWN[@]}"; list "${POST_DOWN[@]}"
"""

_SAVE = """
source <(sed '/^# ~~ function override insertion point/,$d' "$1")
parse_options "$2"
shopt -u patsub_replacement  # See differences.py.
ip() { [[ $1 == link ]] && echo "9: $INTERFACE: <UP> mtu $MTU_NOW" || printf '%s' "$ADDRESSES_NOW"; }
wg() { printf '%s' "$SHOWCONF"; }
resolvconf() { printf '%s' "$DNS_NOW"; }
save_config
"""


@dataclass(frozen=True)
class Options:
    """What wg-quick has read; bytes become surrogates where they are not UTF-8."""

    interface: str
    mtu: str
    table: str
    save_config: bool
    lists: tuple[tuple[str, ...], ...]
    """Addresses, DNS servers, search domains, and the hooks in their order."""


def environment(**more: str) -> dict[str, str]:
    """No waiting for names, no colours, no language."""
    return (
        os.environ | {"WG_ENDPOINT_RESOLUTION_RETRIES": "0", "WG_COLOR_MODE": "never", "LC_ALL": "C"} | more
    )


def wg(*words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run it, whatever comes of it."""
    return subprocess.run(
        ["wg", *words], input=stdin, capture_output=True, timeout=20, check=False, env=environment()
    )


def wg_is_of_2021() -> bool:
    """Debian's; the newest is of 2026."""
    return b"v1.0.2021" in wg("--version").stdout


def wg_quick_strip(path: Path) -> subprocess.CompletedProcess[bytes]:
    """Run it, whatever comes of it."""
    command = ["wg-quick", "strip", str(path)]
    return subprocess.run(command, capture_output=True, timeout=20, check=False, env=environment())


def wg_quick_options(path: Path) -> Options | None:
    """What its parse_options finds; None if it refuses the file."""
    done = _bash(_PARSE_OPTIONS, path, {})
    if done.returncode != 0:
        return None
    words = iter(done.stdout.decode("utf-8", "surrogateescape").split("\0"))
    lists = [tuple(next(words) for _ in range(int(next(words)))) for _ in range(8)]
    (interface, mtu, table, save_config), *others = lists
    return Options(interface, mtu, table, save_config == "1", tuple(others))


def wg_quick_save(path: Path, *, addresses: str, dns: str, mtu: str, showconf: str) -> str:
    """What its save_config writes, into the file too, on a system that tells it this."""
    told = {"ADDRESSES_NOW": addresses, "DNS_NOW": dns, "MTU_NOW": mtu, "SHOWCONF": showconf}
    done = _bash(_SAVE, path, told)
    assert done.returncode == 0, done.stderr
    return path.read_bytes().decode("utf-8", "surrogateescape")


def wg_quick_is_of_2021() -> bool:
    """Debian's; the newest is of 2026."""
    script = shutil.which("wg-quick")
    assert script is not None
    return "unstripped_value" not in Path(script).read_text()


def _bash(program: str, path: Path, told: Mapping[str, str]) -> subprocess.CompletedProcess[bytes]:
    script = shutil.which("wg-quick")
    assert script is not None
    command = ["bash", "-c", program, "bash", script, str(path)]
    return subprocess.run(command, capture_output=True, timeout=20, check=False, env=environment(**told))
