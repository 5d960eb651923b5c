"""What an attacker can make a device remember for its diagnosis: numbers, one time a cause, and one key."""

import gc

from pywg.uapi.status import format_status
from tests.security.attacker import ELSEWHERE, Initiator, arrive, causes, rubbish, with_mac1
from tests.simulation.world import Machine, World


def alone() -> Machine:
    machine = Machine(World(5), "192.0.2.2", "10.0.0.2")
    machine.up()
    return machine


def test_of_all_unknown_keys_the_last_is_kept() -> None:
    machine = alone()
    strangers = [Initiator(machine, known=False, port=1 + number) for number in range(50)]
    for stranger in strangers:
        stranger.send()
    machine.world.run(7)
    status = machine.device.get_status()
    last = strangers[-1]
    assert status.stranger is not None
    assert status.stranger.public_key == last.identity.public_key
    assert status.stranger.source == str(last.endpoint)
    assert status.stranger.seconds_ago == 7
    assert causes(machine) == {"unknown_key": 50}
    assert status.handshake_failure_ages == {"unknown_key": 7}


def test_status_does_not_grow_under_rubbish() -> None:
    machine = alone()
    Initiator(machine, known=False).send()

    def flood() -> int:
        for _ in range(300):
            arrive(machine, rubbish(machine, machine.world.random), ELSEWHERE)
        gc.collect()
        return len(format_status(machine.device.get_status()).splitlines())

    assert flood() == flood() == flood()


def test_a_forged_initiation_is_no_step_of_a_handshake() -> None:
    """Whoever knows both public keys can make one. It is counted as refused, and tells of no wrong key."""
    machine = alone()
    peer = Initiator(machine, known=True)
    data = peer.make()
    in_the_timestamp = 100
    forged = data[:in_the_timestamp] + bytes([data[in_the_timestamp] ^ 1]) + data[in_the_timestamp + 1 :]
    arrive(machine, with_mac1(machine, forged), ELSEWHERE)
    (status,) = machine.device.get_status().peers
    assert status.recent.handshake_failures == {"aead_failure": 1}
    assert status.handshakes == status.recent.handshakes == {}
