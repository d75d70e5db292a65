"""What all flows have in common: when they start, when they try again, what a person may ask of them."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import (
    Asset,
    AssetAlias,
    AssetOrTimeSchedule,
    AssetWatcher,
    Context,
    CronDataIntervalTimetable,
    Param,
    RetryPolicy,
)
from airflow.sdk.definitions.retry_policy import RetryDecision

from drbridge.errors import BadInput, DrBridgeError, RetryLater
from drbridge_airflow.notifiers import TellOwners, WorksAgain
from drbridge_airflow.triggers.arrivals import Arrivals

if TYPE_CHECKING:
    from drbridge.exchange.work import Work
    from drbridge.systems import Site

LONGEST_DELAY_SECONDS = 120.0
FIRST_DELAY_SECONDS = 20.0

WAKE_ALIAS = AssetAlias("drbridge wake")


class ByCause(RetryPolicy):
    """Tries again what may work later, and fails at once what will not.

    The delay grows with each try and is drawn at random, so that tasks cut off together do not come back together.
    Where the other side named a time, that time is kept.
    """

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        """Decides by the kind of error; what is not ours is left to Airflow's own rule."""
        if isinstance(exception, RetryLater):
            asked: float | None = getattr(exception, "retry_after", None)
            seconds = growing_delay(try_number) if asked is None else max(1.0, asked)
            return RetryDecision.retry(timedelta(seconds=seconds), str(exception))
        if isinstance(exception, DrBridgeError):
            return RetryDecision.fail(str(exception))
        return RetryDecision.default()


def growing_delay(try_number: int) -> float:
    """Seconds until the next try: anywhere up to a limit that doubles with each try."""
    limit = min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** max(0, try_number - 1))
    return random.uniform(1.0, limit)


# Long outages are not waited for here: the ledger knows when a delivery is due again, and `resume` wakes its flow.
FLOW_SETTINGS: dict[str, Any] = {
    "start_date": datetime(2020, 1, 1, tzinfo=UTC),
    "catchup": False,
    "max_active_runs": 3,
    "default_args": {
        "owner": "drbridge",
        "retries": 2,
        "retry_delay": timedelta(seconds=FIRST_DELAY_SECONDS),
        "retry_policy": ByCause(),
        "on_failure_callback": TellOwners(),
        "on_success_callback": WorksAgain(),
        "on_skipped_callback": WorksAgain(),
    },
}


def schedule_of(flow: str) -> AssetOrTimeSchedule:
    """Woken by an arrival or by `resume`, swept once a day, and one run a business day (UTC) in a backfill."""
    watched = wake_asset(flow)
    watched.watchers.append(AssetWatcher(name=f"arrivals of {flow}", trigger=Arrivals(flow)))
    return AssetOrTimeSchedule(timetable=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"), assets=[watched])


def wake_asset(flow: str) -> Asset:
    """The asset whose events wake a flow; it says that something waits, never what."""
    return Asset(name=f"wake {flow}", uri=f"x-drbridge://wake/{flow}")


def params() -> dict[str, Param]:
    """The trigger form. Empty, it means: everything that waits."""
    return {
        "file": Param(
            None, type=["null", "string"], title="File or message",
            description="Only this file: its name, or a pattern such as SDCSE_*. Only this message: its number, or the "
            "number that its sender gave it. Empty: everything.",
        ),
        "since": Param(
            None, type=["null", "string"], format="date-time", title="From business date",
            description="Only what has this business date (UTC) or a later one. Empty: no limit.",
        ),
        "until": Param(
            None, type=["null", "string"], format="date-time", title="Before business date",
            description="Only what has a business date (UTC) before this. Empty: no limit.",
        ),
        "resend": Param(
            "nothing", type="string", enum=["nothing", "failed", "unknown", "all"], title="Send again",
            values_display={
                "nothing": "nothing: only what was never delivered",
                "failed": "failed: what was refused",
                "unknown": "unknown: what nobody knows the effect of",
                "all": "all: refused and accepted, once more",
            },
            description="What was settled is sent again only if you say so here. 'failed' and 'all' need a file, a "
            "message or dates above, or a cause or program below. Who asked, and why, is written down.",
        ),
        "reason": Param(
            None, type=["null", "string"], title="Only this cause", maxLength=200,
            description="Of that only what ended with this code (`drbridge ledger causes` lists them), or with these "
            "words in the other side's answer. Empty: whatever the cause.",
        ),
        "program": Param(
            None, type=["null", "string"], title="Only this program", maxLength=120,
            description="Of that only what names this program, by its id or code. Empty: all programs.",
        ),
        "destination": Param(
            None, type=["null", "string"], title="Only to", maxLength=80,
            description="Of that only what goes there: an endpoint or store of systems.toml. Empty: wherever it goes.",
        ),
        "why": Param(
            None, type=["null", "string"], title="Reason", maxLength=500,
            description="Why something is sent again: a sentence or a ticket. It is kept in the audit.",
        ),
        "dry_run": Param(
            False, type="boolean", title="Dry run",
            description="Show the calls that would be sent in the log of the task 'send', and send none.",
        ),
    }  # fmt: skip


def is_by_hand(context: Context) -> bool:
    """Whether a person triggered the run."""
    kind = context["dag_run"].run_type
    return str(getattr(kind, "value", kind)) == "manual"


def day_from(context: Context) -> date:
    """The day (UTC) that a run of the clock or of a person looks at: the one of the form, else the one before it.

    Raises:
        BadInput: the form names no day.
    """
    asked, begin = context["params"].get("day"), context["dag_run"].data_interval_start
    if asked:
        try:
            return date.fromisoformat(str(asked))
        except ValueError:
            raise BadInput(f"{asked!r} is no day", fix="write it as in 2026-07-14") from None
    return ((begin or datetime.now(UTC)).astimezone(UTC) - timedelta(days=1)).date()


def day_param() -> dict[str, Param]:
    """The form of what looks at a day."""
    told = "The day to look at (UTC). Empty: yesterday."
    return {"day": Param(None, type=["null", "string"], format="date", title="Day", description=told)}


def work_from(context: Context, site: Site) -> Work:
    """What the run is asked to do. The only place where bricks look at run type, form and data interval.

    Raises:
        BadInput: the form asks for something that cannot be.
    """
    from drbridge.exchange.work import work_of

    run = context["dag_run"]
    begin, end = run.data_interval_start, run.data_interval_end
    interval = (begin, end) if begin is not None and end is not None else None
    who = getattr(run, "triggering_user_name", None)
    kind = str(getattr(run.run_type, "value", run.run_type))
    prefixes = (site.sent_prefix, site.error_prefix)
    return work_of(kind, context["params"], interval, who, f"{run.dag_id}/{run.run_id}", prefixes)
