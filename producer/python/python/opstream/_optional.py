"""Packages that only some functions need."""

import importlib
from typing import Any


def polars(needed_by: str) -> Any:
    """The module ``polars``. Raises ``ImportError`` with what to install."""
    return _import("polars", "polars", needed_by)


def psycopg(needed_by: str) -> Any:
    """The module ``psycopg``. Raises ``ImportError`` with what to install."""
    return _import("psycopg", "postgres", needed_by)


def _import(module: str, extra: str, needed_by: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise ImportError(f"{needed_by} needs {module}: pip install 'opstream[{extra}]'", name=module) from None
