"""The Python engine's answers to what no peer can take, in a file that the native engine is held to."""

from tests.engine import make_unreachable
from tests.vectors import load


def test_the_file_is_what_its_script_makes() -> None:
    assert load("unreachable") == make_unreachable.document()


def test_the_file_knows_both_outcomes() -> None:
    answers = [case["answer"] for case in load("unreachable")["cases"]]
    assert len(answers) == make_unreachable.CASES
    assert 50 < sum(answer is None for answer in answers) < 150
