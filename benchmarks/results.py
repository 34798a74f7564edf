"""What a benchmark found, in the form that docs/benchmarks.md is written from."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Row:
    """One figure. peer: what the same run measured of somebody else's way; wanted: what was asked of ours.

    reached: None where nothing was asked. timed: a matter of speed, which a short run on a busy machine does not decide.
    """

    what: str
    ours: str
    peer: str = ""
    ratio: str = ""
    wanted: str = ""
    reached: bool | None = None
    timed: bool = True


@dataclass(frozen=True)
class Section:
    """What one benchmark measured. conditions: n, load, threads, whatever the figures hold for; a sentence each."""

    title: str
    conditions: list[str]
    rows: list[Row]
    figures: dict[str, Any] = field(default_factory=dict)  # raw, for docs/benchmarks.json

    @property
    def missed(self) -> list[Row]:
        return [row for row in self.rows if row.reached is False]

    @property
    def broken(self) -> list[Row]:
        """What was missed and is no matter of speed."""
        return [row for row in self.missed if not row.timed]


def command(measure: Callable[[bool], Section]) -> Callable[[bool, bool], None]:
    """The command line of a benchmark: `--short` for CI's form, `--json` for what docs/benchmarks.md is written from.

    Ends with 1 if something that was asked was not reached; in the short form, if that is no matter of speed.
    """

    def run(
        short: Annotated[bool, typer.Option("--short", help="A short form: does it run, and roughly so.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Figures as JSON.")] = False,
    ) -> None:
        section = measure(short)
        if as_json:
            print(json.dumps(asdict(section)))
        else:
            show(section)
        if section.broken if short else section.missed:
            raise typer.Exit(1)

    run.__doc__ = measure.__doc__
    return run


def show(section: Section) -> None:
    table = Table("", "Hoodwink", "peer", "ratio", "asked", "reached", title=section.title)
    for row in section.rows:
        reached = {None: "", True: "yes", False: "NO"}[row.reached]
        table.add_row(row.what, row.ours, row.peer, row.ratio, row.wanted, reached)
    console = Console()
    console.print(table)
    for sentence in section.conditions:
        console.print(sentence, highlight=False)
