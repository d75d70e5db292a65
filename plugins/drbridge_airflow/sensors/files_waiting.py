"""What waits in a flow's source."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from drbridge.errors import NotKnownThere, Rejected
from drbridge_airflow.operators.brick import Brick
from drbridge_airflow.policies import work_from
from drbridge_airflow.triggers.files_quiet import LONGEST_WAIT_SECONDS, FilesQuiet

if TYPE_CHECKING:
    from drbridge.exchange.desk import Desk
    from drbridge.exchange.waiting import Look
    from drbridge.exchange.work import Work

MOST_FILES_OF_A_RUN = 1000  # Airflow maps over 1024 at most
MOST_REASONS = 20
GRACE = timedelta(seconds=60)


class FilesWaiting(Brick):
    """Returns the names of the files to work on, oldest first, at most 200 new ones.

    It looks at once, in the worker. Only when nothing but unfinished uploads is there does it wait, without holding
    a worker, and for half a minute at most. Nothing there: it is skipped. Nothing but files that cannot be read: red.
    """

    ui_color = "#fae8ff"

    def work(self, desk: Desk, context: Context) -> list[str]:
        """Opens what the run asks to have sent again, then looks."""
        from drbridge.exchange.resend import reopen

        asked = work_from(context, desk.systems.site)
        again = reopen(desk, self.dag_id, asked)
        if again.deliveries:
            self.log.info("Opened %d deliveries (resend %s, asked by %s)", again.deliveries, asked.resend, asked.who)
        if again.would_open:
            self.log.info("Dry run: it would send again %s", ", ".join(again.would_open))
        if again.without_source:
            raise NotKnownThere(
                f"Not sent again, for its source is not there as it was: {', '.join(again.without_source)}",
                fix="lay the file back under that name and trigger the flow again (one that was edited is another "
                "file: it goes by itself under a name of its own); the rest of what was asked goes on",
            )
        seen, names = self._look(desk, context, asked)
        if not names and seen.unquiet:
            self.log.info("Waiting for uploads to end: %s", ", ".join(seen.unquiet))
            self.defer(
                trigger=FilesQuiet(self.dag_id, asked.model_dump(mode="json")),
                method_name="execute_complete",
                timeout=timedelta(seconds=LONGEST_WAIT_SECONDS) + GRACE,
            )
        return self._names(desk, asked, seen, names)

    def execute_complete(self, context: Context, event: Any = None) -> Any:
        """Looks once more after the wait."""
        return self._guarded(context, self._after_the_wait)

    def _after_the_wait(self, desk: Desk, context: Context) -> list[str]:
        asked = work_from(context, desk.systems.site)
        return self._names(desk, asked, *self._look(desk, context, asked))

    def _look(self, desk: Desk, context: Context, asked: Work) -> tuple[Look, list[str]]:
        from drbridge.exchange.waiting import hand_out, look

        seen = look(desk, self.dag_id, asked)
        for reason in (*seen.unreadable, *seen.gone):
            self.log.warning("%s", reason)
        if seen.behind:
            self.log.info("%s", self._told(seen))
        run = context["dag_run"]
        return seen, hand_out(desk, run.dag_id, run.run_id, seen, asked)[:MOST_FILES_OF_A_RUN]

    def _names(self, desk: Desk, asked: Work, seen: Look, names: list[str]) -> list[str]:
        from drbridge.exchange.notices import of_nothing

        if names:
            self.log.info("%d files: %s", len(names), ", ".join(names))
            if seen.left:
                self.log.info("%d more wait for the next run", seen.left)
            return names
        if seen.unquiet:
            raise AirflowSkipException(f"still being uploaded: {', '.join(seen.unquiet)}; the flow is woken when whole")
        if seen.ready:
            raise AirflowSkipException(f"another run was just given {', '.join(seen.ready)}")
        if seen.unreadable:
            raise Rejected(
                "No file that waits can be read", detail="; ".join(seen.unreadable),
                fix="have the sender correct names and rights of these files",
            )  # fmt: skip
        if seen.behind:
            raise AirflowSkipException(self._told(seen))
        if asked.by_clock:
            of_nothing(desk, self.dag_id)
        raise AirflowSkipException(self._why_nothing(desk, asked) if asked.file else "nothing waits")

    @staticmethod
    def _told(seen: Look) -> str:
        more = len(seen.behind) - MOST_REASONS
        return "; ".join(seen.behind[:MOST_REASONS]) + (f"; and {more} more wait" if more > 0 else "")

    def _why_nothing(self, desk: Desk, asked: Work) -> str:
        from drbridge.exchange.resend import archived

        nothing = f"no file called {asked.file} waits"
        away = archived(desk, self.dag_id, asked)
        if not away:
            return f"{nothing}, and none of that name was dealt with before: check the name, and that this is its flow"
        found = f"{nothing}; archived ones that match: {len(away)}, the last is {away[-1]}"
        if asked.resend != "nothing":
            return f"{found}; none of them has anything to send again under '{asked.resend}'"
        return f"{found}. To send them again choose 'failed' (what was refused) or 'all' under 'Send again'"
