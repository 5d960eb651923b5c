"""Rules of the house that no single module can keep: what the protocol may import, how MACs are compared."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "pywg"
PROTOCOL = sorted((PACKAGE / "protocol").rglob("*.py"))
ALL = sorted(PACKAGE.rglob("*.py"))

FORBIDDEN = frozenset(
    {"socket", "os", "time", "asyncio", "random", "secrets", "threading", "selectors", "subprocess"}
    | {
        "select",
        "fcntl",
        "datetime",
        "multiprocessing",
        "concurrent",
        "signal",
        "ctypes",
        "uuid",
        "importlib",
    }
)
MAC_NAME = re.compile(r"(^|_)(mac|mac1|mac2|tag|digest)$", re.IGNORECASE)


def imported(source: str) -> set[str]:
    """Top-level names of all modules imported anywhere in a module, also through ``__import__``."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
        elif isinstance(node, ast.Name) and node.id == "__import__":
            found.add("importlib")
    return found


def names(node: ast.expr) -> Iterator[str]:
    """What an operand is called, through subscripts, attributes, calls of ``bytes`` and methods."""
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.Subscript):
        yield from names(node.value)
    elif isinstance(node, ast.Call):
        yield from names(node.func)
        for argument in node.args:
            yield from names(argument)


def mac_comparisons(source: str) -> list[int]:
    """Lines on which something called a MAC meets ``==``, ``!=`` or ``in``."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Compare)
        and any(isinstance(operator, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for operator in node.ops)
        and any(
            MAC_NAME.search(name) for operand in (node.left, *node.comparators) for name in names(operand)
        )
    ]


def label(path: Path) -> str:
    return str(path.relative_to(PACKAGE.parent))


def test_the_files_are_found() -> None:
    assert (
        {"noise.py", "handshake.py", "cookie.py"}
        <= {path.name for path in PROTOCOL}
        <= {path.name for path in ALL}
    )


@pytest.mark.parametrize("path", PROTOCOL, ids=label)
def test_protocol_has_no_io(path: Path) -> None:
    assert not imported(path.read_text()) & FORBIDDEN


@pytest.mark.parametrize("path", ALL, ids=label)
def test_macs_are_compared_in_constant_time(path: Path) -> None:
    assert mac_comparisons(path.read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        "import socket",
        "import os.path as p",
        "from asyncio import run",
        "def f():\n import time",
        "__import__('x')",
    ],
)
def test_imports_are_found(source: str) -> None:
    assert imported(source) & FORBIDDEN


@pytest.mark.parametrize(
    "source",
    [
        "mac == x",
        "x != message.mac1",
        "self._mac2[:16] == y",
        "h.digest() == x",
        "bytes(tag) == x",
        "a == make(key).digest()",
        "mac1 in seen",
        "compute_mac(a) == b",
    ],
)
def test_comparisons_are_found(source: str) -> None:
    assert mac_comparisons(source) == [1]


@pytest.mark.parametrize(
    "source", ["compare_digest(mac1, b)", "machine == 1", "mac1 is None", "stage == tags"]
)
def test_other_code_is_left_alone(source: str) -> None:
    assert mac_comparisons(source) == []
