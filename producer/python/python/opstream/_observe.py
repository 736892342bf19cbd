"""Operations that are measured while they happen: a context manager and a decorator.

Both measure with a monotonic clock, mark an exception as a failure and let it through unchanged. A generator that its reader
leaves before the end is no failure.
"""

import contextlib
import inspect
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextvars import ContextVar
from functools import wraps
from types import TracebackType
from typing import Any, TypeAlias, TypeVar, cast

from opstream import _client
from opstream._answers import fields_of_answer, fields_of_error
from opstream._log import log_once
from opstream._streams import StreamedAnswer

Function = TypeVar("Function", bound=Callable[..., Any])
_Error: TypeAlias = BaseException | None

_current: ContextVar["Observation | None"] = ContextVar("opstream_operation", default=None)


class Observation:
    """An operation that is under way. Made by ``operation()``; ends once."""

    __slots__ = ("_begun_ns", "_client", "_fields", "_has_ended", "_token", "_ttft_us", "operation_id")

    def __init__(self, client: "_client.Client | None", fields: dict[str, Any]) -> None:
        """Begins now. ``client`` is None for the package's own, looked up at the end."""
        self._client = client
        self._fields = fields
        self._fields.setdefault("started_at", time.time())
        self._ttft_us: int | None = None
        self._has_ended = False
        self._token: Any = None
        self.operation_id: str | None = None
        """The id, once it has ended."""
        self._begun_ns = time.perf_counter_ns()

    def set(self, **fields: Any) -> None:
        """Sets fields of the operation, as in ``record()``."""
        self._fields.update(fields)

    def complete(self, fields: dict[str, Any]) -> None:
        """Sets those fields that are not set yet."""
        self._fields = {**fields, **self._fields}

    def answer(self, answer: Any) -> None:
        """Takes usage, ids, model, finish reasons and content from an answer of OpenAI's or Anthropic's SDK, or its dict."""
        self._fields.update(fields_of_answer(answer))

    def first_token(self) -> None:
        """Says that the first token is there. Only the first call counts."""
        if self._ttft_us is None:
            self._ttft_us = self._elapsed_us()

    def fail(self, error: BaseException) -> None:
        """Marks the operation as failed with this exception."""
        self._fields.update(fields_of_error(error))

    def end(self) -> None:
        """Records it. Further calls do nothing."""
        if self._has_ended:
            return
        self._has_ended = True
        elapsed_us = self._elapsed_us()
        self._fields.setdefault("latency_us", elapsed_us)
        if self._ttft_us is not None:
            self._fields.setdefault("ttft_us", self._ttft_us)
            self._fields.setdefault("generation_us", elapsed_us - self._ttft_us)
        client = self._client if self._client is not None else _client.default_client()
        self.operation_id = client.record(**self._fields)

    def _elapsed_us(self) -> int:
        return (time.perf_counter_ns() - self._begun_ns) // 1000

    def __enter__(self) -> "Observation":
        self._token = _current.set(self)
        return self

    def __exit__(self, _kind: type[BaseException] | None, error: _Error, _trace: TracebackType | None) -> None:
        with contextlib.suppress(ValueError):
            _current.reset(self._token)
        if error is not None and not isinstance(error, GeneratorExit):
            self.fail(error)
        self.end()

    async def __aenter__(self) -> "Observation":
        return self.__enter__()

    async def __aexit__(self, kind: type[BaseException] | None, error: _Error, trace: TracebackType | None) -> None:
        self.__exit__(kind, error, trace)


def operation(operation_type: str = "chat", **fields: Any) -> Observation:
    """An operation that begins now and is recorded at the end of a ``with`` or ``async with`` block, failed if that raises.

    ``fields`` are those of ``record()``; inside, ``set()``, ``answer()`` and ``first_token()`` add to them.
    """
    client = fields.pop("client", None)
    return Observation(client, {"operation_type": operation_type, **fields})


def current_operation() -> Observation | None:
    """The innermost operation that is under way here."""
    return _current.get()


