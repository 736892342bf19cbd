"""Patches of the providers' SDKs: every call of every client records itself.

Both SDKs send all their calls through one method of their clients, ``request``; that one is wrapped, so that ``create``, ``parse``,
``stream``, raw responses and what a later version adds are covered alike, sync and async, also of clients that exist already. An
answer, an exception and a stream's events reach the application as if nothing were there.
"""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, Final
from urllib.parse import urlsplit

from opstream import _client
from opstream._answers import fields_of_answer
from opstream._log import log_once
from opstream._observe import Observation
from opstream._streams import StreamedAnswer

_OPERATIONS: Final = {
    "/chat/completions": "chat",
    "/responses": "chat",
    "/completions": "text_completion",
    "/embeddings": "embeddings",
    "/v1/messages": "chat",
    "/v1/complete": "text_completion",
}
"""Operations by the path that is called; other calls, such as those for files and models, are none."""

_PROVIDERS_BY_CLIENT: Final = (
    ("AzureOpenAI", "azure.ai.openai"),
    ("Bedrock", "aws.bedrock"),
    ("Vertex", "gcp.vertex_ai"),
    ("Anthropic", "anthropic"),
)
"""Providers by a part of the name of the client's class."""

_PROVIDERS_BY_HOST: Final = (
    ("api.openai.com", "openai"),
    ("openai.azure.com", "azure.ai.openai"),
    ("api.deepseek.com", "deepseek"),
    ("api.x.ai", "x_ai"),
    ("openrouter.ai", "openrouter"),
    ("api.groq.com", "groq"),
    ("api.mistral.ai", "mistral_ai"),
    ("generativelanguage.googleapis.com", "gcp.gemini"),
    ("aiplatform.googleapis.com", "gcp.vertex_ai"),
    ("api.perplexity.ai", "perplexity"),
    ("api.moonshot.ai", "moonshot_ai"),
    ("api.cohere.com", "cohere"),
    ("amazonaws.com", "aws.bedrock"),
    ("api.anthropic.com", "anthropic"),
)
"""Providers that speak OpenAI's dialect, by the end of their host's name."""

_originals: dict[type, Callable[..., Any]] = {}


def patch_openai(*, provider: str | None = None, client: "_client.Client | None" = None) -> None:
    """Records every chat, response, text completion and embedding of the OpenAI SDK. A second call changes its arguments.

    The provider is told by the client's address; ``provider`` names it where that is a gateway's. Raises ``ImportError`` when the
    SDK is not installed.
    """
    import openai

    _patch(openai.OpenAI, provider, client)
    _patch(openai.AsyncOpenAI, provider, client)


def unpatch_openai() -> None:
    """Takes ``patch_openai()`` back; streams that are under way are still recorded."""
    import openai

    _unpatch(openai.OpenAI)
    _unpatch(openai.AsyncOpenAI)


def patch_anthropic(*, provider: str | None = None, client: "_client.Client | None" = None) -> None:
    """Records every message of the Anthropic SDK, also on Bedrock and Vertex. A second call changes its arguments.

    Raises ``ImportError`` when the SDK is not installed.
    """
    import anthropic

    _patch(anthropic.Anthropic, provider, client)
    _patch(anthropic.AsyncAnthropic, provider, client)


def unpatch_anthropic() -> None:
    """Takes ``patch_anthropic()`` back; streams that are under way are still recorded."""
    import anthropic

    _unpatch(anthropic.Anthropic)
    _unpatch(anthropic.AsyncAnthropic)


def _owner(client_class: type) -> type:
    """The class that all clients of the SDK inherit ``request`` from."""
    return next(owner for owner in client_class.__mro__ if "request" in vars(owner))


def _patch(client_class: type, provider: str | None, client: "_client.Client | None") -> None:
    owner = _owner(client_class)
    original = _originals.setdefault(owner, vars(owner)["request"])
    wrapped = _wrapped_coroutine if inspect.iscoroutinefunction(original) else _wrapped
    owner.request = wrapped(original, provider, client)  # type: ignore[attr-defined]


def _unpatch(client_class: type) -> None:
    owner = _owner(client_class)
    original = _originals.pop(owner, None)
    if original is not None:
        owner.request = original  # type: ignore[attr-defined]


def _wrapped(original: Callable[..., Any], provider: str | None, client: "_client.Client | None") -> Callable[..., Any]:
    @wraps(original)
    def request(self: Any, *args: Any, **kwargs: Any) -> Any:
        call = _begun(self, provider, client, args, kwargs)
        if call is None:
            return original(self, *args, **kwargs)
        try:
            answer = original(self, *args, **kwargs)
        except BaseException as error:
            call.fail(error)
            raise
        return call.answered(answer)

    return request


def _wrapped_coroutine(
    original: Callable[..., Any], provider: str | None, client: "_client.Client | None"
) -> Callable[..., Any]:
    @wraps(original)
    async def request(self: Any, *args: Any, **kwargs: Any) -> Any:
        call = _begun(self, provider, client, args, kwargs)
        if call is None:
            return await original(self, *args, **kwargs)
        try:
            answer = await original(self, *args, **kwargs)
        except BaseException as error:
            call.fail(error)
            raise
        return call.answered(answer)

    return request


