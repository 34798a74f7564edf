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
            if paths:
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
    """The shards to make one of: from a small one up, as long as the next is at most twice what is gathered.

    Where there is nothing to merge each is more than twice the next smaller one: some twenty below FULL_SHARD at most. And
    a row is copied only as often as what it lies in grows by half or more.
    """
    small = sorted((s for s in shards if s.size < FULL_SHARD), key=lambda shard: (shard.size, shard.path))
    for first in range(len(small)):
        gathered, last = small[first].size, first + 1
        while last < len(small) and small[last].size <= 2 * gathered:
            gathered += small[last].size
            last += 1
        if last > first + 1:
            return [shard.path for shard in small[first:last]]
    return []
