"""What waits for a person: each is asked about once, and what was decided is done, with who and why."""

from __future__ import annotations

from drbridge.errors import NotAllowed
from drbridge.exchange.desk import Desk
from drbridge.exchange.questions import LEAVE, NO_REASON, Kind, Question, delivery_in, row_of
from drbridge.exchange.release_doubt import InDoubt
from drbridge.exchange.release_held import Held
from drbridge.exchange.release_refused import Refused
from drbridge.ledger import audit, runs
from drbridge.ledger.database import Tx

KINDS: dict[str, Kind] = {"held": Held(), "doubt": InDoubt(), "refused": Refused()}
MOST_OF_A_RUN = 200
EVER = 1e12


def to_ask(desk: Desk, dag_id: str, run_id: str, by_hand: bool) -> list[Question]:
    """What a run asks about: each trouble once, unless a person has everything asked anew.

    A run that is cleared asks about the same again, in the same order.
    """
    with desk.ledger.write() as tx:
        every = {each.key: each for kind in KINDS.values() for each in kind.waiting(desk, tx)}
        asked = set() if by_hand else runs.given_to_others(tx, dag_id, run_id, EVER)
        mine = runs.give(tx, dag_id, run_id, [key for key in every if key not in asked][:MOST_OF_A_RUN])
    return [every.get(key) or _over(key) for key in mine]


def waits(desk: Desk, key: str) -> bool:
    """Whether something still waits for a decision."""
    with desk.ledger.read() as tx:
        return _question(desk, tx, key) is not None


def decide(desk: Desk, key: str, choice: str, who: str, why: str) -> str:
    """Does what a person has decided, and writes down who and why; says what became of it.

    Raises:
        NotAllowed: it cannot be done as things are; the error says why.
        DrBridgeError: another system does not answer, or what was staged is gone.
    """
    with desk.ledger.read() as tx:
        row, question = row_of(tx, delivery_in(key)), _question(desk, tx, key)
    if row is None or question is None:
        return "it does not wait any more: nothing was done"
    if choice not in question.choices:
        raise NotAllowed(f"{choice!r} is no answer here", fix=f"choose one of {', '.join(question.choices)}")
    if choice != LEAVE:
        return _kind(key).decide(desk, row, choice, who, why)
    with desk.ledger.write() as tx:
        audit.note(tx, who, f"release: {choice}", f"{row.name} > {row.destination}", why or NO_REASON)
    return "it stays as it is"


def _kind(key: str) -> Kind:
    return KINDS[key.split()[0]]


def _question(desk: Desk, tx: Tx, key: str) -> Question | None:
    """The question of this key, if it still waits."""
    return next((each for each in _kind(key).waiting(desk, tx) if each.key == key), None)


def _over(key: str) -> Question:
    return Question(key, "", f"delivery {delivery_in(key)}", "Over", "It does not wait any more.", (LEAVE,))
