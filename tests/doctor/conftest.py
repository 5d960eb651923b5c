"""What the tests of doctor with real daemons need of the machine."""

import pytest

from tests.needs import need, need_root


@pytest.fixture(scope="session")
def doctors_tools() -> None:
    """To be named by each module that makes namespaces."""
    need_root()
    need("ip", "wg", "nft", "nsenter", "ping", "setpriv")
