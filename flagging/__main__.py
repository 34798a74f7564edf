"""python -m flagging stats | export | push | pull | withdraw"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich import print as show
from rich.progress import Progress
from rich.table import Table

from flagging.attempts import Refused
from flagging.home import Home
from flagging.ledger import Ledger
from flagging.publisher import Publisher
from flagging.settings import HubSettings

app = typer.Typer(help="The drawings people made.", no_args_is_help=True, add_completion=False)


@app.command()
def stats(as_json: Annotated[bool, typer.Option("--json", help="Figures as JSON.")] = False) -> None:
    """How many drawings there are, by round."""
    ledger = _ledger()
    now, totals = ledger.open_round(), ledger.totals()
    rounds = [
        {"round": r.number, "decision": r.decision, "weights_id": r.weights_id, **vars(r.counts)}
        for r in ledger.closed_rounds()
    ]
    rounds.append({"round": now.number, "decision": None, "weights_id": now.weights_id, **vars(now.counts)})
    if as_json:
        print(json.dumps({**vars(totals), "ready": now.ready, "quorum": now.quorum, "rounds": rounds}))
        return
    table = Table("round", "decision", "weights", "tries", "attempts", "fooling", "verified", "pending")
    for row in rounds:
        table.add_row(*(str(value if value is not None else "open") for value in row.values()))
    show(table)
    judged = f"; {totals.verified} verified, {totals.pending} pending" if now.quorum else ""
    show(f"{totals.attempts} attempts, {totals.fooling} of them fooling, from {totals.tries} tries{judged}")


@app.command()
def export(
    out: Annotated[Path, typer.Option(help="Folder to write; replaced if it is an earlier export.")] = Path("export"),
    as_json: Annotated[bool, typer.Option("--json", help="Figures as JSON.")] = False,
) -> None:
    """Write the dataset; `datasets.load_dataset` reads the folder."""
    from flagging.dataset import export as export_dataset

    done = export_dataset(_ledger(), out)
    if as_json:
        print(json.dumps({"folder": str(done.folder), "rows": done.rows}))
        return
    for config, splits in done.rows.items():
        show(f"{config}: {splits['train']} train, {splits['test']} test")
    show(f'written to {done.folder}; load it with datasets.load_dataset("{done.folder}")')


@app.command()
def push(as_json: Annotated[bool, typer.Option("--json", help="Figures as JSON.")] = False) -> None:
    """Publish to the Hub what is not there yet; what is there and not here comes in first."""
    ledger = _ledger()
    with _publisher(ledger, shown=not as_json) as publisher:
        before = ledger.outbox().waiting().rows
        publisher.publish()
    _tell(ledger, publisher, as_json, f"{before} rows were waiting")


@app.command()
def pull(as_json: Annotated[bool, typer.Option("--json", help="Figures as JSON.")] = False) -> None:
    """Take in what is on the Hub; into an empty folder, all of it."""
    ledger = _ledger(create=True)
    with _publisher(ledger, shown=not as_json) as publisher:
        publisher.restore()
    _tell(ledger, publisher, as_json, f"{ledger.totals().attempts} attempts, round {ledger.open_round().number}")


@app.command()
def withdraw(
    attempt: Annotated[list[str] | None, typer.Option(help="Id of a drawing; may be given several times.")] = None,
    annotator: Annotated[
        str | None, typer.Option(help="Everything of this annotator, by the hash in their rows.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Figures as JSON.")] = False,
) -> None:
    """Really delete drawings, here and on the Hub, its history included. Weights trained on them remain."""
    if (attempt is None) == (annotator is None):
        raise Refused("name drawings by --attempt, or an annotator by --annotator, not both")
    ledger = _ledger()
    whose = [(annotator, None)] if annotator else [(ledger.find(one).annotator, [one]) for one in attempt or []]
    what = f"all drawings of annotator {annotator}" if annotator else f"{len(whose)} drawings"
    if not yes:
        typer.confirm(f"Delete {what} for good?", abort=True)
    deleted = sum(ledger.withdraw(name, ids) for name, ids in whose)
    if not deleted:
        raise Refused(f"annotator {annotator} has no drawings here; rows name annotators by 24 hex digits")
    elsewhere = ledger.outbox().repository()
    if HubSettings.from_environment(os.environ):
        with _publisher(ledger, shown=not as_json) as publisher:
            publisher.publish()
        _tell(ledger, publisher, as_json, f"{deleted} drawings deleted, here and there", deleted=deleted)
        return
    still = (
        f"; {elsewhere} holds them still: set HOODWINK_HUB_DATASET and run `python -m flagging push`"
        if elsewhere
        else ""
    )
    if as_json:
        print(json.dumps({"deleted": deleted, "still_on_hub": elsewhere}))
    else:
        show(f"{deleted} drawings deleted{still}")


def _ledger(*, create: bool = False) -> Ledger:
    """Judged as HOODWINK_QUORUM says, if it says; else as the ledger was judged before."""
    ledger = Home.from_environment(os.environ).open_ledger(create=create)
    quorum = os.environ.get("HOODWINK_QUORUM", "")
    if quorum:
        if not quorum.isdecimal():
            raise ValueError(f"HOODWINK_QUORUM is {quorum!r}; use a whole number, 0 or more")
        ledger.use_quorum(int(quorum))
    return ledger


@contextmanager
def _publisher(ledger: Ledger, *, shown: bool) -> Iterator[Publisher]:
    """Raises Refused if no repository is set."""
    settings = HubSettings.from_environment(os.environ)
    if settings is None:
        raise Refused("no repository is set; set HOODWINK_HUB_DATASET to USER/NAME")
    with Progress(transient=True, disable=not shown) as progress:
        task = progress.add_task(f"[bold]{settings.dataset}", total=None)
        report = lambda done, of: progress.update(task, completed=done, total=of)  # noqa: E731
        yield Publisher(ledger, Home.from_environment(os.environ), settings, report=report)


def _tell(ledger: Ledger, publisher: Publisher, as_json: bool, what: str, **figures: int) -> None:
    state, now = publisher.state, ledger.open_round()
    if as_json:
        print(json.dumps({**vars(state), **figures, "attempts": ledger.totals().attempts, "round": now.number}))
        return
    left = f"{state.unpublished} rows are not on the Hub yet" if state.unpublished else "everything is on the Hub"
    show(f"{state.repository}: {what}; {left}")


def main() -> None:
    try:
        app()
    except (ValueError, OSError, RuntimeError) as error:  # LedgerUnavailable and HubUnavailable too
        raise SystemExit(f"flagging: {error}") from error


if __name__ == "__main__":
    main()
