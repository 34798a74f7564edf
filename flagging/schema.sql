-- The ledger: rows are only added. State (served, open round, verified, ready) is a query over them.

CREATE TABLE IF NOT EXISTS tries (
    try_id      TEXT PRIMARY KEY,
    annotator   TEXT NOT NULL,
    promotion   INTEGER NOT NULL,  -- that answered first
    round       INTEGER NOT NULL,
    created_at  TEXT NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS attempts (
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
CREATE INDEX IF NOT EXISTS attempts_by_split ON attempts (split, seq);
CREATE INDEX IF NOT EXISTS attempts_by_annotator ON attempts (annotator);
CREATE INDEX IF NOT EXISTS tries_by_annotator ON tries (annotator);

CREATE TABLE IF NOT EXISTS retractions (
    attempt_id  TEXT PRIMARY KEY REFERENCES attempts (attempt_id),
    created_at  TEXT NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS votes (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    attempt_id  TEXT NOT NULL REFERENCES attempts (attempt_id),
    annotator   TEXT NOT NULL,  -- who judged
    reading     INTEGER CHECK (reading BETWEEN 0 AND 9),  -- NULL: not a digit
    created_at  TEXT NOT NULL,
    UNIQUE (attempt_id, annotator)
) STRICT;

CREATE TABLE IF NOT EXISTS hidings (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    attempt_id  TEXT NOT NULL REFERENCES attempts (attempt_id),
    hidden      INTEGER NOT NULL CHECK (hidden IN (0, 1)),  -- the newest row of a drawing holds
    created_at  TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS hidings_by_attempt ON hidings (attempt_id, seq);

CREATE TABLE IF NOT EXISTS promotions (
    number      INTEGER PRIMARY KEY,
    weights_id  TEXT NOT NULL,
    reason      TEXT NOT NULL,
    created_at  TEXT NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS rounds (
    number        INTEGER PRIMARY KEY,
    decision      TEXT NOT NULL CHECK (decision IN ('promoted', 'refused', 'rolled back')),
    reason        TEXT NOT NULL,
    weights_id    TEXT NOT NULL,     -- the candidate, or the weights rolled back to
    promotion     INTEGER NOT NULL,  -- serving from this decision on
    figures       TEXT NOT NULL,     -- JSON: scores before and after, counts, seconds
    test_set      TEXT NOT NULL,     -- JSON: attempt ids of the round's held-out fooling drawings, frozen
    closed_at     TEXT NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS uses (
    attempt_id  TEXT PRIMARY KEY REFERENCES attempts (attempt_id),
    round       INTEGER NOT NULL  -- whose decision was the first to rest on it, train and test alike
) STRICT;

CREATE TABLE IF NOT EXISTS likenesses (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    attempt_id  TEXT NOT NULL UNIQUE REFERENCES attempts (attempt_id),
    features    BLOB NOT NULL,    -- of the round-0 network's penultimate layer
    is_new      INTEGER NOT NULL  -- no near-duplicate of an earlier fooling drawing of its digit
) STRICT;
