"""What a stream adds up to: usage from the events that have it, why it ended, and its text where content is kept."""

from typing import Any

from opstream._answers import finish_reasons, get


class StreamedAnswer:
    """Takes the events of one stream in their order. Knows those of OpenAI's and Anthropic's SDKs; passes others over."""

    def __init__(self, *, keeps_content: bool) -> None:
        """Without content nothing but the last usage and a few ids are held."""
        self._keeps_content = keeps_content
        self._usages: list[dict[str, Any]] = []
        self._fields: dict[str, Any] = {}
        self._texts: dict[int, list[str]] = {}
        self._calls: dict[tuple[int, int], dict[str, Any]] = {}
        self._blocks: dict[int, dict[str, Any]] = {}
        self._output: Any = None
        self._reasons: list[str] = []

    def take(self, event: Any) -> bool:
        """Takes the next event; true when it brings something that was generated."""
        # Responses and Anthropic's first event wrap the answer.
        answer = get(event, "response") or get(event, "message")
        for holder in (event, answer):
            if holder is None or isinstance(holder, str):
                continue
            usage = get(holder, "usage")
            if usage is not None:
                self._usages.append({"usage": usage})
            self._take_facts(holder)
        choices = get(event, "choices")
        if isinstance(choices, list):
            return self._take_choices(choices)
        return self._take_typed(event, str(get(event, "type") or ""), answer)

    def fields(self) -> dict[str, Any]:
        """Fields of the operation, as far as the stream has come."""
        fields = dict(self._fields)
        if self._usages:
            fields["usage"] = self._usages
        if self._reasons:
            fields["finish_reasons"] = self._reasons
        if self._keeps_content:
            fields["response"] = self._content()
        return fields

    def _take_facts(self, holder: Any) -> None:
        for field, name in (("response_id", "id"), ("response_model", "model"), ("service_tier", "service_tier")):
            value = get(holder, name)
            if isinstance(value, str) and value:
                self._fields[field] = value

    def _take_choices(self, choices: list[Any]) -> bool:
        is_token = False
        for choice in choices:
            reason = get(choice, "finish_reason")
            if isinstance(reason, str):
                self._reasons.append(reason)
            delta = get(choice, "delta")
            index = get(choice, "index") or 0
            text = get(delta, "content") if delta is not None else get(choice, "text")
            calls = get(delta, "tool_calls") or []
            is_token = is_token or bool(text) or bool(calls) or bool(get(delta, "reasoning_content"))
            if self._keeps_content:
                if isinstance(text, str):
                    self._texts.setdefault(index, []).append(text)
                for call in calls:
                    self._take_call(index, call)
        return is_token

    def _take_call(self, choice: int, part: Any) -> None:
        call = self._calls.setdefault((choice, get(part, "index") or 0), {"id": None, "name": "", "arguments": ""})
        call["id"] = get(part, "id") or call["id"]
        function = get(part, "function")
        call["name"] += get(function, "name") or ""
        call["arguments"] += get(function, "arguments") or ""

    def _take_typed(self, event: Any, kind: str, answer: Any) -> bool:
        if kind in ("response.completed", "response.incomplete", "response.failed"):
            self._reasons = finish_reasons(answer)
            self._output = get(answer, "output")
            error = get(answer, "error")
            if error is not None:
                self._fields |= {
                    "success": False,
                    "error_type": str(get(error, "code") or "_OTHER"),
                    "error_message": str(get(error, "message") or ""),
                }
            return False
        if kind == "message_delta":
            reason = get(get(event, "delta"), "stop_reason")
            if isinstance(reason, str):
                self._reasons = [reason]
            return False
        if kind.startswith("content_block"):
            return self._take_block(event, kind)
        return kind.endswith(".delta")

    def _take_block(self, event: Any, kind: str) -> bool:
        index = get(event, "index") or 0
        delta = get(event, "delta")
        if not self._keeps_content:
            return delta is not None
        if kind == "content_block_start":
            block = get(event, "content_block")
            dump = getattr(block, "model_dump", None)
            self._blocks[index] = dump(exclude_none=True) if dump else dict(block or {})
            if self._blocks[index].get("type") == "tool_use":
                self._blocks[index]["input"] = ""
        elif delta is not None and index in self._blocks:
            for name, piece in (("text", "text"), ("thinking", "thinking"), ("input", "partial_json")):
                value = get(delta, piece)
                if isinstance(value, str):
                    self._blocks[index][name] = str(self._blocks[index].get(name) or "") + value
        return delta is not None

    def _content(self) -> Any:
        if self._output is not None:
            return self._output
        if self._blocks:
            return [{"role": "assistant", "content": [self._blocks[index] for index in sorted(self._blocks)]}]
        messages = []
        for index in sorted({*self._texts, *(choice for choice, _ in self._calls)}):
            calls = [
                {"id": call["id"], "function": {"name": call["name"], "arguments": call["arguments"]}}
                for (choice, _), call in sorted(self._calls.items())
                if choice == index
            ]
            messages.append({"role": "assistant", "content": "".join(self._texts.get(index, [])), "tool_calls": calls})
        return messages or None
