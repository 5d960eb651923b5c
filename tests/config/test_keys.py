import os
import tempfile
import threading
from pathlib import Path

import pytest

from pywg.base64_key import key_from_base64
from pywg.config.keys import KeyFileError, read_key_file
from pywg.uapi.model import UNSET_KEY
from tests.config.corpus import PRIVATE
from tests.needs import need_root
from tests.nobody import NOBODY


def test_an_empty_file_clears(tmp_path: Path) -> None:
    (tmp_path / "key").touch()
    assert read_key_file(str(tmp_path / "key")) == read_key_file(os.devnull) == UNSET_KEY


def read_pipe(content: bytes, path: Path) -> bytes:
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(content,))
    writer.start()
    try:
        return read_key_file(str(path))
    finally:
        writer.join()


def test_a_pipe_may_hold_a_key_but_not_nothing(tmp_path: Path) -> None:
    """``private-key <(cat missing)`` is to clear no key. As wg."""
    assert read_pipe(f"{PRIVATE}\n".encode(), tmp_path / "a") == key_from_base64(PRIVATE)
    with pytest.raises(KeyFileError, match=r"expected a key of 44 characters of base64, .*; this has 0$"):
        read_pipe(b"", tmp_path / "b")


@pytest.mark.parametrize(
    "content", [b"x" * 100_000, PRIVATE.encode() + b" " * 70_000, PRIVATE.encode() + b"x"]
)
def test_more_than_a_key(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(KeyFileError, match=r"there is more in it than a key of 44 characters$"):
        read_key_file(str(tmp_path / "key"))


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            "/nonexistent",
            "/nonexistent: no such file; expected one that holds a key, or an empty one to clear",
        ),
        ("/", "/: cannot be read: Is a directory"),
        ("a\0b", "a\0b: cannot be read: not the name of a file"),
        (PRIVATE, "expected a file that holds the key, not the key itself: others can see command lines"),
        *(
            (pasted, "expected a file that holds the key, not the key itself: others can see command lines")
            for pasted in (
                f"{PRIVATE} ",
                f" {PRIVATE}",
                f"{PRIVATE}\n",
                f"PrivateKey={PRIVATE}",
                f"./{PRIVATE}",
                PRIVATE.replace("+", "-"),
            )
        ),
        (
            PRIVATE[:-1],
            "expected a file that holds the key, not the key itself: others can see command lines",
        ),
    ],
)
def test_files_that_cannot_be_read(path: str, message: str) -> None:
    with pytest.raises(KeyFileError) as wrong:
        read_key_file(path)
    assert str(wrong.value).startswith(message)
    assert PRIVATE[:7] not in str(wrong.value)


def test_no_permission() -> None:
    need_root()
    # Root is refused nothing, so the reader is somebody else; pytest's own directory is closed to others.
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o711)
        path = Path(directory) / "key"
        path.write_text(PRIVATE)
        path.chmod(0o600)
        os.seteuid(NOBODY)
        try:
            with pytest.raises(KeyFileError, match=r"key: cannot be read: Permission denied$"):
                read_key_file(str(path))
        finally:
            os.seteuid(0)
