"""Contexts: what surrounds an operation."""

import asyncio
import threading

import pytest

import opstream
from conftest import Recorded


def test_an_inner_context_lies_over_an_outer_one_and_a_call_over_both(recorded: Recorded) -> None:
    with opstream.context(session_id="outer", agent_id="a", tags={"x": "1", "y": "1"}):
        with opstream.context(session_id="inner", tags={"y": "2"}):
            opstream.record(agent_id="own", tags={"x": "own"})
        opstream.record()
    opstream.record()
    inner, outer, none = recorded.all()
    assert (inner["session_id"], inner["agent_id"], inner["tags"]) == ("inner", "own", {"x": "own", "y": "2"})
    assert (outer["session_id"], outer["agent_id"], outer["tags"]) == ("outer", "a", {"x": "1", "y": "1"})
    assert not {"session_id", "agent_id", "tags"} & set(none)


def test_the_clients_defaults_lie_below_all(recorded: Recorded) -> None:
    path = recorded.path.with_name("more.jsonl")
    opstream.configure(json_lines=path, workspace="w", service="svc", environment="test", tags={"region": "eu"})
    with opstream.context(service="other"):
        opstream.record(workspace="own")
    recorded.path = path
    operation = recorded.one()
    assert [operation[name] for name in ("workspace", "service", "environment")] == ["own", "other", "test"]
    assert operation["tags"] == {"region": "eu"}


async def test_tasks_and_threads_have_contexts_of_their_own(recorded: Recorded) -> None:
    async def task(name: str) -> None:
        with opstream.context(session_id=name):
            await asyncio.sleep(0)
            opstream.record(action_id=name)

    with opstream.context(team="t"):
        await asyncio.gather(*(task(f"task-{number}") for number in range(10)))
        thread = threading.Thread(target=lambda: opstream.record(action_id="thread"))
        thread.start()
        thread.join()
    operations = recorded.all()
    tasks = [operation for operation in operations if operation["action_id"] != "thread"]
    assert len(tasks) == 10
    assert all(operation["session_id"] == operation["action_id"] and operation["team"] == "t" for operation in tasks)
    assert "team" not in operations[-1]


def test_a_context_decorates_a_function_and_shows_itself(recorded: Recorded) -> None:
    @opstream.context(agent_id="decorated")
    def function() -> dict[str, object]:
        opstream.record()
        return opstream.current_context()

    assert function() == {"agent_id": "decorated"}
    assert opstream.current_context() == {}
    assert recorded.one()["agent_id"] == "decorated"


def test_a_generator_that_is_closed_elsewhere_raises_nothing() -> None:
    def generator():  # type: ignore[no-untyped-def]
        with opstream.context(session_id="s"):
            yield 1

    running = generator()
    next(running)
    failures: list[BaseException] = []

    def close() -> None:
        try:
            running.close()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=close)
    thread.start()
    thread.join()
    assert failures == []


def test_a_wrong_name_or_value_is_said_at_once() -> None:
    with pytest.raises(TypeError, match="sesion_id"):
        opstream.context(sesion_id="s").__enter__()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="session_id: expected text, not list"):
        opstream.context(session_id=[]).__enter__()  # type: ignore[arg-type]
