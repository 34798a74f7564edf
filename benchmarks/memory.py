"""What a process and those it started hold in memory, as Linux tells it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True)
class Memory:
    """In MB. resident: pages in memory, counted in every process; pss: shared pages divided among those who share them."""

    resident: float
    pss: float


def memory_of(pid: int) -> Memory:
    """Of a process and all below it. Raises FileNotFoundError if it has ended."""
    resident = pss = 0
    for process in (pid, *_below(pid)):
        lines = (PROC / str(process) / "smaps_rollup").read_text().splitlines()
        kilobytes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines[1:])}
        resident += kilobytes["Rss"]
        pss += kilobytes["Pss"]
    return Memory(resident / 1000, pss / 1000)


def _below(pid: int) -> Iterator[int]:
    for task in (PROC / str(pid) / "task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            yield child
            yield from _below(child)
