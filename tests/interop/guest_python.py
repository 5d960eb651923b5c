"""This Python, its libraries and this tree's pywg, for the initramfs of a guest.

Comes in: the interpreter the tests run on. Goes out: files under /python of an archive. Rule: nothing but
what pywg imports, and only compiled (the emulated processor would take seconds to compile it).

What pywg imports is found by importing it: every import statement of the tree, those inside functions too, is
carried out in a process of its own, which then tells which files it has loaded.
"""

import ast
import functools
import importlib.util
import json
import marshal
import re
import sys
import sysconfig
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Final

import pywg
from tests.interop import guest_server
from tests.netns.cpio import Archive
from tests.netns.namespace import run

HOME: Final = "/python"
ENVIRONMENT: Final = f"PYTHONHOME={HOME} PYTHONPATH={HOME}/site PYTHONDONTWRITEBYTECODE=1"
COMMAND: Final = f"{ENVIRONMENT} {HOME}/bin/python3"
"""How the guest's shell starts it."""
START_SERVER: Final = (
    "mkdir /server; mkfifo /server/ask /server/answer; "
    f"{COMMAND} -m guest_server & until [ -e /server/ready ]; do sleep 0.1; done"
)
"""After this there is a command `pywg` in the guest."""
_ASK: Final = """#!/bin/busybox sh
echo $$ > /server/ask
read -r status < /server/answer
exit "$status"
"""
_ALSO: Final = (
    "runpy",
    "traceback",
    "encodings.ascii",
    "encodings.idna",
    "cryptography.hazmat.backends.openssl.backend",
)
"""What is imported by statements inside functions of others than pywg."""
_PACKAGE: Final = Path(pywg.__file__).parent
_LEFT_OUT: Final = frozenset({"pywg", "rich", "pytun"})
"""pywg is copied whole; the others are not needed by what runs in the guest."""
_LIBRARY: Final = Path(sysconfig.get_path("stdlib"))
_LIBRARY_IN_GUEST: Final = f"{HOME}/lib/python{sys.version_info.major}.{sys.version_info.minor}"
_TELL: Final = """
import importlib, importlib.machinery, json, sys
for name in json.loads(sys.stdin.read()):
    try:
        importlib.import_module(name)
    except ImportError:
        pass
files = set()
for name, module in list(sys.modules.items()):
    files.add(getattr(module, "__file__", None))
    # A module may have put another in its place, as collections.abc does; its own file is needed too.
    parent, _, _ = name.rpartition(".")
    path = getattr(sys.modules[parent], "__path__", ()) if parent else None
    spec = importlib.machinery.PathFinder.find_spec(name, path)
    files.add(spec.origin if spec and spec.has_location else None)
print(json.dumps(sorted(files - {None})))
"""


def libraries(program: Path) -> list[Path]:
    """The shared libraries `program` is linked with, and what loads them; none of a script."""
    if not program.read_bytes().startswith(b"\x7fELF"):
        return []
    listed = run("ldd", str(program)).stdout
    return [Path(path) for path in re.findall(r"(/\S+) \(0x", listed)]


def add_python(archive: Archive) -> None:
    """Put Python, pywg and all it imports into the archive; `COMMAND` starts it."""
    interpreter = Path(sys.executable).resolve()
    archive.copy(interpreter, f"{HOME}/bin/python3")
    binaries = [interpreter]
    for file in _loaded(_imported_names()):
        path = _path_in_guest(file)
        if file.suffix == ".py":
            archive.file(f"{path}c", _compiled(file), mode=0o644)
        else:
            archive.copy(file, path)
            binaries.append(file)
    archive.file(guest_server.PROGRAM, _ASK.encode())
    archive.file(f"{HOME}/site/guest_server.pyc", _compiled(Path(guest_server.__file__)), mode=0o644)
    for file in _PACKAGE.rglob("*.py"):
        archive.file(f"{HOME}/site/pywg/{file.relative_to(_PACKAGE)}c", _compiled(file), mode=0o644)
    for binary in binaries:
        for library in libraries(binary):
            archive.copy(library)


def _imported_names() -> list[str]:
    """Every module outside of pywg that a statement of pywg imports."""
    names = set(_ALSO)
    for file in _PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module)
                # What is imported from a package may be a module.
                names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return sorted(name for name in names if name.partition(".")[0] not in _LEFT_OUT)


@functools.cache
def _site_directories() -> list[Path]:
    return [Path(path) for path in sys.path if path.endswith("-packages")]


def _loaded(names: list[str]) -> list[Path]:
    told = run(sys.executable, "-c", _TELL, text=json.dumps(names)).stdout
    return [Path(file) for file in json.loads(told) if _PACKAGE not in Path(file).parents]


def _path_in_guest(file: Path) -> str:
    for directory in _site_directories():
        if directory in file.parents:
            return f"{HOME}/site/{file.relative_to(directory)}"
    return f"{_LIBRARY_IN_GUEST}/{file.relative_to(_LIBRARY)}"


def _compiled(file: Path) -> bytes:
    """What a ``.pyc`` without its source holds; the header's flags and times mean nothing then."""
    code = SourceFileLoader(file.stem, str(file)).get_code(file.stem)  # from its cache, if that is fresh
    return importlib.util.MAGIC_NUMBER + bytes(12) + marshal.dumps(code)
