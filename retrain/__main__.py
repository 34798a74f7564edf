"""python -m retrain status | run | rollback"""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import print as show
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from flagging.home import Home
from flagging.ledger import Ledger
from model.rehearsal import load_or_rehearse
from retrain.history import describe_round
from retrain.rounds import Report, close_round, roll_back, served_weights
from retrain.settings import FineTuningRecipe, RoundSettings
from retrain.worker import ALREADY_RUNNING, AlreadyRunning, WorkerFiles, WorkerState

app = typer.Typer(help="Rounds: fine-tune, decide, promote.", no_args_is_help=True, add_completion=False)
AsJson = Annotated[bool, typer.Option("--json", help="Figures as JSON.")]
WRITE_EVERY_SECONDS = 0.25


@app.command()
def status(as_json: AsJson = False) -> None:
    """The open round, the served weights and every decision so far."""
    home = Home.from_environment(os.environ)
    settings = RoundSettings.from_environment(os.environ)
    ledger = _ledger(home, settings)
    now, worker = ledger.open_round(), WorkerFiles(home).read()
    rounds = [describe_round(closed) for closed in ledger.closed_rounds()]
    if as_json:
        print(
            json.dumps(
                {
                    "round": now.number,
                    "weights_id": now.weights_id,
                    "promotion": now.promotion,
                    **vars(now.counts),
                    "ready": now.ready,
                    "threshold": settings.fooling_threshold,
                    "training": worker.state == "running",
                    "progress": worker.progress,
                    "rounds": rounds,
                    "served": [vars(promotion) for promotion in ledger.promotions()],
                }
            )
        )
        return
    table = Table("round", "decision", "fooling / attempts", "clean before", "clean after")
    for row in rounds:
        table.add_row(
            str(row["round"]),
            row["decision"],
            f"{row['fooling']} / {row['attempts']}",
            _percent(row["clean_accuracy_before"]),
            _percent(row["clean_accuracy_after"]),
        )
    show(table)
    for row in rounds:
        show(f"round {row['round']} {row['decision']}: {row['reason']}")
    served = Table("promotion", "weights", "since (UTC)", "why")
    for promotion in ledger.promotions():
        served.add_row(str(promotion.number), promotion.weights_id, promotion.created_at[:19], promotion.reason)
    show(served)
    show(f"round {now.number} is open; weights {now.weights_id} are served (promotion {now.promotion})")
    show(f"{now.ready} of {settings.fooling_threshold} new fooling drawings")
    if worker.state != "idle":
        show(f"worker: {worker.state} {worker.stage} {worker.message}".rstrip())


@app.command()
def run(
    now: Annotated[bool, typer.Option("--now", help="Also below the threshold.")] = False, as_json: AsJson = False
) -> None:
    """Close the open round if enough fooling drawings have come in."""
    home, settings = Home.from_environment(os.environ), RoundSettings.from_environment(os.environ)
    ledger = _ledger(home, settings)
    files = WorkerFiles(home)
    with files.held():
        began, _ = served_weights(ledger, home.weights)
        if not now and not settings.is_due(began.ready):
            files.write(WorkerState())
            text = f"{began.ready} of {settings.fooling_threshold} new fooling drawings; nothing to do (--now retrains all the same)"
            print(json.dumps({"decision": None, "reason": text})) if as_json else show(text)
            return
        closed = _run_visibly(home, settings, files, began.number, quiet=as_json)
    if as_json:
        print(json.dumps(closed))
    else:
        show(f"round {closed['round']} {closed['decision']}: {closed['reason']}")
        before, after = _percent(closed["clean_accuracy_before"]), _percent(closed["clean_accuracy_after"])
        show(f"clean accuracy {before} -> {after}, weights {closed['weights_id']}, {closed['seconds']} s")


def _ledger(home: Home, settings: RoundSettings) -> Ledger:
    """Judged as HOODWINK_QUORUM says, if it says; else as the ledger was judged before."""
    ledger = home.open_ledger()
    if os.environ.get("HOODWINK_QUORUM"):
        ledger.use_quorum(settings.quorum)
    return ledger


@app.command()
def rollback(
    weights_id: Annotated[str, typer.Argument(help="Weights that were served before; `status` lists them.")],
    as_json: AsJson = False,
) -> None:
    """Serve earlier weights again."""
    home = Home.from_environment(os.environ)
    closed = roll_back(home.open_ledger(), home.weights, weights_id)
    if as_json:
        print(json.dumps(describe_round(closed)))
    else:
        show(
            f"weights {closed.weights_id} are served again (promotion {closed.promotion}); round {closed.number} is closed"
        )


def _run_visibly(home: Home, settings: RoundSettings, files: WorkerFiles, number: int, quiet: bool) -> dict[str, Any]:
    """Close the round, telling the terminal and the progress file how far it is; failures too."""
    bar = Progress(
        TextColumn("round {task.fields[number]}: {task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        disable=quiet or not sys.stdout.isatty(),
    )
    task = bar.add_task("starting", total=1.0, number=number)
    written = [float("-inf"), ""]

    def report(stage: str, progress: float) -> None:
        bar.update(task, description=stage, completed=progress)
        if stage != written[1] or time.monotonic() - written[0] > WRITE_EVERY_SECONDS:  # type: ignore[operator]
            files.write(WorkerState("running", stage, round(progress, 3), number))
            written[:] = [time.monotonic(), stage]

    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped by a signal"))
    try:
        with bar:
            report("starting", 0.0)
            closed = _close_round(home, settings, report)
    except BaseException as error:
        message = str(error) if isinstance(error, Exception) else "the retraining was stopped"
        files.write(WorkerState("failed", round=number, message=message or type(error).__name__))
        raise
    files.write(WorkerState())
    return closed


def _close_round(home: Home, settings: RoundSettings, report: Report) -> dict[str, Any]:
    folder = os.environ.get("HOODWINK_MNIST_DIR")
    os.nice(10)  # whoever draws comes first
    closed = close_round(
        home.open_ledger(),
        home.weights,
        lambda: load_or_rehearse(Path(folder) if folder else None, home.folder),
        settings,
        FineTuningRecipe(),
        report,
    )
    return describe_round(closed)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f} %"


def main() -> None:
    try:
        app()
    except AlreadyRunning as error:
        print(f"retrain: {error}", file=sys.stderr)
        sys.exit(ALREADY_RUNNING)
    except (RuntimeError, ValueError, OSError) as error:
        raise SystemExit(f"retrain: {error}") from error


if __name__ == "__main__":
    main()
