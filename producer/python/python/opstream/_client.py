"""The client: a native recorder, made when it is first needed, once for each process."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from opstream import _context, _native
from opstream._fields import Fields
from opstream._log import log_once, logger, pass_on_lines
from opstream._settings import ConfigurationError, Options, context_defaults, is_disabled, native_settings

if TYPE_CHECKING:
    from typing_extensions import Unpack

DEFAULT_TIMEOUT: Final = 5.0
"""Seconds for which flush and close wait by default, and the end of the process."""

_clients: weakref.WeakSet[Client] = weakref.WeakSet()
_changing: Final = threading.RLock()
"""Held while a client is made, started, put in another's place or closed. A fork waits for it: its child must find every producer
of the parent in ``_clients``, or it would take one that was just being started for nobody's."""
_NO_COUNTERS: Final = ("sent", "dropped", "failed", "queued", "spooled")


class Client:
    """Records operations with settings of its own. Most applications use the functions of the package, which share one."""

    def __init__(self, **options: Unpack[Options]) -> None:
        """Takes the arguments of ``configure()``.

        Raises ``ConfigurationError`` for a setting that cannot be used, ``OSError`` for a file or folder that cannot be opened.
        """
        self._options: Options = options
        self._flush_at_exit = options.get("flush_at_exit") or DEFAULT_TIMEOUT
        self._recorder: _native.Recorder | None = None
        self._is_closed = is_disabled(options)
        self._is_of_child = False
        self._keeps_content = False
        self._last_counters: Callable[[], dict[str, int]] | None = None
        self._last_problems: Callable[[], dict[str, int]] | None = None
        with _changing:
            if not self._is_closed:
                self._recorder = self._start()
            _clients.add(self)

    def _start(self) -> _native.Recorder:
        settings = native_settings(self._options)
        self._keeps_content = settings["capture_content"]
        if settings["json_lines"] and self._is_of_child:
            # The parent has the file, and two writers would tear each other's lines.
            stem, ending = os.path.splitext(settings["json_lines"])
            settings["json_lines"] = f"{stem}.{os.getpid()}{ending}"
        fields = {name: value for name, value in context_defaults(self._options).items() if value is not None}
        tags = self._options.get("tags")
        defaults = _native.Context(None, fields, dict(tags) if tags else None)
        try:
            recorder = _native.Recorder(settings, defaults, pass_on_lines)
        except ValueError as error:
            raise ConfigurationError(str(error)) from None
        _finalize_in_multiprocessing(self)
        return recorder

    @property
    def keeps_content(self) -> bool:
        """Whether prompts, answers and tool definitions are recorded."""
        return self._keeps_content

    def record(self, **fields: Unpack[Fields]) -> str | None:
        """Records one operation and returns its id; docs/python.md lists the fields. Never raises, never waits."""
        try:
            recorder = self._recorder or self._restarted()
            return recorder.record(fields, _context.current()) if recorder else None
        except Exception:
            log_once("record", "an operation could not be recorded", exc_info=True)
            return None

    def record_completion(self, arguments: dict[str, object]) -> str | None:
        """Records the arguments of AiCore's ``record_completion`` and returns the id. Never raises, never waits."""
        try:
            recorder = self._recorder or self._restarted()
            return recorder.record_completion(arguments, _context.current()) if recorder else None
        except Exception:
            log_once("record", "an operation could not be recorded", exc_info=True)
            return None

    def flush(self, timeout: float = DEFAULT_TIMEOUT) -> bool:
        """Waits until nothing is queued any more, for at most so many seconds; true when that is so."""
        recorder = self._recorder
        return recorder.flush(timeout) if recorder else True

    def close(self, timeout: float = DEFAULT_TIMEOUT) -> bool:
        """Delivers what waits for at most so many seconds and records nothing more; true when nothing was lost."""
        with _changing:
            recorder, self._recorder, self._is_closed = self._recorder, None, True
        if recorder is None:
            return True
        self._last_counters = recorder.counters
        self._last_problems = recorder.problems
        return recorder.close(timeout)

    def counters(self) -> dict[str, int]:
        """Numbers of operations by fate: ``sent``, ``dropped``, ``failed``, ``queued``, ``spooled`` and those of the spool."""
        read = self._recorder.counters if self._recorder else self._last_counters
        return read() if read else dict.fromkeys(_NO_COUNTERS, 0)

    def problems(self) -> dict[str, int]:
        """Values that could not be recorded, and how often: ``field: reason``."""
        read = self._recorder.problems if self._recorder else self._last_problems
        return read() if read else {}

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _restarted(self) -> _native.Recorder | None:
        """The recorder of this process, where a fork has taken that of its parent away."""
        if self._is_closed:
            return None
        with _changing:
            if self._recorder is None and not self._is_closed:
                try:
                    self._recorder = self._start()
                except Exception:
                    self._is_closed = True
                    logger.exception("nothing is recorded: the producer could not be started in this process")
            return self._recorder

    def _after_fork_in_child(self) -> None:
        recorder, self._recorder, self._is_of_child = self._recorder, None, True
        if recorder is not None:
            recorder.abandon()


