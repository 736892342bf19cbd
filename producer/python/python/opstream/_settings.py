"""Settings: arguments of ``configure()``, else variables of the environment, else defaults. The only reader of the environment."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, TypedDict

if TYPE_CHECKING:
    from opstream._native import Settings

DEFAULT_BOOTSTRAP: Final = "127.0.0.1:9092"
DEFAULT_URL: Final = "http://127.0.0.1:8080"
DEFAULT_DATA: Final = "./opstream-data"
_MIB: Final = 1024 * 1024
_TRUE: Final = ("1", "true", "yes", "on")
_FALSE: Final = ("0", "false", "no", "off")


class ConfigurationError(ValueError):
    """A setting that cannot be used. Names the argument and the variable."""


class Options(TypedDict, total=False):
    """Arguments of ``configure()`` and ``Client()``; docs/python.md has the table. ``None`` is not given."""

    bootstrap: str | None
    topic_prefix: str | None
    kafka_properties: Mapping[str, str] | None
    json_lines: "str | os.PathLike[str] | None"
    spool_folder: "str | os.PathLike[str] | None"
    spool_mib: int | None
    queue_operations: int | None
    queue_mib: int | None
    producer_id: str | None
    capture: "str | int | None"
    redact: bool | None
    redact_patterns: Mapping[str, str] | None
    disabled: bool | None
    flush_at_exit: float | None
    workspace: str | None
    project: str | None
    team: str | None
    environment: str | None
    service: str | None
    tags: Mapping[str, str] | None


def variable(name: str) -> str | None:
    """Value of an environment variable; an empty one is none."""
    return os.environ.get(name, "").strip() or None


def native_settings(options: Options) -> "Settings":
    """What the native recorder needs, all of it."""
    json_lines = _path(options.get("json_lines")) or variable("OPSTREAM_JSON_LINES")
    spool = _path(options.get("spool_folder")) or variable("OPSTREAM_SPOOL_FOLDER")
    properties = options.get("kafka_properties")
    captured = _captured_bytes(options.get("capture"))
    redact = options.get("redact")
    return {
        "json_lines": json_lines,
        "bootstrap": options.get("bootstrap") or variable("OPSTREAM_BOOTSTRAP") or DEFAULT_BOOTSTRAP,
        "topic_prefix": options.get("topic_prefix") or variable("OPSTREAM_TOPIC_PREFIX") or "llm",
        "kafka_properties": _properties(variable("OPSTREAM_KAFKA_PROPERTIES"))
        if properties is None
        else dict(properties),
        "spool_folder": spool,
        "spool_bytes": _MIB * _number(options.get("spool_mib"), "spool_mib", "OPSTREAM_SPOOL_MIB", 1024),
        "queue_operations": _number(options.get("queue_operations"), "queue_operations", None, 100_000),
        "queue_bytes": _MIB * _number(options.get("queue_mib"), "queue_mib", None, 64),
        "producer_id": options.get("producer_id") or variable("OPSTREAM_PRODUCER_ID"),
        "capture_content": captured is not None,
        "capture_bytes": captured or None,
        "redact": _flag("OPSTREAM_REDACT", default=True) if redact is None else redact,
        "redact_patterns": dict(options.get("redact_patterns") or {}),
    }


def context_defaults(options: Options) -> dict[str, object]:
    """What every operation has unless it says otherwise. ``WORKSPACE`` is the variable of AiCore."""
    workspace = options.get("workspace") or variable("OPSTREAM_WORKSPACE") or variable("WORKSPACE")
    return {
        "workspace": workspace,
        "project": options.get("project") or variable("OPSTREAM_PROJECT"),
        "team": options.get("team") or variable("OPSTREAM_TEAM"),
        "environment": options.get("environment") or variable("OPSTREAM_ENVIRONMENT"),
        "service": options.get("service") or variable("OPSTREAM_SERVICE"),
    }


def is_disabled(options: Options) -> bool:
    """Whether nothing is to be recorded."""
    given = options.get("disabled")
    return given if given is not None else _flag("OPSTREAM_DISABLED", default=False)


def token(file: "str | os.PathLike[str] | None" = None) -> str | None:
    """First line of the token file, of the argument or of ``OPSTREAM_TOKEN_FILE``."""
    path = _path(file) or variable("OPSTREAM_TOKEN_FILE")
    if path is None:
        return None
    with open(path, encoding="utf-8") as lines:
        return lines.readline().strip() or None


def _captured_bytes(given: "str | int | None") -> int | None:
    """Most bytes of each content field: None for no content at all, 0 for all of it."""
    text = str(given if given is not None else variable("OPSTREAM_CAPTURE") or "off").lower()
    if text in ("off", "on"):
        return 0 if text == "on" else None
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= 1_000_000_000:
        raise ConfigurationError(
            f"capture (OPSTREAM_CAPTURE) is {text!r}; allowed is off, on, or the most bytes of each field, 1 to 1000000000"
        )
    return int(text)


def _path(given: "str | os.PathLike[str] | None") -> str | None:
    return os.fspath(given) or None if given is not None else None


def _number(given: int | None, argument: str, name: str | None, default: int) -> int:
    text = given if given is not None else variable(name) if name else None
    if text is None:
        return default
    try:
        number = int(text)
    except (TypeError, ValueError):
        number = 0
    if not 1 <= number <= 10_000_000:
        named = f"{argument} ({name})" if name else argument
        raise ConfigurationError(f"{named} is {text!r}; allowed is a whole number, 1 to 10000000")
    return number


def _flag(name: str, *, default: bool) -> bool:
    text = (variable(name) or "").lower()
    if not text:
        return default
    if text not in _TRUE + _FALSE:
        raise ConfigurationError(f"{name} is {text!r}; allowed is true or false")
    return text in _TRUE


def _properties(text: str | None) -> dict[str, str]:
    """``name=value`` separated by ``;``. An error repeats no value: it may be a password."""
    properties = {}
    for piece in (text or "").split(";"):
        if piece.strip():
            name, equals, value = piece.partition("=")
            if not equals:
                raise ConfigurationError(
                    "OPSTREAM_KAFKA_PROPERTIES has a piece without =; expected name=value;name=value"
                )
            properties[name.strip()] = value
    return properties
