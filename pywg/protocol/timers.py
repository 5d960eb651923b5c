"""All timers as one pure function of facts and ``now`` (whitepaper section 6, kernel timers.c).

In: what the engine saw of a peer's packets (`Traffic`), what the control plane did about it
(`TimerState`) and the time. Out: what is due (`Action`), when to look again, and which facts to be told of.
No callback runs per packet: deadlines follow from facts, and facts are looked at when a deadline may
have passed. All times are CLOCK_BOOTTIME nanoseconds.
"""

from dataclasses import dataclass
from enum import Enum, Flag, auto

from pywg.protocol.constants import Limits


class Fact(Flag):
    """The two facts whose setting can create a deadline earlier than any known one."""

    UNANSWERED_SENT = auto()
    UNANSWERED_RECEIVED = auto()


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the engine knows of a peer's packets. Times or None.

    "Data" is any non-empty authenticated payload, before the source check. "Sent" is set when a send is
    attempted, even if it fails (or a persistent keepalive would spin on an offline host). Handshake
    messages count as authenticated packets, not as data.
    """

    last_sent: int | None = None
    """Last authenticated packet sent."""
    last_received: int | None = None
    """Last authenticated packet received."""
    unanswered_sent: int | None = None
    """First data sent since when nothing authenticated was received."""
    unanswered_received: int | None = None
    """First data received since when nothing authenticated was sent."""
    more_received: bool = False
    """More data was received after `unanswered_received`."""
    staged: bool = False
    """Packets wait for keys."""


class Wanted(Enum):
    """Why an initiation that met the 5 s gate is still wanted when the gate opens."""

    KEYS = "keys"
    """Packets were staged; served only if packets still are."""
    REKEY = "rekey"
    """The engine asks for a fresh keypair only once, so the request must not be lost."""


@dataclass(frozen=True, slots=True)
class AnotherKeepalive:
    """A keepalive follows the last one unless anything is sent in between."""

    due: int
    last_sent: int | None


@dataclass(frozen=True, slots=True)
class TimerState:
    """What the control plane did about a peer; replaced as a whole, never changed in place."""

    retransmit_at: int | None = None
    """An initiation waits for its response: when to send the next (jitter included)."""
    attempts: int = 0
    """Retransmissions so far in this attempt."""
    gate_opens: int = 0
    """Last initiation or response sent + REKEY_TIMEOUT: no initiation before (whitepaper 6.1)."""
    wanted: Wanted | None = None
    zero_keys_at: int | None = None
    """Newest session's birth + 540 s (whitepaper 6.3)."""
    new_handshake_jitter: int = 0
    """Drawn when the timer was last armed or fired."""
    keepalive_served: int | None = None
    """The `unanswered_received` a keepalive was asked for already."""
    another_keepalive: AnotherKeepalive | None = None
    persistent_interval: int = 0
    """Persistent keepalive in nanoseconds; 0 is off."""
    persistent_base: int | None = None
    """When the persistent keepalive last fired. None: switched on, or the link came up; due at once."""


class Action(Enum):
    """What is due now. The order is the order in which to do them."""

    ZERO_KEYS = "zero keys"
    GIVE_UP = "give up"
    RETRANSMIT = "retransmit initiation"
    INITIATE = "initiate at the opening of the gate"
    NEW_HANDSHAKE = "new handshake, for nothing answers"
    KEEPALIVE = "keepalive"
    PERSISTENT_KEEPALIVE = "persistent keepalive"


@dataclass(frozen=True, slots=True)
class Decision:
    """Do `actions`, if any, and decide anew; else look again at `deadline` and on `watch`."""

    actions: tuple[Action, ...]
    deadline: int | None
    watch: Fact
    """Facts that, if set from now on, would create a deadline before `deadline`."""


def decide(limits: Limits, traffic: Traffic, state: TimerState, now: int) -> Decision:
    """What is due, and until when nothing else can be."""
    deadlines = _deadlines(limits, traffic, state)
    due = tuple(action for action in Action if (at := deadlines.get(action)) is not None and at <= now)
    if due:
        return Decision(due, None, Fact(0))
    deadline = min(deadlines.values(), default=None)
    return Decision((), deadline, _watch(limits, traffic, deadline, now))


def _deadlines(limits: Limits, traffic: Traffic, state: TimerState) -> dict[Action, int]:
    at: dict[Action, int] = {}
    if state.zero_keys_at is not None:
        at[Action.ZERO_KEYS] = state.zero_keys_at
    if state.retransmit_at is not None:
        if state.attempts > limits.max_retransmits:
            at[Action.GIVE_UP] = state.retransmit_at
        else:
            # A response sent meanwhile moves the gate; the kernel would drop this retransmission.
            at[Action.RETRANSMIT] = max(state.retransmit_at, state.gate_opens)
    if state.wanted is Wanted.REKEY or (state.wanted is Wanted.KEYS and traffic.staged):
        at[Action.INITIATE] = state.gate_opens
    if traffic.unanswered_sent is not None:
        at[Action.NEW_HANDSHAKE] = (
            traffic.unanswered_sent + limits.new_handshake_timeout + state.new_handshake_jitter
        )
    keepalive = keepalive_due(limits, traffic, state)
    if keepalive is not None:
        at[Action.KEEPALIVE] = keepalive
    if state.persistent_interval:
        at[Action.PERSISTENT_KEEPALIVE] = persistent_due(traffic, state)
    return at


def keepalive_due(limits: Limits, traffic: Traffic, state: TimerState) -> int | None:
    """When data received must have been answered, by an empty packet if by nothing else."""
    received = traffic.unanswered_received
    if received is not None and received != state.keepalive_served:
        return received + limits.keepalive_timeout
    another = state.another_keepalive
    if another is not None and another.last_sent == traffic.last_sent:
        return another.due
    return None


def persistent_due(traffic: Traffic, state: TimerState) -> int:
    """One interval after the last packet in either direction."""
    if state.persistent_base is None:
        return 0
    last = max(traffic.last_sent or 0, traffic.last_received or 0, state.persistent_base)
    return last + state.persistent_interval


def _watch(limits: Limits, traffic: Traffic, deadline: int | None, now: int) -> Fact:
    """A fact set later than now cannot be due before now + its timeout: until then no need to be told."""
    watch = Fact(0)
    if traffic.unanswered_sent is None and (
        deadline is None or deadline > now + limits.new_handshake_timeout
    ):
        watch |= Fact.UNANSWERED_SENT
    if traffic.unanswered_received is None and (
        deadline is None or deadline > now + limits.keepalive_timeout
    ):
        watch |= Fact.UNANSWERED_RECEIVED
    return watch
