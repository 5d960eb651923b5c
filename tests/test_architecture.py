"""Rules of the house that no single module can keep: who may do I/O, how MACs are compared."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "pywg"
ROOMS = PACKAGE.parent / "docs" / "architecture.md"
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
        "shutil",
        "tempfile",
        "termios",
        "pyroute2",
    }
)
PURE_PARTS = frozenset(
    {"socket.AF_INET", "socket.AF_INET6", "socket.inet_pton", "socket.inet_ntop", "os.strerror"}
)
"""Of these modules; the protocol does without them, too."""
IO_CALLS = frozenset(
    {"open", "print", "input"}
    | {".exists", ".is_file", ".is_dir", ".stat", ".glob", ".iterdir", ".mkdir", ".unlink"}
    | {".read_text", ".read_bytes", ".write_text", ".write_bytes"}
)
"""Built-in functions, and methods of a path."""
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


def io_of(source: str) -> set[str]:
    """What in a module does I/O, reads a clock or draws randomness."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found.add(f"{node.value.id}.{node.attr}")
        elif isinstance(node, ast.Import):
            found |= {f"{alias.name}.?" for alias in node.names if alias.asname or "." in alias.name}
    suspect = FORBIDDEN & imported(source)
    found = {name for name in found - PURE_PARTS if name.partition(".")[0] in suspect}
    return found | (called(source) & IO_CALLS)


def called(source: str) -> set[str]:
    """Names of all functions called, those of methods with a dot before them."""
    functions = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return {function.id for function in functions if isinstance(function, ast.Name)} | {
        f".{function.attr}" for function in functions if isinstance(function, ast.Attribute)
    }


def rooms() -> Iterator[tuple[Path, bool]]:
    """Every module of which docs/architecture.md says whether it does I/O, and whether it does.

    Said is ``no``, ``only `a` and `b```, or ``yes, but not `a` and `b```; of other rooms nothing is checked.
    """
    for line in ROOMS.read_text().splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) != 5 or not (places := re.findall(r"`pywg/([\w./]+)`", cells[1])):
            continue
        modules = {path for place in places for path in modules_of(PACKAGE / place)}
        said, named = cells[3], {f"{name}.py" for name in re.findall(r"`(\w+)`", cells[3])}
        if not said.startswith(("no", "only ", "yes, but not ")):
            continue
        assert named <= {path.name for path in modules}, f"{cells[1]} has no such modules: {said}"
        if said.startswith("yes"):
            yield from ((path, False) for path in modules if path.name in named)
        else:
            yield from ((path, path.name in named) for path in modules)


def modules_of(place: Path) -> list[Path]:
    return sorted(place.rglob("*.py")) if place.is_dir() else [place]


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


ROOM_CASES = sorted(rooms())


def test_the_rooms_are_found() -> None:
    found = {str(path.relative_to(PACKAGE)): does_io for path, does_io in ROOM_CASES}
    assert {path.partition("/")[0] for path in found} >= {"protocol", "config", "doctor", "monitor", "uapi"}
    assert found["net/netlink.py"] is found["config/parse.py"] is found["platform.py"] is False
    assert found["config/locate.py"] is found["monitor/terminal.py"] is True


@pytest.mark.parametrize(
    ("path", "does_io"), ROOM_CASES, ids=lambda case: label(case) if isinstance(case, Path) else ""
)
def test_io_is_where_the_architecture_says(path: Path, *, does_io: bool) -> None:
    assert bool(found := io_of(path.read_text())) is does_io, found


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
        "import os\nos.getpid()",
        "import os.path",
        "import time as t",
        "from time import time_ns",
        "from socket import socket",
        "import socket\nsocket.getservbyname('domain')",
        "open('x')",
        "Path('x').read_text()",
    ],
)
def test_io_is_found(source: str) -> None:
    assert io_of(source)


@pytest.mark.parametrize(
    "source",
    ["import socket\nsocket.inet_pton(socket.AF_INET, x)", "from pathlib import Path", "prefix.split(stat)"],
)
def test_what_only_computes_is_no_io(source: str) -> None:
    assert not io_of(source)


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