def observe(function: Function | None = None, /, *, operation_type: str = "chat", **fields: Any) -> Any:
    """Records every call of a function as an operation. For functions, coroutines and generators of both kinds.

    A result that is an answer of OpenAI's or Anthropic's SDK gives its usage; otherwise ``current_operation().set(…)`` does,
    inside the function. A generator's first item is the first token, and its items are read as events of a stream. For
    ``execute_tool`` the function's name is the action.
    """

    def decorate(function: Function) -> Function:
        given = dict(fields)
        if operation_type == "execute_tool":
            given.setdefault("action_id", function.__name__)
        return cast(Function, _observed(function, operation_type, given))

    return decorate if function is None else decorate(function)


def _observed(function: Callable[..., Any], operation_type: str, fields: dict[str, Any]) -> Callable[..., Any]:
    if inspect.isasyncgenfunction(function):
        return _observed_async_generator(function, operation_type, fields)
    if inspect.isgeneratorfunction(function):
        return _observed_generator(function, operation_type, fields)
    if inspect.iscoroutinefunction(function):
        return _observed_coroutine(function, operation_type, fields)

    @wraps(function)
    def observed(*args: Any, **kwargs: Any) -> Any:
        with operation(operation_type, **fields) as under_way:
            result = function(*args, **kwargs)
            _take_answer(under_way, result)
            return result

    return observed


def _observed_coroutine(
    function: Callable[..., Awaitable[Any]], operation_type: str, fields: dict[str, Any]
) -> Callable[..., Any]:
    @wraps(function)
    async def observed(*args: Any, **kwargs: Any) -> Any:
        with operation(operation_type, **fields) as under_way:
            result = await function(*args, **kwargs)
            _take_answer(under_way, result)
            return result

    return observed


def _observed_generator(
    function: Callable[..., Generator[Any, Any, Any]], operation_type: str, fields: dict[str, Any]
) -> Callable[..., Any]:
    @wraps(function)
    def observed(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        items = _Items(operation(operation_type, stream=True, **fields))
        source = function(*args, **kwargs)
        try:
            item = items.inside(next, source)
            while True:
                items.take(item)
                try:
                    sent = yield item
                except GeneratorExit:
                    source.close()
                    raise
                except BaseException as error:
                    item = items.inside(source.throw, error)
                else:
                    item = items.inside(source.send, sent)
        except StopIteration as end:
            return end.value
        except BaseException as error:
            items.fail(error)
            raise
        finally:
            items.end()

    return observed


def _observed_async_generator(
    function: Callable[..., AsyncGenerator[Any, Any]], operation_type: str, fields: dict[str, Any]
) -> Callable[..., Any]:
    @wraps(function)
    async def observed(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        items = _Items(operation(operation_type, stream=True, **fields))
        source = function(*args, **kwargs)
        try:
            item = await items.ainside(source.asend, None)
            while True:
                items.take(item)
                try:
                    sent = yield item
                except GeneratorExit:
                    await source.aclose()
                    raise
                except BaseException as error:
                    item = await items.ainside(source.athrow, error)
                else:
                    item = await items.ainside(source.asend, sent)
        except StopAsyncIteration:
            return
        except BaseException as error:
            items.fail(error)
            raise
        finally:
            items.end()

    return observed


class _Items:
    """The items that a generator yields, read as events of a provider's stream.

    The operation is the current one only while the generator runs, not in its reader.
    """

    def __init__(self, under_way: Observation) -> None:
        self._under_way = under_way
        self._answer = StreamedAnswer(keeps_content=False)

    def inside(self, step: Callable[..., Any], *arguments: Any) -> Any:
        token = _current.set(self._under_way)
        try:
            return step(*arguments)
        finally:
            _current.reset(token)

    async def ainside(self, step: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        token = _current.set(self._under_way)
        try:
            return await step(*arguments)
        finally:
            _current.reset(token)

    def take(self, item: Any) -> None:
        self._under_way.first_token()
        if item is None or isinstance(item, (str, bytes, int, float)):
            return
        try:
            self._answer.take(item)
        except Exception:
            log_once("observe", "an item of a generator could not be read as an event", exc_info=True)

    def fail(self, error: BaseException) -> None:
        if not isinstance(error, GeneratorExit):
            self._under_way.fail(error)

    def end(self) -> None:
        self._under_way.complete(self._answer.fields())
        self._under_way.end()


def _take_answer(under_way: Observation, result: Any) -> None:
    try:
        under_way.answer(result)
    except Exception:
        log_once("observe", "the result of a function could not be read as an answer", exc_info=True)
