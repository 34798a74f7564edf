"""The faults, one function each. After it the app runs, and whatever was broken is whole again."""

import contextlib
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from benchmarks.faults.checks import check_ledger, check_served
from benchmarks.faults.players import Book
from benchmarks.faults.session import HANGS_AFTER_SECONDS, LITTLE_BYTES, DidNotCome, Session
from benchmarks.server import REPOSITORY

# As retrain.json names them, and two that it does not: see Session.wait_for_stage.
STAGES = ("loading", "starting", "gathering drawings", "fine-tuning", "scoring", "written", "deciding")
LOCKED_SECONDS = 10.0
LOCKED_TOO_LONG_SECONDS = 18.0  # longer than the app waits


def kill_server(session: Session) -> None:
    with session.rush():
        time.sleep(session.chance.uniform(0.5, 1.5))
        session.kill(session.apps[0])
    session.start()


def kill_starting_server(session: Session) -> None:
    session.kill(session.apps[0])
    app = session.begin()
    time.sleep(session.chance.uniform(0.1, 4))
    session.kill(app)
    session.start()


def kill_first_start(session: Session) -> None:
    """On a data folder of its own, which is made just then; the next start finds whatever was left."""
    folder = session.disk / "first"
    app = session.begin(folder)
    time.sleep(session.chance.uniform(0.5, 4))
    app.kill()
    app = session.begin(folder)
    try:
        found = check_served(folder, session.status(app.wait()))
        found += check_ledger(folder / "ledger.sqlite", {}, (), Book())
    except RuntimeError as error:
        found = [str(error)]
    app.kill()
    shutil.rmtree(folder)
    if found:
        raise DidNotCome(f"after a first start was killed: {found}")


def kill_worker_at(stage: str) -> Callable[[Session], None]:
    def kill_worker(session: Session) -> None:
        for _ in range(10):
            pid = session.wait_for_stage(stage)
            known = {weights_id for *_, weights_id in session.decisions()}
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                session.until(lambda pid=pid: pid not in session.workers(), "the killed worker is gone")  # type: ignore[misc]
                undecided = {weights_id for *_, weights_id in session.decisions()} == known
                if undecided or stage not in ("written", "deciding"):
                    session.stages[stage] += 1
                    return
        raise DidNotCome(f"ten workers were through {stage!r} before they could be killed")

    return kill_worker


def kill_both(session: Session) -> None:
    if session.chance.random() < 0.5:
        with contextlib.suppress(DidNotCome):
            session.wait_for_stage(session.chance.choice(STAGES), 8)
    with session.rush():
        time.sleep(session.chance.uniform(0, 1))
        for pid in session.workers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        session.kill(session.apps[0])
    session.start()


def full_while_submitting(session: Session) -> None:
    session.empty_log()
    refused = len(session.book.refused) + 2
    use_disk = session.is_small_disk and session.chance.random() < 0.7
    with session.full_disk() if use_disk else session.no_growing(session.pid(session.apps[0])):
        session.until(lambda: len(session.book.refused) >= refused, "a full disk refused two attempts")
    session.play(3)


def full_while_writing_weights(session: Session) -> None:
    before = {weights_id for *_, weights_id in session.decisions()}
    pid = session.wait_for_stage("fine-tuning")
    with session.no_growing(pid):
        session.until(lambda: pid not in session.workers(), "a worker without room ended", 60)
    if {weights_id for *_, weights_id in session.decisions()} == before:
        told = session.files.read().message
        session.until(lambda: session.files.is_held() or "too large" in session.files.read().message, told or "it told")
    session.play(3)


def full_while_a_round_trains(session: Session) -> None:
    """Everything is full: progress cannot be told, nor the decision recorded."""
    if not session.is_small_disk:
        return full_while_writing_weights(session)
    session.wait_for_stage("scoring")
    with session.full_disk():
        session.until(lambda: not session.workers(), "a worker without room ended", 60)
    return session.play(3)


