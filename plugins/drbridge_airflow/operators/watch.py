"""Looks after the work: what is overdue, whether a day's books agree with the other systems, who can be reached."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow.sdk import Context

from drbridge.errors import NeedsPerson
from drbridge_airflow.operators.brick import Brick
from drbridge_airflow.policies import day_from

if TYPE_CHECKING:
    from drbridge.exchange.desk import Desk
    from drbridge.exchange.findings import Finding


class _Watch(Brick):
    """Green when all is well; red when something calls for a person: the log has a line for each, with the next step.

    The owners are told as of every task that fails, once until it is green again.
    """

    is_of_flow = False
    ui_color = "#f1f5f9"

    def tell(self, findings: Sequence[Finding], what: str) -> None:
        """Lists what was found.

        Raises:
            NeedsPerson: something was.
        """
        for each in findings:
            self.log.error("%s: %s", each.where, each.what)
            self.log.error("Next: %s", each.fix)
        if findings:
            raise NeedsPerson(
                f"{what}: {len(findings)}", fix="open this task's log: each line of what was found has its next step"
            )
        self.log.info("%s: none", what)


class OverdueAnswers(_Watch):
    """Lists deliveries that do not end and requests whose answer does not come."""

    def work(self, desk: Desk, context: Context) -> None:
        """Looks into the ledger."""
        from drbridge.exchange.overdue import overdue

        self.tell(overdue(desk), "Answers and deliveries that are overdue")


class Reconcile(_Watch):
    """Compares a day's books with what the other systems have."""

    def work(self, desk: Desk, context: Context) -> None:
        """Adds up, asks, and tells DERMS of aggregators that are gone."""
        from drbridge.exchange.reconcile import reconcile

        found = reconcile(desk, day_from(context))
        self.log.info("What came in on %s (UTC):", found.day)
        for book in found.books:
            self.log.info("%s > %s: %d, %s", book.flow, book.destination, book.deliveries, book.balance.in_words)
        for place, count in found.asked.items():
            self.log.info("Asked for at %s: %d", place, count)
        for name in found.removed:
            self.log.info("DACS has aggregator %s no longer: a message to DERMS is on its way", name)
        self.tell(found.findings, "Differences")


class Housekeeping(_Watch):
    """Deletes what was settled long enough ago."""

    def work(self, desk: Desk, context: Context) -> None:
        """Deletes in small steps, and says what."""
        from drbridge.exchange.housekeeping import sweep

        swept = sweep(desk)
        self.log.info("Deleted: %s", swept.in_words or "nothing")
        for place in swept.unreached:
            self.log.warning("%s", place)


class CheckSystems(_Watch):
    """Looks whether every system can be reached and worked with."""

    def work(self, desk: Desk, context: Context) -> None:
        """Logs in everywhere, lists, writes and takes away again, asks for the version."""
        from drbridge.adapters.looking import look_at_all
        from drbridge.exchange.findings import Finding
        from drbridge_airflow.hooks.connections import connection_of

        seen = list(look_at_all(desk.systems, connection_of))
        for each in seen:
            self.log.info("%s", each)
        bad = [Finding(f"{each.connection} {each.place}", each.text, each.fix) for each in seen if not each.good]
        self.tell(bad, "Systems and places that cannot be worked with")
