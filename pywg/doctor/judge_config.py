"""What is wrong with a configuration file, and with what became of it: facts in, findings out.

In: `ConfigFacts` and the interface it is for. Out: everything that could be said, the explained included;
`judge` takes those away. Rule kept: of a file whose interface runs only that is told which still matters.
No I/O.
"""

from collections.abc import Iterator

from pywg.doctor.facts import RUNS, ConfigFacts, InterfaceFacts, Runner
from pywg.doctor.findings import Code, Finding, problem, sentence, warning
from pywg.doctor.judge_peer import name_unresolved


def judge_config(interface: InterfaceFacts, config: ConfigFacts) -> Iterator[Finding]:
    """Everything that can be said of it."""
    if config.is_closed:
        if interface.runner is Runner.NOBODY:
            yield access_denied(f"The configuration {config.path} may not be read.", config.word)
        return
    if config.problem:
        judge = warning if interface.runner in RUNS else problem
        yield judge(
            Code.CONFIG_WRONG,
            sentence(f"The configuration cannot be used: {config.problem}"),
            "Mend that line of the file." if config.problem_line else "Mend that, or give another file.",
        )
        return
    yield from _doubts(interface, config)
    if config.own_key_line:
        yield problem(
            Code.OWN_KEY_AS_PEER,
            f"The [Peer] in line {config.own_key_line} of {config.path} has this interface's own public key: "
            "such a peer is ignored.",
            "Put the other side's public key there; 'pywg show' says it there, or 'pywg pubkey' of its "
            "private key. Ours belongs in the other side's file.",
        )
    if interface.runner not in RUNS:
        yield from _not_up(interface, config)


def _doubts(interface: InterfaceFacts, config: ConfigFacts) -> Iterator[Finding]:
    if config.is_exposed:
        yield warning(
            Code.CONFIG_EXPOSED,
            f"{config.path} is world accessible, and it holds keys.",
            f"Close it to others: chmod 600 {config.path}",
        )
    if config.warnings:
        more = len(config.warnings) - 1
        yield warning(
            Code.CONFIG_DOUBTFUL,
            f"The configuration is hardly as it was meant: {config.warnings[0]}"
            f"{f' (and {more} more such)' if more else ''}.",
            "Mend that line of the file.",
        )
    if config.difference:
        name = interface.name
        yield warning(
            Code.NOT_WHAT_ITS_FILE_SAYS,
            f"The interface is not what {config.path} says: {config.difference}.",
            f"Let the file hold: pywg syncconf {name} <(pywg strip {config.word}) - or keep what runs: "
            f"pywg save {config.word}",
        )


def _not_up(interface: InterfaceFacts, config: ConfigFacts) -> Iterator[Finding]:
    """What an interface made of the file would lack."""
    if not config.has_private_key:
        yield problem(
            Code.NO_PRIVATE_KEY,
            f"{config.path} has no PrivateKey: the interface could not make or take any handshake.",
            "Make one with 'pywg genkey' and put it into [Interface].",
        )
    if not config.peers:
        yield problem(
            Code.NO_PEERS,
            f"{config.path} has no [Peer] section: there is nobody to talk to.",
            "Add one with PublicKey, AllowedIPs and Endpoint.",
        )
    if interface.port_holder:
        yield port_taken(f"UDP port {config.listen_port} (ListenPort) is in use", interface.port_holder)
    for name in config.names:
        if name.error:
            yield name_unresolved(name.written.host, name.error)


def access_denied(told: str, word: str) -> Finding:
    """`told`: a sentence, what may not be looked at. `word`: what doctor finds it by."""
    return problem(Code.ACCESS_DENIED, told, f"Run doctor as root: sudo pywg doctor {word}")


def port_taken(told: str, holder: str) -> Finding:
    """`told`: the beginning of the sentence. `holder`: which process has it; empty: not known."""
    return problem(
        Code.PORT_TAKEN,
        f"{told}{f' by {holder}' if holder else ''}.",
        "End the other program, or take another ListenPort and tell the peers.",
    )
