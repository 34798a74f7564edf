-- The ledger: rows are only added. State (served, open round, verified, ready) is a query over them. Rows that come from
-- the Hub may arrive in any order, a vote before its drawing: nothing here refers to what must be there already.

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
    try_id          TEXT NOT NULL,  -- of tries; submitted at most once here, but what another Space recorded is merged
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
CREATE INDEX IF NOT EXISTS attempts_by_annotator ON attempts (annotator, seq);
CREATE INDEX IF NOT EXISTS attempts_by_try ON attempts (try_id);
CREATE INDEX IF NOT EXISTS tries_by_annotator ON tries (annotator);

CREATE TABLE IF NOT EXISTS retractions (
    attempt_id  TEXT PRIMARY KEY,
    created_at  TEXT NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS votes (  -- in the order of created_at
    attempt_id  TEXT NOT NULL,
    annotator   TEXT NOT NULL,  -- who judged
    reading     INTEGER CHECK (reading BETWEEN 0 AND 9),  -- NULL: not a digit
    created_at  TEXT NOT NULL,
    PRIMARY KEY (attempt_id, annotator)
) STRICT;

CREATE TABLE IF NOT EXISTS hidings (
    hiding_id   TEXT PRIMARY KEY,
    attempt_id  TEXT NOT NULL,
    hidden      INTEGER NOT NULL CHECK (hidden IN (0, 1)),  -- the newest row of a drawing holds
    created_at  TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS hidings_by_attempt ON hidings (attempt_id, created_at);

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
    used          TEXT NOT NULL,     -- JSON: ids of the drawings no earlier decision rested on, train and test alike
    closed_at     TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS rounds_by_promotion ON rounds (promotion);

CREATE TABLE IF NOT EXISTS withdrawals (
    id          TEXT PRIMARY KEY,  -- of a try or an attempt that was deleted: it is never taken in again
    created_at  TEXT NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS likenesses (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    attempt_id  TEXT NOT NULL UNIQUE,
    features    BLOB NOT NULL,    -- of the round-0 network's penultimate layer
    is_new      INTEGER NOT NULL  -- no near-duplicate of an earlier fooling drawing of its digit
) STRICT;
