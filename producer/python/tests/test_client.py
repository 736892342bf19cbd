"""The client's life: settings, errors, the end of a process, forks."""

import json
import logging
import multiprocessing
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import opstream
from conftest import Recorded, eventually
from opstream import _client


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def run(script: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Runs a program of its own, to its end."""
    return subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **environment, "PYTHONWARNINGS": "ignore::DeprecationWarning"},
        capture_output=True,
        text=True,
        timeout=60,
    )


def nobody_listens() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{listener.getsockname()[1]}"


def test_the_environment_configures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OPSTREAM_JSON_LINES", str(tmp_path / "o.jsonl"))
    monkeypatch.setenv("OPSTREAM_SERVICE", "svc")
    monkeypatch.setenv("OPSTREAM_PRODUCER_ID", "me")
    monkeypatch.setenv("OPSTREAM_CAPTURE", "on")
    monkeypatch.setenv("WORKSPACE", "of-aicore")
    opstream.record(response="hi")
    opstream.flush()
    (operation,) = lines(tmp_path / "o.jsonl")
    assert [operation[name] for name in ("service", "producer_id", "workspace")] == ["svc", "me", "of-aicore"]
    assert "output_messages" in operation
    monkeypatch.setenv("OPSTREAM_WORKSPACE", "ours")
    opstream.configure(json_lines=tmp_path / "p.jsonl", service="argument")
    opstream.record()
    opstream.flush()
    (operation,) = lines(tmp_path / "p.jsonl")
    assert (operation["workspace"], operation["service"]) == ("ours", "argument"), (
        "arguments stand above the environment"
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"queue_operations": 0}, "queue_operations is 0; allowed is a whole number"),
        ({"topic_prefix": "a b"}, "topic_prefix (OPSTREAM_TOPIC_PREFIX)"),
        ({"bootstrap": "a:1,,b:1"}, "bootstrap is"),
        ({"kafka_properties": {"no.such": "hunter2"}}, "no.such"),
        ({"capture": "some"}, "capture (OPSTREAM_CAPTURE) is 'some'; allowed is off, on, or the most bytes"),
        ({"capture": 0}, "capture (OPSTREAM_CAPTURE) is '0'; allowed is off, on, or the most bytes"),
        ({"redact_patterns": {"pin": "("}}, "redact_patterns: pin: "),
        ({"spool_folder": "spool", "spool_mib": "x"}, "spool_mib (OPSTREAM_SPOOL_MIB)"),
    ],
)
def test_a_wrong_setting_is_named_and_no_secret_is(options: Any, words: str) -> None:
    with pytest.raises(opstream.ConfigurationError) as raised:
        opstream.configure(**options)
    assert words in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_a_file_that_cannot_be_opened_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="cannot be opened for appending"):
        opstream.configure(json_lines=tmp_path)
    opstream.configure(json_lines=tmp_path / "o.jsonl")
    with pytest.raises(OSError, match="in use by another producer"):
        opstream.Client(json_lines=tmp_path / "o.jsonl")


def test_a_wrong_environment_is_logged_once_and_never_raised(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OPSTREAM_KAFKA_PROPERTIES", "sasl.password")
    for _ in range(3):
        assert opstream.record(model="m") is None
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "nothing is recorded" in caplog.text


def test_a_disabled_client_records_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OPSTREAM_DISABLED", "true")
    monkeypatch.setenv("OPSTREAM_JSON_LINES", str(tmp_path / "o.jsonl"))
    assert opstream.record(model="m") is None
    assert opstream.flush() and opstream.close()
    assert not (tmp_path / "o.jsonl").exists()


def test_a_closed_client_counts_and_raises_nothing(recorded: Recorded) -> None:
    opstream.record()
    assert opstream.close()
    assert opstream.record() is None
    assert opstream.counters()["sent"] == 1
    assert opstream.close(), "again"


def test_two_clients_have_files_of_their_own(tmp_path: Path) -> None:
    with opstream.Client(json_lines=tmp_path / "a.jsonl", service="a") as a:
        with opstream.Client(json_lines=tmp_path / "b.jsonl", service="b") as b:
            a.record()
            b.record_completion({"provider": "openai"})
            with opstream.operation(client=b):
                pass
    assert [operation["service"] for operation in lines(tmp_path / "a.jsonl")] == ["a"]
    assert [operation["service"] for operation in lines(tmp_path / "b.jsonl")] == ["b", "b"]


def test_an_outage_costs_nothing_but_the_queue_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    opstream.configure(bootstrap=nobody_listens(), queue_operations=10)
    for _ in range(25):
        assert opstream.record(model="m")
    counters = opstream.counters()
    assert (counters["queued"], counters["dropped"]) == (10, 15)
    assert not opstream.flush(0.01)

    def is_logged() -> bool:
        opstream.flush(0)
        return "do not reach their destination" in caplog.text

    eventually(is_logged)
    assert not opstream.close(0), "ten are lost"
    assert opstream.counters()["failed"] == 10


def test_a_spool_keeps_what_the_broker_cannot_take(tmp_path: Path) -> None:
    opstream.configure(bootstrap=nobody_listens(), spool_folder=tmp_path / "spool", spool_mib=1)
    for _ in range(5):
        opstream.record(model="m")
    assert opstream.close(30), "nothing is lost"
    counters = opstream.counters()
    assert (counters["spooled"], counters["spool_waiting"], counters["failed"]) == (5, 5, 0)
    assert list((tmp_path / "spool").rglob("*.spool")) + list((tmp_path / "spool").rglob("*.open"))


def test_the_end_of_a_process_delivers(tmp_path: Path) -> None:
    file = tmp_path / "o.jsonl"
    done = run("import opstream\nfor _ in range(1000): opstream.record(model='m')", OPSTREAM_JSON_LINES=str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert len(lines(file)) == 1000


def test_an_unhandled_exception_delivers_too(tmp_path: Path) -> None:
    file = tmp_path / "o.jsonl"
    script = "import opstream\nwith opstream.operation(model='m'): 1 / 0"
    done = run(script, OPSTREAM_JSON_LINES=str(file))
    assert done.returncode == 1 and "ZeroDivisionError" in done.stderr
    (operation,) = lines(file)
    assert (operation["success"], operation["error_type"]) == (False, "ZeroDivisionError")


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@needs_fork
def test_forked_workers_record_on_their_own_with_ids_of_their_own(tmp_path: Path) -> None:
    """As gunicorn and celery do it: the application is loaded, and has recorded, before it forks."""
    script = """
import os, sys, opstream
opstream.record(model="parent", started_at="2026-11-23T08:00:00Z")
children = []
for number in range(4):
    child = os.fork()
    if child == 0:
        for _ in range(100):
            opstream.record(model="child", started_at="2026-11-23T08:00:00Z")
        sys.exit(0)
    children.append(child)
for child in children:
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
for _ in range(100):
    opstream.record(model="parent", started_at="2026-11-23T08:00:00Z")
"""
    done = run(script, OPSTREAM_JSON_LINES=str(tmp_path / "o.jsonl"))
    assert (done.returncode, done.stderr) == (0, "")
    files = sorted(tmp_path.glob("o*.jsonl"))
    assert len(files) == 5, "the parent's, and one of each child with its process id"
    operations = [operation for file in files for operation in lines(file)]
    assert len(operations) == 501
    assert len({operation["operation_id"] for operation in operations}) == 501
    by_producer = {operation["producer_id"] for operation in operations}
    assert len(by_producer) == 5, "none goes on with another's numbers"


@needs_fork
def test_a_fork_amid_recording_threads_hangs_nobody(tmp_path: Path) -> None:
    script = """
import os, sys, threading, opstream
stop = threading.Event()
def work():
    while not stop.is_set():
        opstream.record(model="parent", wrong=1)
threads = [threading.Thread(target=work, daemon=True) for _ in range(4)]
for thread in threads: thread.start()
for _ in range(30):
    child = os.fork()
    if child == 0:
        opstream.record(model="child", wrong=1)
        ok = opstream.flush(20) and opstream.counters()["sent"] == 1 and opstream.close(20)
        os._exit(0 if ok else 3)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
stop.set()
for thread in threads: thread.join()
"""
    done = run(script, OPSTREAM_JSON_LINES=str(tmp_path / "o.jsonl"))
    assert done.returncode == 0, done.stderr


@needs_fork
def test_a_fork_amid_the_first_start_waits_for_it_and_its_child_records(tmp_path: Path) -> None:
    script = """
import os, threading, time, opstream
from opstream import _native
start, started = _native.Recorder, threading.Event()
def slow(*arguments):
    recorder = start(*arguments)
    started.set()
    time.sleep(0.3)
    return recorder
_native.Recorder = slow
thread = threading.Thread(target=lambda: opstream.record(model="parent"))
thread.start()
started.wait()
child = os.fork()
if child == 0:
    opstream.record(model="child")
    os._exit(0 if opstream.close(20) and opstream.counters()["sent"] == 1 else 3)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
thread.join()
"""
    done = run(script, OPSTREAM_JSON_LINES=str(tmp_path / "o.jsonl"))
    assert done.returncode == 0, done.stderr
    models = sorted(lines(file)[0]["model"] for file in tmp_path.glob("o*.jsonl"))
    assert models == ["child", "parent"]


def _in_a_child(number: int) -> None:
    opstream.record(model=f"child-{number}")


@needs_fork
def test_a_child_of_multiprocessing_delivers_at_its_end(recorded: Recorded) -> None:
    opstream.record(model="parent")
    children = [multiprocessing.get_context("fork").Process(target=_in_a_child, args=(number,)) for number in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    models = [lines(file)[0]["model"] for file in recorded.path.parent.glob("operations.*.jsonl")]
    assert sorted(models) == ["child-0", "child-1"]
    assert recorded.one()["model"] == "parent"


def test_threads_record_side_by_side(recorded: Recorded) -> None:
    import threading

    threads = [
        threading.Thread(target=lambda: [opstream.record(model="m", wrong=1) for _ in range(500)])  # type: ignore
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    operations = recorded.all()
    assert len({operation["operation_id"] for operation in operations}) == 4000
    assert sorted(operation["producer_seq"] for operation in operations) == list(range(4000))
    assert sum(opstream.problems().values()) == 4000


def test_a_handler_of_the_log_that_raises_reaches_nobody(recorded: Recorded) -> None:
    class Raising(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise RuntimeError(record)

    handler = Raising()
    logging.getLogger("opstream").addHandler(handler)
    try:
        assert opstream.record(wrong=1)  # type: ignore[call-arg]
    finally:
        logging.getLogger("opstream").removeHandler(handler)
    assert recorded.one()
    assert _client._default is not None
