"""The context of a call: session, agent, user, tags …, which every operation inside takes over.

It lives in a context variable, so threads, tasks and concurrent requests have contexts of their own. A new thread begins without
one; ``asyncio`` tasks inherit theirs.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

from opstream._native import Context

_current: ContextVar[Context | None] = ContextVar("opstream_context", default=None)

current: Any = _current.get
"""The native context of this task, or None. A variable, because it is called for every operation."""


@contextmanager
def context(
    *,
    workspace: str | None = None,
    project: str | None = None,
    team: str | None = None,
    environment: str | None = None,
    service: str | None = None,
    session_id: str | None = None,
    user_id: str | None = None,
    agent_id: str | None = None,
    agent_name: str | None = None,
    action_id: str | None = None,
    call_id: str | None = None,
    trace_id: str | None = None,
    span_id: str | None = None,
    parent_span_id: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> Iterator[None]:
    """Gives every operation inside these values, over those of an outer context. Also a decorator.

    What is None is left to the outer context. An operation's own values stand above those of its context.
    """
    given = {
        "workspace": workspace,
        "project": project,
        "team": team,
        "environment": environment,
        "service": service,
        "session_id": session_id,
        "user_id": user_id,
        "agent_id": agent_id,
        "agent_name": agent_name,
        "action_id": action_id,
        "call_id": call_id,
        "trace_id": trace_id,
        "span_id": span_id,
        "parent_span_id": parent_span_id,
    }
    fields = {name: value for name, value in given.items() if value is not None}
    token = _current.set(Context(_current.get(), fields, dict(tags) if tags else None))
    try:
        yield
    finally:
        # A generator may be closed by another task, whose variable was never changed.
        with suppress(ValueError):
            _current.reset(token)


def current_context() -> dict[str, Any]:
    """The values that operations take over here, by name; tags are in ``tags``."""
    native = _current.get()
    return native.as_dict() if native else {}
