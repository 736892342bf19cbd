"""The text inside messages of OpenTelemetry's shape."""

import json
from typing import Any


def last_text(messages: str | None, role: str) -> str:
    """Text of the last message of this role; empty without one."""
    of_role = [message for message in _messages(messages) if message.get("role") == role]
    return _text(of_role[-1]) if of_role else ""


def message_texts(messages: str | None) -> str:
    """Texts of all messages, and as JSON the calls of tools where there is no text."""
    texts = [_text(message) for message in _messages(messages)]
    text = "\n".join(text for text in texts if text)
    if text:
        return text
    calls = [part for message in _messages(messages) for part in _parts(message) if part.get("type") == "tool_call"]
    return json.dumps(calls) if calls else ""


def _messages(text: str | None) -> list[dict[str, Any]]:
    try:
        value = json.loads(text) if text else []
    except ValueError:
        return []
    return [message for message in value if isinstance(message, dict)] if isinstance(value, list) else []


def _parts(message: dict[str, Any]) -> list[dict[str, Any]]:
    parts = message.get("parts")
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


def _text(message: dict[str, Any]) -> str:
    texts = [part.get("content") for part in _parts(message) if part.get("type") == "text"]
    return "\n".join(text for text in texts if isinstance(text, str))
