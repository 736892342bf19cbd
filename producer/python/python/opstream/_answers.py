"""What an answer of a provider's SDK says of itself: usage, ids, model, why it ended. Knows the shapes of OpenAI and Anthropic.

Reads attributes of the SDKs' models and keys of maps alike. The usage object itself goes to Rust as it is.
"""

from typing import Any


def get(value: Any, name: str) -> Any:
    """The attribute or key of this name; None where there is none."""
    return value.get(name) if isinstance(value, dict) else getattr(value, name, None)


def fields_of_answer(answer: Any) -> dict[str, Any]:
    """Fields of the operation whose answer this is; empty for what is no provider's answer."""
    usage = get(answer, "usage")
    choices = get(answer, "choices")
    fields: dict[str, Any] = {}
    if usage is None and not isinstance(choices, list):
        return fields
    fields["usage"] = usage
    for field, name in (("response_id", "id"), ("response_model", "model"), ("service_tier", "service_tier")):
        value = get(answer, name)
        if isinstance(value, str):
            fields[field] = value
    reasons = finish_reasons(answer)
    if reasons:
        fields["finish_reasons"] = reasons
    response = content_of_answer(answer)
    if response is not None:
        fields["response"] = response
    return fields


def finish_reasons(answer: Any) -> list[str]:
    """Why each choice of the answer ended."""
    choices = get(answer, "choices")
    if isinstance(choices, list):
        reasons = [get(choice, "finish_reason") for choice in choices]
        return [reason for reason in reasons if isinstance(reason, str)]
    stop_reason = get(answer, "stop_reason")
    if isinstance(stop_reason, str):
        return [stop_reason]
    incomplete = get(get(answer, "incomplete_details"), "reason")
    if isinstance(incomplete, str):
        return [incomplete]
    return ["stop"] if get(answer, "status") == "completed" else []


def content_of_answer(answer: Any) -> Any:
    """The messages of the answer, as the SDK has them; None for embeddings and the like."""
    choices = get(answer, "choices")
    if isinstance(choices, list):
        messages = [get(choice, "message") for choice in choices]
        if all(message is None for message in messages):
            texts = [get(choice, "text") for choice in choices]
            return [{"role": "assistant", "content": text} for text in texts if isinstance(text, str)] or None
        return [message for message in messages if message is not None]
    output = get(answer, "output")
    if isinstance(output, list):
        return output
    content = get(answer, "content")
    if isinstance(content, list) and get(answer, "role") is not None:
        return [{"role": "assistant", "content": content}]
    return None


def fields_of_error(error: BaseException) -> dict[str, Any]:
    """Fields of an operation that ended with this exception."""
    fields: dict[str, Any] = {"success": False, "error_type": type(error).__qualname__, "error_message": str(error)}
    status = getattr(error, "status_code", None)
    if isinstance(status, int) and 100 <= status < 600:
        fields["http_status"] = status
    return fields
