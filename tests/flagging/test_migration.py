"""A data folder of the first version goes on."""

import sqlite3

from flagging.ledger import Ledger
from tests.made import add_fooling, close

# The tables of version 1 that version 2 changed, as they were.
VERSION_1 = """
DROP TABLE votes; DROP TABLE hidings; DROP TABLE uses; DROP TABLE likenesses;
DROP TABLE standings; DROP TABLE scores; DROP TABLE pair_counts; DROP TABLE judging_rule; DROP TABLE round_counts;
CREATE TABLE round_counts (round INTEGER PRIMARY KEY, tries INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0, fooling INTEGER NOT NULL DEFAULT 0, unused INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO round_counts VALUES (1, 3, 3, 3, 0), (2, 2, 2, 2, 2);
ALTER TABLE rounds ADD COLUMN used_seq INTEGER NOT NULL DEFAULT 3;
CREATE INDEX attempts_by_use ON attempts (model_wrong, split, round);
PRAGMA user_version = 1;
"""


def test_a_ledger_of_version_1_keeps_its_drawings_its_rounds_and_what_they_used(home, ledger):
    add_fooling(ledger, 3)
    close(ledger)
    add_fooling(ledger, 2)
    before = ledger.open_round(), ledger.closed_rounds(), list(ledger.attempts())
    ledger.close()
    with sqlite3.connect(home.ledger_path) as db:
        db.executescript(VERSION_1)
    db.close()
    migrated = Ledger(home.ledger_path, b"a key of sixteen or more")
    assert (migrated.open_round(), migrated.closed_rounds(), list(migrated.attempts())) == before
    assert migrated.open_round().ready == 2
    migrated.close()