def _begun(
    sdk: Any, provider: str | None, client: "_client.Client | None", args: tuple[Any, ...], kwargs: dict[str, Any]
) -> "_Call | None":
    """The call that begins, or None when it is no operation. Never raises."""
    try:
        options = kwargs.get("options", args[1] if len(args) > 1 else None)
        path = urlsplit(str(getattr(options, "url", ""))).path
        operation_type = _OPERATIONS.get(path)
        if operation_type is None:
            return None
        arguments = getattr(options, "json_data", None)
        address = urlsplit(str(getattr(sdk, "base_url", "")))
        fields = {
            "operation_type": operation_type,
            "provider": provider or _provider(sdk, address.hostname or ""),
            "endpoint": f"{address.netloc.rpartition('@')[2]}{address.path.rstrip('/')}{path}",
            # A copy: the clouds' clients take the model out of it.
            "request": dict(arguments) if isinstance(arguments, dict) else None,
            "stream": bool(kwargs.get("stream")) or None,
        }
        return _Call(Observation(client, fields), client)
    except Exception:
        log_once("patch", "a call could not be recorded", exc_info=True)
        return None


def _provider(sdk: Any, host: str) -> str:
    name = type(sdk).__name__
    for part, provider in _PROVIDERS_BY_CLIENT:
        if part in name:
            return provider
    for end, provider in _PROVIDERS_BY_HOST:
        if host == end or host.endswith("." + end) or host.endswith("-" + end):
            return provider
    # Whoever answers there, it is not known to be OpenAI, and its price would be guessed.
    return host


class _Call:
    """A call that is under way. Nothing here raises into the application."""

    def __init__(self, observation: Observation, client: "_client.Client | None") -> None:
        self._observation = observation
        self._client = client
        self._streamed: StreamedAnswer | None = None

    def fail(self, error: BaseException) -> None:
        self._safely(self._observation.fail, error)
        self.end()

    def answered(self, answer: Any) -> Any:
        """Records an answer that is whole, or begins to follow a stream; returns what the application gets."""
        followed = self._safely(self._follow, answer)
        if not followed:
            self._safely(self._take, answer)
            self.end()
        return answer

    def event(self, event: Any) -> None:
        if self._streamed is not None and self._safely(self._streamed.take, event):
            self._observation.first_token()

    def end(self) -> None:
        if self._streamed is not None:
            fields = self._safely(self._streamed.fields)
            self._observation.set(**(fields or {}))
        self._safely(self._observation.end)

    def _follow(self, answer: Any) -> bool:
        events = getattr(answer, "_iterator", None)
        if events is None:
            return False
        client = self._client or _client.default_client()
        self._streamed = StreamedAnswer(keeps_content=client.keeps_content)
        answer._iterator = _AsyncEvents(events, self) if hasattr(events, "__anext__") else _Events(events, self)
        return True

    def _take(self, answer: Any) -> None:
        self._observation.set(**fields_of_answer(_parsed(answer)))

    @staticmethod
    def _safely(step: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return step(*arguments)
        except Exception:
            log_once("patch", "a call could not be recorded completely", exc_info=True)
            return None


def _parsed(answer: Any) -> Any:
    """The answer inside a raw one that has been read; a raw stream stays what it is, for its reader alone."""
    response = getattr(answer, "http_response", None)
    if (
        response is None
        or not getattr(response, "is_stream_consumed", False)
        or not callable(getattr(answer, "parse", None))
    ):
        return answer
    parsed = answer.parse()
    return answer if inspect.isawaitable(parsed) or hasattr(parsed, "_iterator") else parsed


class _Events:
    """The events of a stream on their way to the application."""

    def __init__(self, events: Any, call: _Call) -> None:
        self._events = events
        self._call = call

    def __iter__(self) -> "_Events":
        return self

    def __next__(self) -> Any:
        try:
            event = next(self._events)
        except StopIteration:
            self._call.end()
            raise
        except BaseException as error:
            self._call.fail(error)
            raise
        self._call.event(event)
        return event

    def close(self) -> None:
        self._events.close()
        self._call.end()

    def __del__(self) -> None:
        # Left before its end, or never read: what is known is recorded.
        self._call.end()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._events, name)


class _AsyncEvents:
    """The events of an asynchronous stream on their way to the application."""

    def __init__(self, events: Any, call: _Call) -> None:
        self._events = events
        self._call = call

    def __aiter__(self) -> "_AsyncEvents":
        return self

    async def __anext__(self) -> Any:
        try:
            event = await anext(self._events)
        except StopAsyncIteration:
            self._call.end()
            raise
        except BaseException as error:
            self._call.fail(error)
            raise
        self._call.event(event)
        return event

    async def aclose(self) -> None:
        await self._events.aclose()
        self._call.end()

    def __del__(self) -> None:
        self._call.end()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._events, name)
