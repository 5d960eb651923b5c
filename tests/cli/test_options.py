"""Words sorted into options and others; what is wrong is said in a sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pywg.cli.demo import Request, parse
from pywg.cli.main import main
from pywg.cli.options import Taken, UsageError, take

FLAGS = ("--keep", "--json")
VALUED = {"--engine": "ENGINE", "--seconds": "N"}


@pytest.mark.parametrize(
    ("words", "taken"),
    [
        ("", Taken((), frozenset(), {})),
        ("a --keep b", Taken(("a", "b"), frozenset({"--keep"}), {})),
        ("--json a --keep --json", Taken(("a",), frozenset(FLAGS), {})),
        ("--engine x a --seconds=1", Taken(("a",), frozenset(), {"--engine": "x", "--seconds": "1"})),
        ("--seconds 1 --seconds=2", Taken((), frozenset(), {"--seconds": "2"})),
        ("--engine --keep", Taken((), frozenset(), {"--engine": "--keep"})),
        ("--engine=a=b c=d", Taken(("c=d",), frozenset(), {"--engine": "a=b"})),
    ],
)
def test_taken(words: str, taken: Taken) -> None:
    assert take(words.split(), flags=FLAGS, valued=VALUED) == taken


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            "a --keeep",
            "unknown option '--keeep'; expected --keep or --json or --engine ENGINE or --seconds N",
        ),
        ("--psk=SECRET", "unknown option '--psk'; expected --keep or "),
        ("-", "unknown option '-'; "),
        ("--keep=yes", "--keep takes no value"),
        ("--engine", "--engine: its value is missing; expected --engine ENGINE"),
        ("--engine=", "--engine: its value is missing; expected --engine ENGINE"),
    ],
)
def test_wrong_words(words: str, sentence: str) -> None:
    with pytest.raises(UsageError) as wrong:
        take(words.split(), flags=FLAGS, valued=VALUED)
    assert str(wrong.value).startswith(sentence)
    assert "SECRET" not in str(wrong.value)


def test_where_there_are_no_options() -> None:
    with pytest.raises(UsageError, match="unknown option '-f'; there are none here"):
        take(["-f"])


@given(st.lists(st.text(max_size=5) | st.sampled_from([*FLAGS, "--engine=x"])))
def test_no_word_is_lost(words: list[str]) -> None:
    try:
        taken = take(words, flags=FLAGS, valued=VALUED)
    except UsageError:
        return
    assert taken.words == tuple(word for word in words if word[:1] != "-")
    assert taken.flags == set(words) & set(FLAGS)


@pytest.mark.parametrize("text", ["x", "nan", "inf", "-1", "0.09", "11", "1s"])
def test_seconds_within_bounds(text: str) -> None:
    taken = take(["--seconds", text], valued=VALUED)
    with pytest.raises(UsageError, match=f"--seconds '{text}': expected seconds from 0.1 to 10"):
        taken.seconds("--seconds", 1.0, least=0.1, most=10)


@pytest.mark.parametrize(
    ("words", "seconds"), [([], 1.5), (["--seconds", "0.1"], 0.1), (["--seconds=1e1"], 10)]
)
def test_seconds(words: list[str], seconds: float) -> None:
    assert take(words, valued=VALUED).seconds("--seconds", 1.5, least=0.1, most=10) == seconds


def test_words_of_the_demo() -> None:
    assert parse([]) == Request(clean=False, keep=False, engine="auto", seconds=3.0)
    assert parse(["--keep", "--engine=python", "--seconds", "0"]) == Request(
        clean=False, keep=True, engine="python", seconds=0.0
    )
    assert parse(["--clean"]).clean


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("demo now", "expected options only, got 'now'"),
        ("demo --keep --clean", "expected --keep or --clean, got both"),
        ("demo --engine steam", "--engine 'steam': expected one of auto, python, native"),
        ("demo --seconds inf", "--seconds 'inf': expected seconds from 0 to 3600"),
        (
            "demo --sec 1",
            "unknown option '--sec'; expected --keep or --clean or --engine ENGINE or --seconds N",
        ),
        ("unit up down", "expected at most one of the units up, daemon"),
    ],
)
def test_wrong_use(words: str, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words.split()) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"pywg: {sentence}\nusage: pywg {words.split(maxsplit=1)[0]} ")
