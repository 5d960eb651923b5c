"""What bash, zsh and fish offer on TAB, found out from the shells themselves.

In: lines as somebody has typed them. Out: for each the words offered. A program `pywg` on the PATH answers
for two interfaces, in one line as the real one does, of which wg0 has two peers.
"""

import os
import pty
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

SHARE: Final = Path(__file__).resolve().parents[2] / "pywg" / "share"
KEYS: Final = ("Abcd+/ghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ=", "Bbcd+/ghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ=")

HOSTILE_FILE: Final = "pwned"
"""What would be made if the name of an interface were expanded."""

_PYWG: Final = f"""#!/bin/sh
case $* in
    "show interfaces") printf 'wg0 wg1 $(touch${{IFS}}{HOSTILE_FILE})\\n' ;;
    "show wg0 peers") printf '{KEYS[0]}\\n{KEYS[1]}\\n' ;;
    *) echo "unexpected: $*" >&2; exit 1 ;;
esac
"""
_SECONDS: Final = 20.0

Offered = Mapping[str, set[str]]
"""Line to words."""
Ask = Callable[[Path, Sequence[str]], Offered]


def _environment(room: Path) -> dict[str, str]:
    programs = room.parent / f"{room.name}-bin"
    programs.mkdir(exist_ok=True)
    program = programs / "pywg"
    program.write_text(_PYWG)
    program.chmod(0o755)
    return {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(programs),
        "TERM": "dumb",
        "LC_ALL": "C.UTF-8",
    }


def bash(room: Path, lines: Sequence[str]) -> Offered:
    """As readline calls it: with the line, and the function that `complete` registered."""
    script = [f"source {SHARE}/pywg.bash", "registered=$(complete -p pywg); registered=${registered#* -F }"]
    for line in lines:
        script += [
            f"COMP_LINE={_quoted(line)} COMP_POINT={len(line)} COMPREPLY=()",
            "${registered% pywg}",
            'printf "%s\\n" "${COMPREPLY[@]}"; echo ---',
        ]
    return _asked(["bash", "--norc", "--noprofile", "-u", "-c", "\n".join(script)], room, lines)


def fish(room: Path, lines: Sequence[str]) -> Offered:
    """fish tells what it would offer."""
    asked = [f"complete -C {_quoted(line)}; echo ---" for line in lines]
    script = "\n".join([f"source {SHARE}/pywg.fish", *asked])
    return _asked(["fish", "--no-config", "-c", script], room, lines)


def zsh(room: Path, lines: Sequence[str]) -> Offered:
    """zsh tells only a terminal: TAB is typed at one, and what is handed to `compadd` is written down."""
    heard = room.parent / f"{room.name}-heard"
    prepare = f"""
        fpath=({SHARE} $fpath); autoload -Uz compinit; compinit -u -D
        compadd() {{
            if [[ ${{@[1,(i)(-|--)]}} != *-(O|A|D)\\ * ]]; then
                local -a hits; builtin compadd -A hits "$@"; print -rl -- $hits >>{heard}
            fi
            builtin compadd "$@"
        }}
        ended() {{ print -r -- --- >>{heard}; zle kill-buffer }}
        zle -N ended; bindkey '^I' complete-word; bindkey '^T' ended
        print -r -- --- >>{heard}
    """
    heard.write_text("")
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(room)
        os.execvpe("zsh", ["zsh", "-f", "-i"], _environment(room))  # noqa: S606 (no shell between)
    try:
        os.write(terminal, " ".join(f"{line.strip()};" for line in prepare.splitlines()).encode() + b"\n")
        for number, line in enumerate(lines, 1):
            _wait_for(heard, number, terminal)
            os.write(terminal, f"{line}\t\x14".encode())
        _wait_for(heard, len(lines) + 1, terminal)
    finally:
        os.close(terminal)
        os.waitpid(child, 0)
    return _split(heard.read_text().partition("---\n")[2], lines)


def _wait_for(heard: Path, ends: int, terminal: int) -> None:
    deadline = time.monotonic() + _SECONDS
    os.set_blocking(terminal, False)
    while heard.read_text().count("---\n") < ends:
        assert time.monotonic() < deadline, f"zsh did not answer: {heard.read_text()!r}"
        try:
            os.read(terminal, 65536)  # Nobody else empties it.
        except BlockingIOError:
            time.sleep(0.01)


def _asked(command: Sequence[str], room: Path, lines: Sequence[str]) -> Offered:
    done = subprocess.run(
        command,
        cwd=room,
        env=_environment(room),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert done.stderr == ""
    return _split(done.stdout, lines)


def _split(told: str, lines: Sequence[str]) -> Offered:
    """One answer per line, each ended by ``---``. fish adds meanings after a tab, shells mark directories."""
    answers = told.split("---\n")[:-1]
    assert len(answers) == len(lines), told
    return {
        line: {word.partition("\t")[0].rstrip("/") for word in answer.splitlines() if word}
        for line, answer in zip(lines, answers, strict=True)
    }


def _quoted(text: str) -> str:
    assert "'" not in text
    return f"'{text}'"


ASK: Final[Mapping[str, Ask]] = {"bash": bash, "zsh": zsh, "fish": fish}
