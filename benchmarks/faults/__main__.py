"""Break the app in every way we know of while people play, and check after each fault that nothing is lost.

`python -m benchmarks.faults` starts `python app.py` on a data folder of its own. Players draw real pen digits through the
page's own server functions; rounds train and close all the while, on fewer digits and in fewer steps than usual, so that
hundreds do. After every fault: each acknowledged attempt is in the ledger once and as acknowledged, none that nobody sent,
SQLite finds its file sound, the running totals equal a recount, every server serves the newest promotion and its file is
complete, rounds and promotions are numbered without gaps; every now and then, and at the end, the open round still closes.
Needs Linux. Where a small disk may be mounted (as root) the disk is really full, elsewhere files may not grow.
"""

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

import httpx
import typer

from benchmarks.faults.kinds import KINDS, STAGES, Kind
from benchmarks.faults.session import DidNotCome, Session
from benchmarks.results import Row, Section, show
from benchmarks.server import REPOSITORY

FAULTS, SHORT = 500, 50
A_FOLDER = 100  # faults on one data folder; then a fresh one, so that checks stay quick
CLOSE_EVERY = 20  # faults, after which the open round must close


@dataclass
class Found:
    """What became of one kind of fault."""

    faults: int = 0
    checks: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass
class Result:
    seed: int
    kinds: dict[str, Found]
    stages: Counter[str] = field(default_factory=Counter)
    attempts: int = 0
    refused: int = 0
    answers_lost: int = 0
    rounds: Counter[str] = field(default_factory=Counter)  # by decision
    sentences: Counter[str] = field(default_factory=Counter)
    closings: Found = field(default_factory=Found)
    seconds: float = 0.0
    disk: str = ""
    how: str = ""  # on which data folders, with which seeds
    told: set[str] = field(default_factory=set)  # problems that were printed

    @property
    def problems(self) -> list[str]:
        return [problem for found in (*self.kinds.values(), self.closings) for problem in found.problems]


def run(faults: int, seed: int, kinds: Sequence[Kind] = KINDS, pause_seconds: float = 0.6) -> Result:
    began, chance = time.monotonic(), random.Random(seed)
    order = shared_out(faults, kinds)
    chance.shuffle(order)
    result = Result(seed, {kind.name: Found() for kind in kinds})
    for first in range(0, len(order), A_FOLDER):
        with Session(chance, pause_seconds=pause_seconds) as session:
            result.disk = "tmpfs" if session.is_small_disk else "a limit on the size of files"
            try:
                for number, kind in enumerate(order[first : first + A_FOLDER], start=first + 1):
                    make(session, kind, result.kinds[kind.name])
                    if number % CLOSE_EVERY == 0 or number == len(order):
                        close(session, result.closings)
                    say(number, len(order), kind, result, began)
                    if not session.apps:
                        break  # it does not start any more: that was said
            finally:
                _sum_up(session, result)
    result.seconds = round(time.monotonic() - began, 1)
    return result


def shared_out(faults: int, kinds: Sequence[Kind]) -> list[Kind]:
    """So many faults, of each kind by its share and at least one where there are enough."""
    counts = dict.fromkeys(kinds, 0)
    for _ in range(faults):
        counts[min(kinds, key=lambda kind: (counts[kind] > 0, counts[kind] / kind.share))] += 1
    return [kind for kind, count in counts.items() for _ in range(count)]


def make(session: Session, kind: Kind, found: Found) -> None:
    """One fault, and the check after it."""
    found.faults += 1
    try:
        kind.make(session)
    except (DidNotCome, OSError, httpx.HTTPError) as error:
        found.problems.append(f"{kind.name}: {error}")
    if not session.apps:
        try:
            session.start()
        except DidNotCome as error:
            found.problems.append(f"{kind.name}: {error}")
    found.problems += [f"{kind.name}: {problem}" for problem in session.problems()]
    found.checks += 1


def close(session: Session, found: Found) -> None:
    found.checks += 1
    try:
        session.close_a_round()
    except (DidNotCome, OSError) as error:
        status = session.status(session.apps[0]) if session.apps else {}
        found.problems.append(f"{error}; the status: {status.get('problem') or status}")
    found.problems += session.problems()


def say(number: int, of: int, kind: Kind, result: Result, began: float) -> None:
    problems = result.problems
    print(f"{number} of {of}, {time.monotonic() - began:.0f} s, {len(problems)} problems; {kind.name}", file=sys.stderr)
    for problem in problems:
        if problem not in result.told:
            print(f"  {problem}", file=sys.stderr)
            result.told.add(problem)
    sys.stderr.flush()


