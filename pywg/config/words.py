"""The words of ``set``: ``listen-port 51820 peer KEY allowed-ips 10.0.0.0/8`` to what they ask for.

In: the words after the interface's name. Out: `WgConfig`, or ConfigError for the first wrong word. Rule kept:
config_read_cmd of wg's config.c: words in lower case, what belongs to a peer comes after its ``peer KEY``.
"""

from collections.abc import Callable, Sequence
from typing import Final

from pywg.base64_key import key_from_base64
from pywg.config import values
from pywg.config.draft import PeerDraft, WgDraft
from pywg.config.keys import KeyFileError
from pywg.config.model import COMMAND_LINE, ConfigError, WgConfig
from pywg.config.values import quoted, without_blanks, wrong_value

_WHAT_FOLLOWS: Final = {
    "listen-port": "a port",
    "fwmark": "a mark",
    "private-key": "the name of a file that holds the key",
    "peer": "a public key",
    "preshared-key": "the name of a file that holds the key",
    "endpoint": "HOST:PORT",
    "persistent-keepalive": "seconds",
    "allowed-ips": "prefixes, separated by commas",
}
"""Every word but ``remove`` takes one more."""
_OF_DEVICE: Final = ("listen-port", "fwmark", "private-key")
_OF_PEER: Final = ("remove", "preshared-key", "endpoint", "persistent-keepalive", "allowed-ips")


def parse_set(words: Sequence[str], read_key_file: Callable[[str], bytes]) -> WgConfig:
    """What the words ask for.

    `read_key_file`: `keys.read_key_file`, or what a test puts in its place. Raises ConfigError.
    """
    parser = _Words(read_key_file)
    left = list(reversed(words))
    while left:
        word = left.pop()
        parser.check_place(word)
        if word == "remove":
            parser.remove()
            continue
        if not left:
            raise ConfigError(COMMAND_LINE, None, f"{word}: expected {_WHAT_FOLLOWS[word]} after it")
        parser.take(word, left.pop())
    return parser.finish()


class _Words:
    def __init__(self, read_key_file: Callable[[str], bytes]) -> None:
        self._read_key_file = read_key_file
        self._draft = WgDraft()

    def check_place(self, word: str) -> None:
        """Raises ConfigError for a word that is none of ours, or not here."""
        if word == "peer" or word in (_OF_PEER if self._draft.peers else _OF_DEVICE):
            return
        if word in _OF_DEVICE:
            problem = f"{word} is of the interface; expected it before the first peer"
        elif word in _OF_PEER:
            problem = f"{word} is of a peer; expected 'peer KEY' before it"
        else:
            expected = ", ".join(("peer", *(_OF_PEER if self._draft.peers else _OF_DEVICE)))
            problem = f"unknown word {quoted(word)}; expected one of {expected}"
        raise ConfigError(COMMAND_LINE, None, problem)

    def remove(self) -> None:
        """The word that takes none."""
        self._draft.peers[-1].remove = True

    def take(self, word: str, value: str) -> None:
        """A word and what follows it. Raises ConfigError."""
        try:
            if word in _OF_PEER:
                self._take_of_peer(self._draft.peers[-1], word, value)
            else:
                self._take(word, value)
        except (KeyFileError, ValueError) as error:
            raise ConfigError(COMMAND_LINE, None, wrong_value(word, value, error)) from None

    def _take(self, word: str, value: str) -> None:
        match word:
            case "listen-port":
                self._draft.listen_port = values.port(value)
            case "fwmark":
                self._draft.fwmark = values.fwmark(value)
            case "private-key":
                self._draft.private_key = self._read_key_file(value)
            case _:
                self._draft.peers.append(PeerDraft(key_from_base64(value)))

    def _take_of_peer(self, peer: PeerDraft, word: str, value: str) -> None:
        match word:
            case "preshared-key":
                peer.preshared_key = self._read_key_file(value)
            case "endpoint":
                peer.endpoints.append(values.endpoint(value))
            case "persistent-keepalive":
                peer.persistent_keepalive = values.persistent_keepalive(value)
            case _:
                self._draft.warnings += peer.add_allowed_ips(without_blanks(value))

    def finish(self) -> WgConfig:
        return self._draft.finish(COMMAND_LINE)
