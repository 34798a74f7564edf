"""Data folders of earlier versions go on. The ledgers were written by these versions, and dumped."""

import sqlite3
from pathlib import Path

import pytest

from flagging.database import LedgerUnavailable
from flagging.decisions import RoundCounts
from flagging.ledger import Ledger
from flagging.outbox import KINDS
from tests.made import add_fooling

LEDGERS = Path(__file__).parent / "ledgers"
KEY = b"a key of sixteen or more"


def open_version(version: int, folder: Path) -> Ledger:
    path = folder / "ledger.sqlite"
    with sqlite3.connect(path) as db:
        db.executescript((LEDGERS / f"version-{version}.sql").read_text())
    db.close()
    return Ledger(path, KEY)


def test_a_ledger_of_version_1_keeps_its_drawings_its_rounds_and_what_they_used(tmp_path):
    ledger = open_version(1, tmp_path)
    now, (closed,) = ledger.open_round(), ledger.closed_rounds()
    assert (now.number, now.counts, now.ready) == (2, RoundCounts(2, 1, 1, 0, 1), 1)
    assert (closed.decision, closed.weights_id, closed.counts.fooling) == ("promoted", "feedfeedfeedfeed", 3)
    assert ledger.used() == {a.attempt_id: 1 for a in ledger.attempts() if a.round == 1}
    ledger.close()


def test_a_ledger_of_version_2_keeps_its_votes_and_marks_too(tmp_path):
    ledger = open_version(2, tmp_path)
    now = ledger.open_round()
    assert (now.number, now.counts, now.ready, now.usable, now.quorum) == (2, RoundCounts(2, 1, 1, 0, 1), 0, 2, 2)
    drawings = list(ledger.attempts())
    # One was hidden and shown again, one was hidden for good, one was retracted.
    assert [a.state for a in drawings] == ["verified", "verified", "pending"]
    assert len(ledger.used()) == 3
    ledger.close()


@pytest.mark.parametrize("version", [1, 2])
def test_a_migrated_ledger_takes_drawings_publishes_all_and_counts_right(version, tmp_path):
    ledger = open_version(version, tmp_path)
    add_fooling(ledger, 2, "bea")
    before = ledger.open_round(), ledger.totals()
    ledger.recount()
    assert (ledger.open_round(), ledger.totals()) == before
    ledger.outbox().use("ann/drawings")
    rows = ledger.outbox().take(1000, KINDS).rows
    assert {kind: len(of_kind) for kind, of_kind in rows.items() if kind not in ("votes", "hidings")} == {
        "tries": 7,
        "attempts": 7,
        "retractions": 1,
        "promotions": 2,
        "rounds": 1,
    }
    ledger.close()


def test_a_ledger_of_a_newer_hoodwink_is_left_alone(tmp_path):
    open_version(2, tmp_path).close()
    with sqlite3.connect(tmp_path / "ledger.sqlite") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(LedgerUnavailable, match="newer Hoodwink"):
        Ledger(tmp_path / "ledger.sqlite", KEY)
