import secrets
from collections.abc import Iterator

import pytest

from pywg.uapi.path import DIRECTORY
from tests.needs import need, need_root
from tests.uapi.fake import Served


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    """A device for `wg`, where it looks for it. One for all files of a module."""
    need("wg")
    need_root()
    with Served(f"pywgt{secrets.token_hex(4)}", DIRECTORY) as running:
        yield running
    assert running.unhandled == []
