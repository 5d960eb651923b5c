"""docs/security.md names a test for every property, and every test it names exists."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
TABLE = TESTS.parent / "docs" / "security.md"
NAMED = re.compile(r"`([\w/]+\.py)::(test_\w+)`")


def rows() -> list[tuple[str, str]]:
    """First and last cell of each row but the heads."""
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in TABLE.read_text(encoding="utf-8").splitlines()
        if line.startswith("|") and not line.startswith("|---")
    ]
    return [(first, rest) for first, rest in cells if rest not in {"test", "tests"}]


def found_in(file: str) -> set[str]:
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, functions)}


def test_the_table_is_read() -> None:
    """26 properties, 12 bugs of others and 9 of our own."""
    assert len(rows()) == len({first for first, _ in rows()}) == 47


def test_every_property_has_a_test() -> None:
    assert [first for first, named in rows() if not NAMED.search(named)] == []


def test_every_test_named_exists() -> None:
    named = NAMED.findall(TABLE.read_text(encoding="utf-8"))
    missing = [f"{file}::{name}" for file, name in named if name not in found_in(file)]
    assert missing == []


def test_every_security_test_is_named() -> None:
    named = set(NAMED.findall(TABLE.read_text(encoding="utf-8")))
    unnamed = {
        f"{path.name}::{name}"
        for path in Path(__file__).parent.glob("test_*.py")
        for name in found_in(f"security/{path.name}")
        if name.startswith("test_")
        and path != Path(__file__)
        and (f"security/{path.name}", name) not in named
    }
    assert unnamed == set()
