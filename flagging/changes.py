"""What one commit to the dataset repository does: shards it adds, and shards it puts others in place of."""

from collections.abc import Callable, Iterable
from pathlib import Path

from flagging import hub
from flagging.hub import HubFile, Operation
from flagging.outbox import KINDS, Row
from flagging.shards import kind_of, new_path, without_withdrawn, write_shard

FULL_SHARD = 1_000_000  # bytes, some 800 drawings; a shard of this size is not merged with others any more
PERSONAL = ("tries", "attempts", "retractions", "votes", "hidings")  # kinds that a withdrawal takes rows from


class Change:
    """The operations of a commit, in the making. made, gone: paths of shards.

    columns: of a kind of rows; folder: where its files lie until they are sent; read: gives the rows of a shard.
    """

    def __init__(
        self,
        columns: Callable[[str], list[tuple[str, str]]],
        folder: Path,
        read: Callable[[str], list[Row]],
    ) -> None:
        self.operations: list[Operation] = []
        self.made: list[str] = []
        self.gone: list[str] = []
        self._columns = columns
        self._folder = folder
        self._read = read

    def add_shard(self, kind: str, rows: list[Row]) -> None:
        path = new_path(kind)
        write_shard(rows, self._columns(kind), self._folder / path)
        self.operations.append(hub.add(path, self._folder / path))
        self.made.append(path)

    def compact(self, shards: Iterable[HubFile], withdrawn: set[str]) -> None:
        """Many small shards become few, so that a restart reads few."""
        there = list(shards)
        for kind in KINDS:
            paths = to_merge([f for f in there if kind_of(f.path) == kind])
            if len(paths) > 1:
                rows = [row for path in paths for row in self._read(path)]
                self._replace(kind, paths, without_withdrawn(kind, rows, withdrawn))

    def take_out(self, shards: Iterable[HubFile], withdrawn: set[str]) -> None:
        """Every shard that holds something of what was withdrawn is replaced by one that does not."""
        for shard in shards:
            kind = kind_of(shard.path)
            if kind in PERSONAL:
                rows = self._read(shard.path)
                kept = without_withdrawn(kind, rows, withdrawn)
                if len(kept) < len(rows):
                    self._replace(kind, [shard.path], kept)

    def _replace(self, kind: str, paths: list[str], rows: list[Row]) -> None:
        if rows:
            self.add_shard(kind, rows)
        self.operations += [hub.delete(path) for path in paths]
        self.gone += paths


def to_merge(shards: Iterable[HubFile]) -> list[str]:
    """The shards to make one of: from the smallest up, as long as the next is at most twice what is gathered.

    Then at most some twenty are left below FULL_SHARD, and a row is copied at most as often as its shard doubles.
    """
    paths: list[str] = []
    gathered = 0
    for shard in sorted(shards, key=lambda shard: (shard.size, shard.path)):
        if shard.size >= FULL_SHARD or (paths and shard.size > 2 * gathered):
            break
        paths.append(shard.path)
        gathered += shard.size
    return paths
