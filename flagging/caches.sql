-- What the rows of schema.sql add up to, kept in the transaction that adds one, so that no work grows with the
-- number of attempts. Ledger.recount rebuilds all of it.

-- One row: what the standings are made for. judged_with: the last quorum above 0; states are made with it.
CREATE TABLE judging_rule (quorum INTEGER NOT NULL, judged_with INTEGER NOT NULL) STRICT;
INSERT INTO judging_rule VALUES (0, 0);

CREATE TABLE uses (
    attempt_id  TEXT PRIMARY KEY,
    round       INTEGER NOT NULL  -- whose decision was the first to rest on it
) STRICT;
CREATE INDEX uses_by_round ON uses (round);

CREATE TABLE standings (
    attempt_id    TEXT PRIMARY KEY,
    seq           INTEGER NOT NULL,
    round         INTEGER NOT NULL,
    annotator     TEXT NOT NULL,
    label         INTEGER NOT NULL,
    prediction    INTEGER NOT NULL,
    state         TEXT,              -- of judging; NULL: did not fool
    judged_label  INTEGER,
    lacking       INTEGER NOT NULL,  -- votes that could still decide, at the fewest
    gone          INTEGER NOT NULL,  -- retracted or hidden
    attempt       INTEGER NOT NULL,  -- 1 where it adds to the count of that name, else 0
    fooling       INTEGER NOT NULL,
    verified      INTEGER NOT NULL,  -- verified or corrected
    pending       INTEGER NOT NULL,
    usable        INTEGER NOT NULL,  -- may be learnt from: fooling, and verified if there is a quorum
    ready         INTEGER NOT NULL,  -- usable, and no decision rested on it yet
    scored        INTEGER NOT NULL   -- usable and new
) STRICT;
CREATE INDEX standings_to_judge ON standings (lacking, seq) WHERE pending = 1;
CREATE INDEX standings_by_round ON standings (round, seq) WHERE gone = 0;
CREATE INDEX standings_fooling ON standings (seq) WHERE fooling = 1;
CREATE INDEX standings_by_label ON standings (label, seq) WHERE fooling = 1;
CREATE INDEX standings_by_state ON standings (state, seq) WHERE fooling = 1;
CREATE INDEX standings_by_annotator ON standings (annotator);

CREATE TABLE round_counts (
    round     INTEGER PRIMARY KEY,
    tries     INTEGER NOT NULL DEFAULT 0,
    attempt   INTEGER NOT NULL DEFAULT 0,
    fooling   INTEGER NOT NULL DEFAULT 0,
    verified  INTEGER NOT NULL DEFAULT 0,
    pending   INTEGER NOT NULL DEFAULT 0,
    usable    INTEGER NOT NULL DEFAULT 0,
    ready     INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE scores (
    annotator  TEXT PRIMARY KEY,
    points     INTEGER NOT NULL
) STRICT;
CREATE INDEX scores_by_points ON scores (points);

CREATE TABLE pair_counts (
    label       INTEGER NOT NULL,
    prediction  INTEGER NOT NULL,
    fooling     INTEGER NOT NULL,
    PRIMARY KEY (label, prediction)
) STRICT;

CREATE TABLE chores (  -- what is to be tried until it works
    name  TEXT PRIMARY KEY
) STRICT;
