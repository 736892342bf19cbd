"""What the package has to say, as the logger ``opstream``. Never content."""

import logging

from opstream import _native

logger = logging.getLogger("opstream")

_said: set[str] = set()


def pass_on_lines() -> None:
    """Takes what the producer's threads left for the log."""
    for level, text in _native.take_lines():
        logger.log(level, "%s", text)


def log_once(topic: str, text: str, *arguments: object, exc_info: bool = False) -> None:
    """Logs a warning, the first time that it is about this topic."""
    if topic not in _said:
        _said.add(topic)
        logger.warning(text + " (said once)", *arguments, exc_info=exc_info)
