"""python -m flagging stats | export"""

import json
import os
from pathlib import Path
from typing import Annotated

import typer
from rich import print as show
from rich.table import Table

from flagging.database import LedgerUnavailable
from flagging.home import Home

app = typer.Typer(help="The drawings people made.", no_args_is_help=True, add_completion=False)


@app.command()
def stats(as_json: Annotated[bool, typer.Option("--json", help="Figures as JSON.")] = False) -> None:
    """How many drawings there are, by round."""
    ledger = Home.from_environment(os.environ).open_ledger()
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

    done = export_dataset(Home.from_environment(os.environ).open_ledger(), out)
    if as_json:
        print(json.dumps({"folder": str(done.folder), "rows": done.rows}))
        return
    for config, splits in done.rows.items():
        show(f"{config}: {splits['train']} train, {splits['test']} test")
    show(f'written to {done.folder}; load it with datasets.load_dataset("{done.folder}")')


def main() -> None:
    try:
        app()
    except (ValueError, OSError, LedgerUnavailable) as error:
        raise SystemExit(f"flagging: {error}") from error


if __name__ == "__main__":
    main()
