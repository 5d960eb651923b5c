"""Findings as text and as JSON."""

from pywg.doctor.findings import Code, Finding, Severity, ok, problem
from pywg.doctor.render import MOST_WELL, as_json, text

KEY = bytes(range(32))
SILENT = Finding(
    Code.NOTHING_CAME_BACK, Severity.PROBLEM, "Nothing came back.", "Look.", "wg0", KEY, "192.0.2.1:5"
)
READY = ok(Code.MACHINE_READY, "This machine can run tunnels.")


def well(number: int) -> Finding:
    return Finding(Code.WELL, Severity.OK, "The tunnel is up.", "", "wg0", bytes([number]) * 32)


def test_text() -> None:
    assert text([READY, SILENT]) == (
        "machine\n"
        "  ok       This machine can run tunnels.\n"
        "wg0\n"
        "  peer(AAEC...dHh8) 192.0.2.1:5\n"
        "    problem  Nothing came back.\n"
        "             -> Look.\n"
    )


def test_colours_repeat_what_the_words_say() -> None:
    painted = text([READY, SILENT], color=True)
    assert "\x1b[32mok     \x1b[0m  This" in painted
    assert "\x1b[31mproblem\x1b[0m  Nothing" in painted


def test_long_sentences_go_on_below_and_words_stay_whole() -> None:
    command = "pywg set wg0 peer " + "A" * 44
    lines = text([problem(Code.NO_PEERS, "word " * 30, f"Do: {command}")], width=60).splitlines()
    assert all(len(line) <= 60 for line in lines if "AAA" not in line)
    assert any(line.strip().endswith("A" * 44) for line in lines)
    assert lines[2].startswith("           word")


def test_what_comes_from_outside_does_not_steer_a_terminal() -> None:
    hostile = problem(Code.CONFIG_WRONG, "found \x1b[2J\r\x9b here.", "a\x07b")
    shown = text([hostile])
    assert all(char.isprintable() or char == "\n" for char in shown)


def test_a_thousand_well_peers_do_not_hide_the_ill_one() -> None:
    lines = text([SILENT, *(well(number) for number in range(100))]).splitlines()
    assert lines[2].endswith("Nothing came back.")
    assert lines[-1] == f"  and {100 - MOST_WELL} more of its peers have nothing wrong (--json lists them)"
    assert len(lines) == 4 + 2 * MOST_WELL + 1


def test_json() -> None:
    assert as_json([READY, SILENT], 1) == {
        "status": 1,
        "findings": [
            {
                "code": "machine-ready",
                "severity": "ok",
                "interface": None,
                "peer": None,
                "endpoint": None,
                "sentence": "This machine can run tunnels.",
                "advice": None,
            },
            {
                "code": "nothing-came-back",
                "severity": "problem",
                "interface": "wg0",
                "peer": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
                "endpoint": "192.0.2.1:5",
                "sentence": "Nothing came back.",
                "advice": "Look.",
            },
        ],
    }
