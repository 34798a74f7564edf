-- The ledger: rows are only added. State (served, open round, ready) is a query over them.
-- round_counts is the one cache: running totals kept in the inserting transaction, rebuilt by Ledger.recount.

CREATE TABLE tries (
    try_id      TEXT PRIMARY KEY,
    annotator   TEXT NOT NULL,
    promotion   INTEGER NOT NULL,  -- that answered first
    round       INTEGER NOT NULL,
    created_at  TEXT NOT NULL
) STRICT;

CREATE TABLE attempts (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    attempt_id      TEXT NOT NULL UNIQUE,
    try_id          TEXT NOT NULL UNIQUE REFERENCES tries,  -- a try is submitted at most once
    strokes         TEXT NOT NULL,
    image           BLOB NOT NULL,
    label           INTEGER NOT NULL CHECK (label BETWEEN 0 AND 9),
    prediction      INTEGER NOT NULL CHECK (prediction BETWEEN 0 AND 9),
    probabilities   TEXT NOT NULL,
    model_wrong     INTEGER NOT NULL CHECK (model_wrong = (prediction <> label)),
    promotion       INTEGER NOT NULL,
    weights_id      TEXT NOT NULL,
    round           INTEGER NOT NULL,
    annotator       TEXT NOT NULL,
    split           TEXT NOT NULL CHECK (split IN ('train', 'test')),
    raster_version  INTEGER NOT NULL,
    created_at      TEXT NOT NULL
) STRICT;
CREATE INDEX attempts_by_use ON attempts (model_wrong, split, round);
CREATE INDEX attempts_by_annotator ON attempts (annotator);
CREATE INDEX tries_by_annotator ON tries (annotator);

CREATE TABLE retractions (
    attempt_id  TEXT PRIMARY KEY REFERENCES attempts (attempt_id),
    created_at  TEXT NOT NULL
) STRICT;

CREATE TABLE promotions (
    number      INTEGER PRIMARY KEY,
    weights_id  TEXT NOT NULL,
    reason      TEXT NOT NULL,
    created_at  TEXT NOT NULL
) STRICT;

CREATE TABLE rounds (
    number        INTEGER PRIMARY KEY,
    decision      TEXT NOT NULL CHECK (decision IN ('promoted', 'refused', 'rolled back')),
    reason        TEXT NOT NULL,
    weights_id    TEXT NOT NULL,     -- the candidate, or the weights rolled back to
    promotion     INTEGER NOT NULL,  -- serving from this decision on
    used_seq      INTEGER NOT NULL,  -- newest attempt the ledger held when this decision's training began
    figures       TEXT NOT NULL,     -- JSON: scores before and after, counts, seconds
    test_set      TEXT NOT NULL,     -- JSON: attempt ids of the round's held-out fooling drawings, frozen
    closed_at     TEXT NOT NULL
) STRICT;

CREATE TABLE round_counts (
    round     INTEGER PRIMARY KEY,
    tries     INTEGER NOT NULL DEFAULT 0,
    attempts  INTEGER NOT NULL DEFAULT 0,
    fooling   INTEGER NOT NULL DEFAULT 0,
    unused    INTEGER NOT NULL DEFAULT 0  -- fooling attempts the last decision had not used
) STRICT;
