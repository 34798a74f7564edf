-- What of the ledger is on the Hub, and what is not yet. Nothing is kept here as long as no repository is used.

CREATE TABLE hub (
    repository  TEXT,
    joined      INTEGER NOT NULL,  -- was everything taken in that is there, once at least?
    ledger_id   TEXT NOT NULL      -- tells this ledger's marks on the Hub from others'
) STRICT;
INSERT INTO hub VALUES (NULL, 0, lower(hex(randomblob(8))));

CREATE TABLE unpublished (
    seq    INTEGER PRIMARY KEY,
    kind   TEXT NOT NULL,  -- a table of schema.sql
    id     TEXT NOT NULL,  -- its key; of a vote: attempt and annotator
    since  TEXT NOT NULL,
    tried  INTEGER NOT NULL DEFAULT 0,  -- was it ever sent? Then it may be there, whatever the answer was
    UNIQUE (kind, id)
) STRICT;

CREATE TABLE to_purge (  -- withdrawn here, and perhaps on the Hub still
    id  TEXT PRIMARY KEY
) STRICT;

CREATE TABLE commits (  -- of the last hour, ours and others'
    repository  TEXT NOT NULL,
    id          TEXT NOT NULL,
    at          REAL NOT NULL,
    PRIMARY KEY (repository, id)
) STRICT;

CREATE TABLE shards (  -- raw shards of the repository whose rows are all in the ledger
    path  TEXT PRIMARY KEY
) STRICT;

CREATE TABLE stale_rounds (  -- whose files in the dataset people load are not what the rows say
    round    INTEGER PRIMARY KEY,
    touched  INTEGER NOT NULL  -- how often, so that a change during the writing is not missed
) STRICT;

CREATE TABLE round_files (  -- what the files of a round hold, for the card
    round   INTEGER PRIMARY KEY,
    splits  TEXT NOT NULL,  -- JSON: drawings by config and split
    digits  TEXT NOT NULL   -- JSON: fooling drawings by digit and state
) STRICT;

CREATE TRIGGER tries_unpublished AFTER INSERT ON tries WHEN (SELECT repository FROM hub) IS NOT NULL BEGIN INSERT OR IGNORE INTO unpublished (kind, id, since) VALUES ('tries', NEW.try_id, NEW.created_at); END;
CREATE TRIGGER attempts_unpublished AFTER INSERT ON attempts WHEN (SELECT repository FROM hub) IS NOT NULL BEGIN INSERT OR IGNORE INTO unpublished (kind, id, since) VALUES ('attempts', NEW.attempt_id, NEW.created_at); END;
CREATE TRIGGER retractions_unpublished AFTER INSERT ON retractions WHEN (SELECT repository FROM hub) IS NOT NULL BEGIN INSERT OR IGNORE INTO unpublished (kind, id, since) VALUES ('retractions', NEW.attempt_id, NEW.created_at); END;
CREATE TRIGGER votes_unpublished AFTER INSERT ON votes WHEN (SELECT repository FROM hub) IS NOT NULL BEGIN INSERT OR IGNORE INTO unpublished (kind, id, since) VALUES ('votes', NEW.attempt_id || ' ' || NEW.annotator, NEW.created_at); END;
CREATE TRIGGER hidings_unpublished AFTER INSERT ON hidings WHEN (SELECT repository FROM hub) IS NOT NULL BEGIN INSERT OR IGNORE INTO unpublished (kind, id, since) VALUES ('hidings', NEW.hiding_id, NEW.created_at); END;
CREATE TRIGGER promotions_unpublished AFTER INSERT ON promotions WHEN (SELECT repository FROM hub) IS NOT NULL BEGIN INSERT OR IGNORE INTO unpublished (kind, id, since) VALUES ('promotions', NEW.number, NEW.created_at); END;
CREATE TRIGGER rounds_unpublished AFTER INSERT ON rounds WHEN (SELECT repository FROM hub) IS NOT NULL BEGIN INSERT OR IGNORE INTO unpublished (kind, id, since) VALUES ('rounds', NEW.number, NEW.closed_at); END;
CREATE TRIGGER withdrawals_unpublished AFTER INSERT ON withdrawals WHEN (SELECT repository FROM hub) IS NOT NULL BEGIN INSERT OR IGNORE INTO unpublished (kind, id, since) VALUES ('withdrawals', NEW.id, NEW.created_at); END;