def full_while_exporting(session: Session) -> None:
    """The earlier export stays as it is, and the next one works."""
    out = session.disk / "export"
    _export(session, out)
    before = _content(out)
    use_disk = session.is_small_disk and session.chance.random() < 0.7
    with session.full_disk() if use_disk else contextlib.nullcontext():
        done = _export_once(session, out, limited=not use_disk)
    if done.returncode != 1 or "Traceback" in done.stderr or not done.stderr.startswith("flagging: "):
        raise DidNotCome(f"an export without room ended with {done.returncode} and said {done.stderr[-300:]!r}")
    if _content(out) != before:
        raise DidNotCome("an export without room changed the earlier export")
    left = [path.name for path in session.disk.iterdir() if path.name.startswith(".export")]
    if left:
        raise DidNotCome(f"an export without room left {left}")
    _export(session, out)


def _export(session: Session, out: Path) -> None:
    done = _export_once(session, out)
    if done.returncode:
        raise DidNotCome(f"an export with room ended with {done.returncode} and said {done.stderr[-300:]!r}")


def _export_once(session: Session, out: Path, *, limited: bool = False) -> subprocess.CompletedProcess[str]:
    session.until(lambda: session.book.told, "there was something to export")
    command = [sys.executable, "-m", "flagging", "export", "--out", str(out), "--json"]
    environment = {**session.apps[0].environment, "PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    if limited:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (LITTLE_BYTES, resource.RLIM_INFINITY))
    output, errors = process.communicate(timeout=120)
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


def _content(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def damage_served_then_start(session: Session) -> None:
    session.keep_copies()
    session.kill(session.apps[0])
    with _no_worker(session):
        session.damage(session.promotions()[-1])
    session.start()
    session.play(2)


def damage_served_while_it_runs(session: Session) -> None:
    """The server has them in memory; the next retraining finds the file damaged, and rounds go on."""
    with _no_worker(session):
        session.keep_copies()
        session.damage(session.promotions()[-1])
    session.close_a_round()


def damage_earlier_then_go_back(session: Session) -> None:
    """Going back to damaged weights is refused with a sentence, and records nothing."""
    session.keep_copies()
    earlier = sorted(set(session.promotions()) - {session.promotions()[-1]})
    if not earlier:  # nothing was promoted yet
        return damage_served_then_start(session)
    chosen = session.chance.choice(earlier)
    session.damage(chosen)
    if chosen == session.promotions()[-1]:
        return session.mend()  # served again meanwhile
    before = session.promotions().count(chosen)
    was_done, said = session.maintain("rollback", chosen)
    if was_done and session.is_whole(chosen):
        return None  # the shipped ones, which a retraining that began meanwhile has mended
    if was_done or chosen not in said or session.promotions().count(chosen) != before:
        raise DidNotCome(f"going back to damaged weights {chosen} was not refused; it said {said!r}")
    session.mend()
    session.play(1)
    return None


def damage_newest_candidate(session: Session) -> None:
    """Just decided, and the server may not have it yet."""
    made = session.decisions()
    session.until(lambda: len(session.decisions()) > len(made), "a round was closed", 90, 0.005)
    *_, (_, _, weights_id) = session.decisions()
    session.damage(weights_id)
    session.play(3)
    session.until(lambda: session.status(session.apps[0])["promotion"] == len(session.promotions()) - 1, "it is served")
    session.kill(session.apps[0])
    session.start()


@contextlib.contextmanager
def _no_worker(session: Session):  # type: ignore[no-untyped-def]
    """Hold every worker still, so that what is served does not change in between."""
    stopped = session.workers()
    for pid in stopped:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def lock_ledger(session: Session) -> None:
    seconds = LOCKED_TOO_LONG_SECONDS if session.chance.random() < 0.25 else LOCKED_SECONDS
    how = session.chance.choice(("IMMEDIATE", "EXCLUSIVE"))
    with closing(sqlite3.connect(session.home.ledger_path, timeout=30, isolation_level=None)) as db:
        db.execute(f"BEGIN {how}")
        time.sleep(seconds)
        db.execute("ROLLBACK")
    session.play(3)


def turn_clock(session: Session) -> None:
    _turn(session, session.chance.choice((-86400, -3600, 3600, 86400)))
    if session.chance.random() < 0.5:
        _turn(session, 0)


def turn_clock_as_a_round_closes(session: Session) -> None:
    session.wait_for_stage("fine-tuning")
    _turn(session, session.chance.choice((-86400, -3600)))
    session.close_a_round()
    _turn(session, 0)


def _turn(session: Session, offset: int) -> None:
    beside = session.home.folder / ".clock"
    beside.write_text(str(offset))
    beside.replace(session.home.folder / "clock")
    time.sleep(0.1)  # what is being recorded just now has its time
    session.play(3)
    *_, newest = session.book.told.values()
    with closing(sqlite3.connect(session.home.ledger_path, timeout=30)) as db:
        told = db.execute("SELECT created_at FROM attempts WHERE attempt_id = ?", (newest.attempt_id,)).fetchone()[0]
    off = datetime.fromisoformat(told) - datetime.now(UTC) - timedelta(seconds=offset)
    if abs(off) > timedelta(seconds=60):
        raise DidNotCome(f"the ledger's clock was not turned: it said {told}")


def two_servers(session: Session) -> None:
    session.start()
    session.play(4)
    earlier = [weights_id for weights_id in session.promotions() if weights_id != session.promotions()[-1]]
    if earlier and session.chance.random() < 0.5:
        session.maintain("rollback", session.chance.choice(earlier))
    else:
        session.close_a_round()

    def agree() -> bool:
        said = {(s["promotion"], s["weights_id"]) for s in map(session.status, session.apps)}
        return len(said) == 1

    session.until(agree, "both servers serve the same promotion")
    session.until(lambda: len(session.workers()) <= 1, "one worker is left", 30)
    session.kill(session.chance.choice(session.apps))


def hang_worker(session: Session) -> None:
    _hang(session)


def hang_worker_whose_server_is_killed(session: Session) -> None:
    _hang(session, restarted=True)


def _hang(session: Session, *, restarted: bool = False) -> None:
    stage = session.chance.choice(("gathering drawings", "fine-tuning", "scoring"))
    pid = session.wait_for_stage(stage)
    os.kill(pid, signal.SIGSTOP)
    if restarted:
        session.kill(session.apps[0])
        session.start()
    session.until(lambda: pid not in session.workers(), "a hung worker was ended", HANGS_AFTER_SECONDS + 30)
    # Unless the next one is at work already: then that is what the page tells of.
    session.until(lambda: "no progress" in session.files.read().message or session.files.is_held(), "it was said why")


@dataclass(frozen=True)
class Kind:
    """share: of all faults, against the shares of the other kinds."""

    name: str
    make: Callable[[Session], None]
    share: float


KINDS = (
    Kind("server killed", kill_server, 14),
    Kind("server killed while it starts", kill_starting_server, 6),
    Kind("server killed at its first start", kill_first_start, 2),
    *(Kind(f"worker killed at: {stage}", kill_worker_at(stage), 3) for stage in STAGES),
    Kind("server and worker killed", kill_both, 6),
    Kind("disk full while people submit", full_while_submitting, 8),
    Kind("disk full while weights are written", full_while_writing_weights, 3),
    Kind("disk full while a round trains", full_while_a_round_trains, 2),
    Kind("disk full while the dataset is exported", full_while_exporting, 4),
    Kind("served weights damaged, then a start", damage_served_then_start, 5),
    Kind("served weights damaged while they serve", damage_served_while_it_runs, 3),
    Kind("earlier weights damaged, then asked for", damage_earlier_then_go_back, 8),
    Kind("newest candidate damaged", damage_newest_candidate, 4),
    Kind("ledger locked by another process", lock_ledger, 3),
    Kind("clock turned back or forward", turn_clock, 10),
    Kind("clock turned back as a round closes", turn_clock_as_a_round_closes, 2),
    Kind("two servers on one data folder", two_servers, 3),
    Kind("worker hangs", hang_worker, 2),
    Kind("worker hangs, its server is killed", hang_worker_whose_server_is_killed, 2),
)
