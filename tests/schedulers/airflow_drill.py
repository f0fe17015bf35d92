"""Run by Airflow's own Python: the operator and its trigger, as worker and triggerer call them.

airflow_drill.py CASE REQUEST  prints one JSON value. CASE is a function below.
"""

import asyncio
import json
import os
import sys
from types import SimpleNamespace
from typing import Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException, TaskDeferred
from airflow.sdk.module_loading import import_string
from lupus_airflow import LupusDetection


def operator(request: dict[str, Any], **more: Any) -> Any:
    return LupusDetection(task_id="check", request=request, **more)


def context(
    request: dict[str, Any], try_number: int = 1, run_id: str = "manual__1", map_index: int = -1
) -> dict[str, Any]:
    """Of a dag that is named like the rule, so that each case has keys of its own."""
    ti = SimpleNamespace(
        dag_id=request["rule"],
        task_id="check",
        run_id=run_id,
        map_index=map_index,
        try_number=try_number,
    )
    return {"ti": ti}


def deferred(task: Any, given: dict[str, Any]) -> Any:
    """What a worker stores when the operator defers; the trigger as the triggerer makes it."""
    try:
        task.execute(given)
    except TaskDeferred as told:
        path, arguments = told.trigger.serialize()
        assert json.loads(json.dumps(arguments)) == arguments
        return import_string(path)(**arguments)
    raise AssertionError("it did not defer")


async def first_event(trigger: Any) -> Any:
    async for event in trigger.run():
        return event.payload
    raise AssertionError("no event")


def keys(request: dict[str, Any]) -> Any:
    """Runs that tries of one task, of another dag run and of another map index ask for."""
    first, retry = (
        deferred(operator(request), context(request, number)).run_id for number in (1, 2)
    )
    other = deferred(operator(request), context(request, run_id="manual__2")).run_id
    mapped = deferred(operator(request), context(request, map_index=0)).run_id
    return {"first": first, "retry": retry, "other": other, "mapped": mapped}


def cleared(request: dict[str, Any]) -> Any:
    """Runs of a task whose first run is over when it is tried again."""
    trigger = deferred(operator(request), context(request))
    asyncio.run(trigger.on_kill())
    again, once_more = (deferred(operator(request), context(request, 2)).run_id for _ in range(2))
    return {"first": trigger.run_id, "again": again, "once_more": once_more}


def loop_is_free(request: dict[str, Any]) -> Any:
    """How often others got their turn while a hundred triggers waited for a run."""
    trigger = deferred(operator(request), context(request))

    async def watch() -> int:
        turns = 0
        waiting = [asyncio.create_task(first_event(trigger)) for _ in range(100)]
        await asyncio.sleep(0.5)
        end = asyncio.get_running_loop().time() + 3
        while asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.01)
            turns += 1
        assert not any(one.done() for one in waiting)
        await trigger.on_kill()
        events = await asyncio.gather(*waiting)
        assert {event["state"] for event in events} == {"cancelled"}, events
        return turns

    return asyncio.run(watch())


def kill_before_deferral(request: dict[str, Any]) -> Any:
    task = operator(request)
    run = deferred(task, context(request)).run_id
    task.on_kill()
    return run


def away(request: dict[str, Any]) -> Any:
    """The service is killed while a trigger waits, and started again by who runs this drill."""
    trigger = deferred(operator(request), context(request))
    sys.stdout.write("deferred\n")
    sys.stdout.flush()

    async def watch() -> Any:
        return await first_event(trigger)

    return asyncio.run(watch())


def given_up(request: dict[str, Any]) -> Any:
    """A trigger whose service never comes back."""
    path, arguments = deferred(operator(request, away_seconds=1.0), context(request)).serialize()
    os.environ["AIRFLOW_CONN_LUPUS_DEFAULT"] = json.dumps({"host": "http://127.0.0.1:9"})
    event = asyncio.run(first_event(import_string(path)(**arguments)))
    try:
        operator(request).conclude(context(request), event)
    except AirflowException as error:
        return [type(error).__name__, str(error)]
    raise AssertionError("it did not fail")


def refused(request: dict[str, Any]) -> Any:
    try:
        operator({**request, "detector": {"type": "oracle"}}).execute(context(request))
    except AirflowException as error:
        return [type(error).__name__, str(error)]
    raise AssertionError("it was not refused")


def example(_request: dict[str, Any]) -> Any:
    """What Airflow finds in the example's file."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(os.environ["EXAMPLES"])
    assert not bag.import_errors, bag.import_errors
    return {name: dag.task_ids for name, dag in bag.dags.items()}


if __name__ == "__main__":
    assert BaseHook.get_connection("lupus_default").host
    sys.stdout.write(json.dumps(globals()[sys.argv[1]](json.loads(sys.argv[2]))) + "\n")
