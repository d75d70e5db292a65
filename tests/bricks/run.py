"""A run as its tasks see it, kept in memory, so that bricks can be executed one by one without a scheduler."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, BaseOperator, Context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskDeferred

from drbridge.errors import DrBridgeError
from drbridge_sandbox.task_run import FORM_AS_SHOWN, DagRun

GREEN, RED, SKIPPED, DEFERRED = "green", "red", "skipped", "deferred"


@dataclass
class Run:
    """One run of a flow; keeps what its tasks returned and pushed."""

    dag_run: DagRun
    params: dict[str, Any] = field(default_factory=dict)
    results: dict[tuple[str, int], Any] = field(default_factory=dict)
    pushed: dict[str, Any] = field(default_factory=dict)
    error: BaseException | None = None

    @classmethod
    def of(cls, flow: str, **params: Any) -> Run:
        """A run that a person asked for."""
        return cls(DagRun(flow), params)

    @classmethod
    def backfill(cls, flow: str, day: datetime) -> Run:
        begin = day.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=UTC)
        run = DagRun(flow, f"backfill__{begin}", "backfill", begin, begin + timedelta(days=1))
        return cls(run)

    def context(self, map_index: int = -1) -> Context:
        found: Any = {
            "dag_run": self.dag_run,
            "params": {**FORM_AS_SHOWN, **self.params},
            "ti": TaskInstance(self, map_index),
        }
        return found  # type: ignore[no-any-return]

    def do(self, brick: BaseOperator, map_index: int = -1, method: str = "execute") -> str:
        """Executes a brick and returns its colour; what it raised stays in `error`."""
        self.error = None
        call: Callable[[Context], Any] = getattr(brick, method)
        try:
            self.results[brick.task_id, map_index] = call(self.context(map_index))
        except TaskDeferred as deferred:
            self.error = deferred
            return DEFERRED
        except AirflowSkipException as skipped:
            self.error = skipped
            return SKIPPED
        except (AirflowFailException, DrBridgeError) as failed:
            self.error = failed
            return RED
        return GREEN


@dataclass
class TaskInstance:
    """What a task asks of its own instance."""

    run: Run
    map_index: int

    def xcom_push(self, key: str, value: Any) -> None:
        self.run.pushed[key] = value

    def xcom_pull(self, task_ids: str, map_indexes: int | None = None) -> Any:
        """Without an index all there are of a mapped task, as Airflow does."""
        results = self.run.results
        if map_indexes is not None or (task_ids, -1) in results:
            return results.get((task_ids, -1 if map_indexes is None else map_indexes))
        return [result for (task, _), result in sorted(results.items()) if task == task_ids] or None


@contextmanager
def dag(flow: str) -> Iterator[DAG]:
    """The DAG that bricks are made in: its id names the flow."""
    with DAG(flow, schedule=None) as made:
        yield made


def make(kind: Callable[..., BaseOperator], flow: str, **arguments: Any) -> BaseOperator:
    """One brick of a flow."""
    with dag(flow):
        return kind(task_id=kind.__name__.lower(), **arguments)
