"""Finding the configuration of an interface, and what it says of it.

In: the interface's name or a file's. Out: `ConfigFacts`, and the file itself. Rule kept: whether there is no
file or one that we may not read is told apart.
"""

from dataclasses import replace

from pywg.config import locate
from pywg.config.model import ConfigError, QuickConfig, Table
from pywg.doctor.compare import first_difference
from pywg.doctor.facts import RUNS, ConfigFacts, InterfaceFacts
from pywg.doctor.hooks import configure_the_interface
from pywg.interface_name import is_interface_name
from pywg.protocol.static_key import public_key
from pywg.uapi.model import UNSET_KEY


def look_at_config(file: str) -> tuple[ConfigFacts | None, QuickConfig | None]:
    """The file that belongs to an interface. None: there is none; of the second also: it cannot be used."""
    expected = str(locate.DIRECTORY / f"{file}.conf")
    try:
        if is_interface_name(file) and not (locate.DIRECTORY / f"{file}.conf").exists():
            return None, None
        located = locate.find_config(file)
        quick = locate.read_config(located)
    except PermissionError:
        return ConfigFacts(expected, word=file, is_closed=True), None
    except ConfigError as error:
        if isinstance(error.__context__, PermissionError):
            return ConfigFacts(error.source, word=file, is_closed=True), None
        return ConfigFacts(error.source, problem=str(error), problem_line=error.line or 0), None
    path = str(located.path)
    facts = ConfigFacts(
        path,
        word=located.name if path == str(locate.DIRECTORY / f"{located.name}.conf") else path,
        is_exposed=located.warning is not None,
        warnings=quick.wg.warnings,
        has_private_key=_key(quick) is not None,
        peers=len(quick.wg.peers),
        routes_wanted=quick.table is not Table.OFF,
        listen_port=quick.wg.listen_port,
    )
    return facts, quick


def compared(facts: InterfaceFacts, quick: QuickConfig) -> InterfaceFacts:
    """With what only file and interface together tell."""
    if facts.config is None:
        return facts
    config = replace(facts.config, own_key_line=_own_key_line(facts, quick))
    # Of these the file is behind, or is not all: until `down` writes it, or because a hook says the rest.
    is_whole = not quick.save_config and not configure_the_interface(quick.hooks)
    if facts.runner in RUNS and is_whole:
        config = replace(config, difference=first_difference(quick.wg, facts.state))
    return replace(facts, config=config)


def _own_key_line(facts: InterfaceFacts, quick: QuickConfig) -> int:
    private_key = _key(quick)
    own = facts.public_key or (None if private_key is None else public_key(private_key))
    return next((peer.line for peer in quick.wg.peers if peer.public_key == own), 0)


def _key(quick: QuickConfig) -> bytes | None:
    return None if quick.wg.private_key == UNSET_KEY else quick.wg.private_key