def run_at_once(faults: int, seed: int, at_once: int) -> Result:
    """A process for each data folder, so many at a time; seeds follow each other. Each kind's share is that of its folder."""
    folders = max(at_once, -(-faults // A_FOLDER))
    shares = [faults // folders + (number < faults % folders) for number in range(folders)]

    def one(number: int) -> Result:
        command = [sys.executable, "-m", "benchmarks.faults", "--at-once", "1"]
        chosen = ["--faults", str(shares[number]), "--seed", str(seed + number)]
        done = subprocess.run(
            [*command, *chosen, "--json"], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=False
        )
        if not done.stdout.strip().startswith("{"):
            raise SystemExit(f"the faults with seed {seed + number} ended with {done.returncode} and no figures")
        return from_figures(json.loads(done.stdout)["figures"])

    began = time.monotonic()
    with ThreadPoolExecutor(at_once) as pool:
        result = joined(list(pool.map(one, range(folders))))
    result.how = f"{folders} data folders with the seeds {seed} to {seed + folders - 1}, {at_once} at a time"
    result.seconds = round(time.monotonic() - began, 1)
    return result


def from_figures(figures: dict[str, Any]) -> Result:
    """What a run wrote as figures, as its result again."""
    return Result(
        figures["seed"],
        {name: Found(**found) for name, found in figures["kinds"].items()},
        Counter(figures["stages"]),
        figures["attempts_acknowledged"],
        figures["attempts_refused"],
        figures["answers_lost"],
        Counter(figures["rounds"]),
        Counter(figures["sentences"]),
        Found(**figures["closings"]),
        figures["seconds"],
        figures["disk"],
    )


def joined(results: Sequence[Result]) -> Result:
    """Runs on several data folders as one; seconds are those of the longest."""

    def sum_of(found: Iterable[Found]) -> Found:
        each = list(found)
        problems = [problem for one in each for problem in one.problems]
        return Found(sum(one.faults for one in each), sum(one.checks for one in each), problems)

    first = results[0]
    return Result(
        first.seed,
        {name: sum_of(one.kinds[name] for one in results) for name in first.kinds},
        sum((one.stages for one in results), Counter()),
        sum(one.attempts for one in results),
        sum(one.refused for one in results),
        sum(one.answers_lost for one in results),
        sum((one.rounds for one in results), Counter()),
        sum((one.sentences for one in results), Counter()),
        sum_of(one.closings for one in results),
        max(one.seconds for one in results),
        first.disk,
    )


def _sum_up(session: Session, result: Result) -> None:
    result.stages += session.stages
    result.attempts += len(session.book.told)
    result.refused += len(session.book.refused)
    result.answers_lost += session.book.lost_answers
    result.sentences += session.book.sentences
    result.rounds += Counter(decision for _, decision, _ in session.decisions())


def as_section(result: Result) -> Section:
    rows = [_row(name, found) for name, found in result.kinds.items() if found.faults]
    faults = sum(found.faults for found in result.kinds.values())
    closed = sum(result.rounds.values())
    rows.append(_row("the open round closes", result.closings))
    asked = [stage for stage in STAGES if result.kinds.get(f"worker killed at: {stage}", Found()).faults]
    if asked:
        hit = [stage for stage in asked if result.stages[stage]]
        rows.append(
            Row(
                "stages a worker was killed at",
                f"{len(hit)} of {len(asked)}",
                wanted="all",
                reached=hit == asked,
                timed=False,
            )
        )
    rows.append(Row("all problems", str(len(result.problems)), wanted="0", reached=not result.problems, timed=False))
    conditions = [
        f"{faults} faults, {result.how or f'seed {result.seed}'}, {result.seconds:.0f} s; 3 players, threshold 6, rounds of 40 steps on a tenth of MNIST.",
        f"{result.attempts} attempts acknowledged, {result.refused} refused with a sentence, {result.answers_lost} answers lost.",
        f"{closed} rounds closed: {', '.join(f'{count} {decision}' for decision, count in result.rounds.items())}.",
        f"The full disk: {result.disk}.",
        *result.problems,
    ]
    return Section("Faults", conditions, rows, _figures(result))


def _row(name: str, found: Found) -> Row:
    said = f"{found.faults} faults, " if found.faults else ""
    return Row(
        name,
        f"{said}{found.checks} checks, {len(found.problems)} problems",
        wanted="0 problems",
        reached=not found.problems,
        timed=False,
    )


def _figures(result: Result) -> dict[str, Any]:
    return {
        "seed": result.seed,
        "seconds": result.seconds,
        "disk": result.disk,
        "kinds": {name: asdict(found) for name, found in result.kinds.items()},
        "closings": asdict(result.closings),
        "stages": dict(result.stages),
        "attempts_acknowledged": result.attempts,
        "attempts_refused": result.refused,
        "answers_lost": result.answers_lost,
        "rounds": dict(result.rounds),
        "sentences": dict(result.sentences.most_common(20)),
        "problems": result.problems,
    }


def main(
    faults: Annotated[int, typer.Option(help="How many.", min=1)] = FAULTS,
    seed: Annotated[int, typer.Option(help="Of kinds, moments and drawings.")] = 1,
    short: Annotated[bool, typer.Option("--short", help=f"{SHORT} faults of all kinds.")] = False,
    at_once: Annotated[
        int, typer.Option(help="Data folders played on at the same time, each with a seed of its own.")
    ] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Figures as JSON.")] = False,
) -> None:
    """Break the app while people play, and check after each fault that nothing is lost."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped by a signal"))  # not without ending what runs
    count = SHORT if short else faults
    at_once = 2 if short else min(at_once, -(-count // A_FOLDER))  # other short forms run beside it
    section = as_section(run(count, seed) if at_once == 1 else run_at_once(count, seed, at_once))
    if as_json:
        print(json.dumps(asdict(section)))
    else:
        show(section)
    if section.missed:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
