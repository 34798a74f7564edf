"""Raw event shards: rows of the ledger as Parquet, one file a kind, never changed and never named twice."""

import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from flagging.outbox import KINDS, Row

FOLDER = "raw"
_TYPES = {"TEXT": pa.string(), "INTEGER": pa.int64(), "BLOB": pa.binary()}

Columns = Sequence[tuple[str, str]]  # names and SQLite types


class ShardDamaged(ValueError):
    """A file in the shards' folder is not one of ours."""


def new_path(kind: str) -> str:
    """A name no other process can make, in the order of time."""
    return f"{FOLDER}/{kind}/{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex}.parquet"


def kind_of(path: str) -> str | None:
    """The kind of rows a shard holds, by its path in the repository; None if the path is no shard's."""
    folder, _, rest = path.partition("/")
    kind, _, name = rest.partition("/")
    return kind if folder == FOLDER and kind in KINDS and name.endswith(".parquet") else None


def write_shard(rows: Iterable[Row], columns: Columns, path: Path) -> None:
    schema = pa.schema([(name, _TYPES[of]) for name, of in columns])
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows), schema), path, compression="zstd")


def read_shard(path: Path, columns: Columns) -> list[Row]:
    """Raises ShardDamaged if it is no Parquet file or lacks a column."""
    try:
        rows: list[Row] = pq.read_table(path, columns=[name for name, _ in columns]).to_pylist()
        return [{name: row[name] for name, _ in columns} for row in rows]
    except (pa.ArrowException, KeyError, OSError) as error:
        raise ShardDamaged(
            f"{path.name} is no shard of Hoodwink's ({error}); take it out of the repository's {FOLDER} folder"
        ) from error


def without_withdrawn(kind: str, rows: Iterable[Row], withdrawn: set[str]) -> list[Row]:
    """The rows that may be kept, each once."""
    key = {"tries": "try_id", "attempts": "attempt_id"}.get(kind, "attempt_id")
    kept: dict[str, Row] = {}
    for row in rows:
        if row.get(key) not in withdrawn and row.get("try_id") not in withdrawn:
            kept[repr(row)] = row
    return list(kept.values())
