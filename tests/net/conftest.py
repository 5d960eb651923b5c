"""Fixtures for tests of what `up` and `down` change on Linux, in namespaces."""

import sys
from collections.abc import Iterator

import pytest

if sys.platform == "linux":
    from tests.net.two_namespaces import Ours, Two, our_namespace, two_namespaces


@pytest.fixture
def two() -> Iterator["Two"]:
    with two_namespaces() as both:
        yield both


@pytest.fixture
def ours() -> Iterator["Ours"]:
    with our_namespace() as only:
        yield only
