"""What all tests share: a client that writes to a file, and what it wrote."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import opstream
from opstream import _client

ROOT = Path(__file__).resolve().parents[3]
"""Of the repository."""


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in list(os.environ):
        if name.startswith(("OPSTREAM_", "OBSERVABILITY_")) and not name.startswith("OPSTREAM_TEST_"):
            monkeypatch.delenv(name)
    for name in ("CONNECTION_STRING", "WORKSPACE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    yield
    opstream.close()
    _client._default = None


class Recorded:
    """The operations that were recorded to a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def all(self) -> list[dict[str, Any]]:
        """All of them, in their order."""
        assert opstream.flush(), "the file is written"
        assert opstream.counters()["broken"] == 0
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    def one(self) -> dict[str, Any]:
        """The only one."""
        operations = self.all()
        assert len(operations) == 1, operations
        return operations[0]


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    """A client that keeps content."""
    path = tmp_path / "operations.jsonl"
    opstream.configure(json_lines=path, capture="on")
    return Recorded(path)


def eventually(condition: Callable[[], Any], seconds: float = 30) -> Any:
    """Waits until the condition holds, and says what it was last."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s: {value!r}"
        time.sleep(0.02)


class FakeServer:
    """A server on loopback whose answers a test chooses, and the requests that it got."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: list[tuple[int, str, str]] = []
        """Status, content type and body of the next answers; the last one is repeated."""
        self.headers: dict[str, str] = {}
        """More of every answer."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                outer.requests.append((self.path, dict(self.headers), body))
                status, kind, text = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                self.send_response(status)
                self.send_header("content-type", kind)
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = _answer
            do_POST = _answer

            def log_message(self, *_arguments: Any) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def says(self, answer: Any, status: int = 200) -> None:
        """Adds an answer: JSON."""
        self.answers.append((status, "application/json", json.dumps(answer)))

    def streams(self, *events: Any, names: bool = False) -> None:
        """Adds an answer: server-sent events, with their types as names where Anthropic has them."""
        lines = [(f"event: {event['type']}\n" if names else "") + f"data: {json.dumps(event)}\n\n" for event in events]
        end = "" if names else "data: [DONE]\n\n"
        self.answers.append((200, "text/event-stream", "".join(lines) + end))

    def stop(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A fake server."""
    fake = FakeServer()
    yield fake
    fake.stop()
