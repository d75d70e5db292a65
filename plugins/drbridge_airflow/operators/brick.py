"""What every brick does before and after its own work."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowSkipException

from drbridge.errors import DrBridgeError
from drbridge_airflow.desk import desk_for_worker
from drbridge_airflow.guard import end_with_supervisor

if TYPE_CHECKING:
    from airflow.sdk.definitions.mappedoperator import MappedOperator

    from drbridge.exchange.desk import Desk

LONGEST_LABEL = 200


class Brick(BaseOperator):
    """A task of drbridge. In a flow, the id of its DAG is the name of the flow in systems.toml.

    Attributes:
        is_of_flow: whether it works for one flow, and is skipped when the release does not have that flow.
        calls_targets: whether it sends to REST targets: an outage of one is told once, whichever task met it.
    """

    template_fields = ()
    is_of_flow: ClassVar[bool] = True
    calls_targets: ClassVar[bool] = False

    def execute(self, context: Context) -> Any:
        """Does the brick's work."""
        return self._guarded(context, self.work)

    def work(self, desk: Desk, context: Context) -> Any:
        """What this brick is for."""
        raise NotImplementedError

    def _guarded(self, context: Context, work: Callable[[Desk, Context], Any]) -> Any:
        """Runs the work; an error of ours is told in three lines. What Airflow prints after them is for developers."""
        end_with_supervisor()
        gc.freeze()  # what Airflow has imported stays: to look through it for garbage takes 0.15 s each time
        try:
            desk = desk_for_worker()
            if self.is_of_flow:
                self._skip_unless_on(desk)
            return work(desk, context)
        except DrBridgeError as error:
            self._tell(error)
            raise error.with_traceback(None) from None

    def _skip_unless_on(self, desk: Desk) -> None:
        flow = desk.systems.flow(self.dag_id)
        if not desk.systems.is_on(flow):
            raise AirflowSkipException(f"{flow.title} is not part of release {desk.systems.site.profile}")

    def _tell(self, error: DrBridgeError) -> None:
        self.log.debug("Where it happened", exc_info=error)
        self.log.error("%s", error.what)
        if error.detail:
            self.log.error("Details: %s", error.detail)
        if error.fix:
            self.log.error("Next: %s", error.fix)


def shortened(name: str) -> str:
    """A name as the grid shows it: printable, and short enough for Airflow's column."""
    shown = "".join(letter if letter.isprintable() else "?" for letter in name)
    return shown if len(shown) <= LONGEST_LABEL else f"{shown[: LONGEST_LABEL - 1]}…"


class FileBrick(Brick):
    """A brick that works on one file, mapped over what `files_waiting` found; the grid shows the file's name.

    Args:
        file: the file's name. Never a template: a name may contain anything.
    """

    task_name: ClassVar[str]
    default_rule: ClassVar[str] = "all_success"

    def __init__(self, *, file: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.file = file

    @property
    def label(self) -> str:
        """The name as the grid shows it: printable, and short enough for Airflow's column."""
        return shortened(self.file)

    @classmethod
    def each(cls, files: BaseOperator) -> MappedOperator:
        """One task per file that `files` returns."""
        mapped = cls.partial(
            task_id=cls.task_name, trigger_rule=cls.default_rule, map_index_template="{{ task.label }}"
        )
        return mapped.expand(file=files.output)
