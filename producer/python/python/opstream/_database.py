"""opstream's SQL tables, read only: SQLite by Python's own module, Postgres by psycopg."""

import os
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from opstream import _settings
from opstream._optional import psycopg
from opstream._query import QueryError

_SQLALCHEMY_DRIVER = re.compile(r"^(\w+)\+\w+:")


def address(given: "str | os.PathLike[str] | None") -> str:
    """The database's address: as given, else of the environment, else that of ``opstream up`` in this folder."""
    text = os.fspath(given) if given is not None else None
    text = text or _settings.variable("OPSTREAM_DATABASE_URL") or _settings.variable("CONNECTION_STRING")
    if text:
        return text
    file = Path(_settings.variable("OPSTREAM_DATA") or _settings.DEFAULT_DATA, "opstream.db")
    if file.exists():
        return str(file)
    raise QueryError(
        f"no database is given, and there is no {file}; set OPSTREAM_DATABASE_URL to postgres://user@host/database or sqlite:FILE"
    )


class Reader:
    """One connection. ``is_postgres`` tells the dialect."""

    def __init__(self, connection: Any, *, is_postgres: bool) -> None:
        """Takes a DB-API connection; ``reading`` makes and closes it."""
        self._connection = connection
        self.is_postgres = is_postgres

    def rows(self, sql: str, values: Mapping[str, object]) -> Iterator[Sequence[Any]]:
        """Rows of a statement whose values are written ``:name``."""
        if self.is_postgres:
            sql = re.sub(r"(?<!:):(\w+)", r"%(\1)s", sql)
        with closing(self._connection.cursor()) as cursor:
            cursor.execute(sql, values)
            yield from cursor

    def id(self, raw: bytes) -> object:
        """An operation id as this database compares it."""
        return UUID(bytes=raw) if self.is_postgres else raw


@contextmanager
def reading(given: "str | os.PathLike[str] | None" = None) -> Iterator[Reader]:
    """Opens the database, and closes it.

    Raises ``QueryError`` when it cannot be opened or is not opstream's.
    """
    url = address(given)
    plain = _SQLALCHEMY_DRIVER.sub(r"\1:", url)
    is_postgres = plain.startswith(("postgres:", "postgresql:"))
    driver: Any = psycopg("reading from Postgres") if is_postgres else sqlite3
    try:
        with closing(_connected(driver, plain, is_postgres=is_postgres)) as connection:
            yield Reader(connection, is_postgres=is_postgres)
    except driver.Error as error:
        # The address may hold a password, and is not repeated.
        raise QueryError(f"the database does not answer: {_hint(error)}") from None


def _connected(driver: Any, url: str, *, is_postgres: bool) -> Any:
    if is_postgres:
        return driver.connect(_for_libpq(url), autocommit=True)
    return driver.connect(f"{_sqlite_file(url).absolute().as_uri()}?mode=ro", uri=True)


def _for_libpq(url: str) -> str:
    return re.sub(r"([?&])ssl=", r"\1sslmode=", url)


def _sqlite_file(url: str) -> Path:
    if ":" in url and not url.startswith("sqlite:") and "://" in url:
        raise QueryError(
            "the address is of another kind of database; expected postgres://user@host/database or sqlite:FILE"
        )
    text = url.removeprefix("sqlite:")
    # SQLAlchemy has three slashes before a relative path and four before an absolute one.
    text = text[3:] if text.startswith("///") else text[2:] if text.startswith("//") else text
    file = Path(text)
    if not file.is_file():
        raise QueryError(f"there is no database {file}")
    return file


def _hint(error: Exception) -> str:
    text = str(error).strip()
    if "no such table" in text or ("does not exist" in text and "relation" in text):
        return f"{text}; it is not opstream's. AiCore's is brought in by: opstream import aicore FILE"
    return text
