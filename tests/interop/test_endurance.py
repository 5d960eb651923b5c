"""Everything at once for a while, with rekeys every few seconds: see tests/netns/endurance.py.

PYWG_TEST_ENDURANCE_MINUTES=10 makes it as long as a release wants it.
"""

import os

import pytest

from tests.netns.endurance import MEGABYTE, endure
from tests.netns.lab import Lab

MINUTES = float(os.environ.get("PYWG_TEST_ENDURANCE_MINUTES", "1"))


@pytest.mark.timeout(MINUTES * 60 + 120)
@pytest.mark.parametrize(
    ("engines", "rate"),
    [(("native", "native"), 8 * MEGABYTE), (("python", "native"), 2 * MEGABYTE)],
    ids=["native", "python-native"],
)
def test_a_mixed_load_loses_no_byte_and_leaks_nothing(
    lab_of_both: Lab, engines: tuple[str, str], rate: int
) -> None:
    """TCP both ways, a flood, pings; ports, MTU and peers that change; both engines in both roles."""
    endure(lab_of_both, MINUTES * 60, engines, tell=print, rate=rate)
