"""The demo's laboratory, without its words."""

from collections.abc import Iterator
from contextlib import contextmanager

from pywg.demo.clean import clean_up
from pywg.demo.lab import Lab


@contextmanager
def laboratory() -> Iterator[Lab]:
    """Two namespaces and a veth pair (MTU 1500) for the time of the `with` block."""
    lab = Lab(lambda _: None, prefix="pywg-bench")
    try:
        lab.create()
        yield lab
    finally:
        clean_up(lab)
