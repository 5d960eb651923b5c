"""Keys as text: there is one for each, and each is read as what was written."""

from hypothesis import given
from hypothesis import strategies as st

from pywg.base64_key import KeyTextError, key_from_base64, key_to_base64


@given(st.binary(min_size=32, max_size=32))
def test_there_and_back(key: bytes) -> None:
    assert key_from_base64(key_to_base64(key)) == key
    assert len(key_to_base64(key)) == 44


@given(st.text(max_size=50) | st.text("ABab01+/=", min_size=44, max_size=44))
def test_one_text_for_each_key(text: str) -> None:
    try:
        key = key_from_base64(text)
    except KeyTextError:
        return
    assert key_to_base64(key) == text