def _after_fork_in_child() -> None:
    _native.after_fork_in_child()
    for client in list(_clients):
        client._after_fork_in_child()
    # Taken by the thread that forks, which is the one that goes on here.
    _changing.release()


def _close_all() -> None:
    for client in list(_clients):
        try:
            client.close(client._flush_at_exit)
        except Exception:
            log_once("close", "a client could not be closed", exc_info=True)


def _finalize_in_multiprocessing(client: Client) -> None:
    """A child of ``multiprocessing`` ends without ``atexit``, but runs finalizers of its own."""
    util = sys.modules.get("multiprocessing.util")
    process = sys.modules.get("multiprocessing.process")
    if util is not None and process is not None and process.parent_process() is not None:
        util.Finalize(None, _close_all, exitpriority=0)


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_changing.acquire, after_in_parent=_changing.release, after_in_child=_after_fork_in_child
    )


_default: Client | None = None


def configure(**options: Unpack[Options]) -> Client:
    """Starts the client that the functions of the package use, in place of the one before, which is closed.

    Without it they begin with the environment's settings at the first operation. See ``Options`` for the arguments.

    Raises ``ConfigurationError`` for a setting that cannot be used, ``OSError`` for a file or folder that cannot be opened.
    """
    global _default
    with _changing:
        if _default is not None:
            _default.close()
        _default = Client(**options)
        return _default


def default_client() -> Client:
    """The client that the functions of the package use; made with the environment's settings where there is none.

    Where they cannot be used it says so in the log, once, and records nothing.
    """
    client = _default
    return client if client is not None else _made_of_environment()


def _made_of_environment() -> Client:
    global _default
    with _changing:
        if _default is None:
            try:
                _default = Client()
            except Exception:
                logger.exception("nothing is recorded: the settings of the environment cannot be used")
                _default = Client(disabled=True)
        return _default


def record(**fields: Unpack[Fields]) -> str | None:
    """Records one operation and returns its id; docs/python.md lists the fields. Never raises, never waits.

    Values that are left out are those of the context. A value that cannot be used is left out, logged once and counted in
    ``problems()``; None is returned where nothing was recorded.
    """
    client = _default
    return (client if client is not None else default_client()).record(**fields)


def flush(timeout: float = DEFAULT_TIMEOUT) -> bool:
    """Waits until nothing is queued any more, for at most so many seconds; true when that is so."""
    return _default.flush(timeout) if _default else True


def close(timeout: float = DEFAULT_TIMEOUT) -> bool:
    """Delivers what waits for at most so many seconds and records nothing more; true when nothing was lost.

    The end of the process does the same. ``configure()`` begins again.
    """
    return _default.close(timeout) if _default else True


def counters() -> dict[str, int]:
    """Numbers of operations by fate: ``sent``, ``dropped``, ``failed``, ``queued``, ``spooled`` and those of the spool."""
    return default_client().counters()


def problems() -> dict[str, int]:
    """Values that could not be recorded, and how often: ``field: reason``."""
    return default_client().problems()
