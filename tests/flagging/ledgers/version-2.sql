BEGIN TRANSACTION;
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
INSERT INTO "attempts" VALUES(1,'257bf2d6-0e02-47f2-9da8-5d8a3881aa40','try-ann-0','[[[101.58418837348395,70.17019855467396],[115.8291122393484,243.78954241880413]]]',X'89504E470D0A1A0A0000000D494844520000001C0000001C0800000000576680480000005E49444154789C636018B48047158FE49DFFCEE8424C708632830A4EC97F6F1844704A32BC6610C52DF9069F245E9D349364E3C72389A115D92B7824F1EAC42BF9EB031E4986D718218F2289472766C8A3E81460C00954263BE0962411000056F516AE4494D0660000000049454E44AE426082',1,3,'[0.01, 0.01, 0.01, 0.91, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01]',1,0,'0123456789abcdef',1,'64ef34ba8a76890d3dc94f18','train',1,'2026-11-21T15:42:17.973+00:00');
INSERT INTO "attempts" VALUES(2,'e6c893ac-390f-4608-baec-492d8b360bd0','try-ann-1','[[[108.22064354585791,8.200265271994958],[142.48902429501436,172.85066147719007]]]',X'89504E470D0A1A0A0000000D494844520000001C0000001C0800000000576680480000006149444154789C63608081F0FF9F18D000139CF59681D708A7E4190606139C921FAEE3916438835FD290038F24BA5662257F9DC52389E922544975213C92685A91252F7CC7238961292992B232782451B5A248DE7AC320C78013B895E2961BA9000058FB1836A537F3BA0000000049454E44AE426082',1,3,'[0.01, 0.01, 0.01, 0.91, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01]',1,0,'0123456789abcdef',1,'64ef34ba8a76890d3dc94f18','train',1,'2026-11-21T15:42:17.975+00:00');
INSERT INTO "attempts" VALUES(3,'a86404af-d6c5-45e9-8dc3-6e92f4b6c26e','try-ann-2','[[[151.94117027968522,95.91166460584554],[146.11362566340105,271.96336203305594]]]',X'89504E470D0A1A0A0000000D494844520000001C0000001C0800000000576680480000004249444154789C636018912063226E39C6FFFF5390B84C28921C0C0C3F714A723230FCC0A7F3FBA0D2C9814FE7C07805592386CEEFB825C9D7C9814FE71F86B7C85C0092F3166BA322A8570000000049454E44AE426082',1,3,'[0.01, 0.01, 0.01, 0.91, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01]',1,0,'0123456789abcdef',1,'64ef34ba8a76890d3dc94f18','train',1,'2026-11-21T15:42:17.976+00:00');
INSERT INTO "attempts" VALUES(4,'011bb87c-e466-45c9-baee-df81c5eaef0e','try-ann-3','[[[171.78790744415215,38.13153441508427],[189.5547359506082,221.95206126261098]]]',X'89504E470D0A1A0A0000000D494844520000001C0000001C0800000000576680480000005349444154789C6360A01AB08CC423F9F97F389CCD842EC9C820835BF20583246EC9E70C1203A05390038F4E84562C3A119692A6F3C53F3C92C87EC1947C31F874324AE0947CCAC0C081210807819EB8E5680F00A01E16A746C4FEB20000000049454E44AE426082',1,3,'[0.01, 0.01, 0.01, 0.91, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01]',1,1,'feedfeedfeedfeed',2,'64ef34ba8a76890d3dc94f18','test',1,'2026-11-21T15:42:17.982+00:00');
INSERT INTO "attempts" VALUES(5,'d58b43ac-578e-4a5a-885b-69e036cfdda1','try-ann-4','[[[112.06509237258308,47.67723897708548],[88.30992636877914,196.39757701485524]]]',X'89504E470D0A1A0A0000000D494844520000001C0000001C0800000000576680480000006749444154789C6360A035B04FC323F9F17F229A08139CA5C8C7F016A7A40603C30D9C929A0CBF6FE1D1791DDD15C892E8A61229292E8A47128B635124713B4883E1EE0F9C929A98A622EBC42DC9238F69255C52138B63E192EAD82459A0F4C1E3D7D0236C580100C2A01780152EEBDD0000000049454E44AE426082',1,3,'[0.01, 0.01, 0.01, 0.91, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01]',1,1,'feedfeedfeedfeed',2,'64ef34ba8a76890d3dc94f18','test',1,'2026-11-21T15:42:17.984+00:00');
CREATE TABLE hidings (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    attempt_id  TEXT NOT NULL REFERENCES attempts (attempt_id),
    hidden      INTEGER NOT NULL CHECK (hidden IN (0, 1)),  -- the newest row of a drawing holds
    created_at  TEXT NOT NULL
) STRICT;
INSERT INTO "hidings" VALUES(1,'257bf2d6-0e02-47f2-9da8-5d8a3881aa40',1,'2026-11-21T15:42:17.985+00:00');
INSERT INTO "hidings" VALUES(2,'257bf2d6-0e02-47f2-9da8-5d8a3881aa40',0,'2026-11-21T15:42:17.985+00:00');
INSERT INTO "hidings" VALUES(3,'e6c893ac-390f-4608-baec-492d8b360bd0',1,'2026-11-21T15:42:17.986+00:00');
CREATE TABLE judging_rule (quorum INTEGER NOT NULL, judged_with INTEGER NOT NULL) STRICT;
INSERT INTO "judging_rule" VALUES(2,2);
CREATE TABLE likenesses (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    attempt_id  TEXT NOT NULL UNIQUE REFERENCES attempts (attempt_id),
    features    BLOB NOT NULL,    -- of the round-0 network's penultimate layer
    is_new      INTEGER NOT NULL  -- no near-duplicate of an earlier fooling drawing of its digit
) STRICT;
CREATE TABLE pair_counts (
    label       INTEGER NOT NULL,
    prediction  INTEGER NOT NULL,
    fooling     INTEGER NOT NULL,
    PRIMARY KEY (label, prediction)
) STRICT;
INSERT INTO "pair_counts" VALUES(1,3,3);
CREATE TABLE promotions (
    number      INTEGER PRIMARY KEY,
    weights_id  TEXT NOT NULL,
    reason      TEXT NOT NULL,
    created_at  TEXT NOT NULL
) STRICT;
INSERT INTO "promotions" VALUES(0,'0123456789abcdef','round-0 weights','2026-11-21T15:42:17.960+00:00');
INSERT INTO "promotions" VALUES(1,'feedfeedfeedfeed','promoted','2026-11-21T15:42:17.981+00:00');
CREATE TABLE retractions (
    attempt_id  TEXT PRIMARY KEY REFERENCES attempts (attempt_id),
    created_at  TEXT NOT NULL
) STRICT;
INSERT INTO "retractions" VALUES('011bb87c-e466-45c9-baee-df81c5eaef0e','2026-11-21T15:42:17.984+00:00');
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
INSERT INTO "round_counts" VALUES(1,3,2,2,2,0,2,0);
INSERT INTO "round_counts" VALUES(2,2,1,1,0,1,0,0);
CREATE TABLE rounds (
    number        INTEGER PRIMARY KEY,
    decision      TEXT NOT NULL CHECK (decision IN ('promoted', 'refused', 'rolled back')),
    reason        TEXT NOT NULL,
    weights_id    TEXT NOT NULL,     -- the candidate, or the weights rolled back to
    promotion     INTEGER NOT NULL,  -- serving from this decision on
    figures       TEXT NOT NULL,     -- JSON: scores before and after, counts, seconds
    test_set      TEXT NOT NULL,     -- JSON: attempt ids of the round's held-out fooling drawings, frozen
    closed_at     TEXT NOT NULL
) STRICT;
INSERT INTO "rounds" VALUES(1,'promoted','for the test','feedfeedfeedfeed',1,'{}','[]','2026-11-21T15:42:17.981+00:00');
CREATE TABLE scores (
    annotator  TEXT PRIMARY KEY,
    points     INTEGER NOT NULL
) STRICT;
CREATE TABLE standings (
    attempt_id    TEXT PRIMARY KEY REFERENCES attempts (attempt_id),
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
INSERT INTO "standings" VALUES('a86404af-d6c5-45e9-8dc3-6e92f4b6c26e',3,1,'64ef34ba8a76890d3dc94f18',1,3,'verified',1,0,0,1,1,1,0,1,0,0);
INSERT INTO "standings" VALUES('d58b43ac-578e-4a5a-885b-69e036cfdda1',5,2,'64ef34ba8a76890d3dc94f18',1,3,'pending',NULL,2,0,1,1,0,1,0,0,0);
INSERT INTO "standings" VALUES('011bb87c-e466-45c9-baee-df81c5eaef0e',4,2,'64ef34ba8a76890d3dc94f18',1,3,'pending',NULL,2,1,0,0,0,0,0,0,0);
INSERT INTO "standings" VALUES('257bf2d6-0e02-47f2-9da8-5d8a3881aa40',1,1,'64ef34ba8a76890d3dc94f18',1,3,'verified',1,0,0,1,1,1,0,1,0,0);
INSERT INTO "standings" VALUES('e6c893ac-390f-4608-baec-492d8b360bd0',2,1,'64ef34ba8a76890d3dc94f18',1,3,'verified',1,0,1,0,0,0,0,0,0,0);
CREATE TABLE tries (
    try_id      TEXT PRIMARY KEY,
    annotator   TEXT NOT NULL,
    promotion   INTEGER NOT NULL,  -- that answered first
    round       INTEGER NOT NULL,
    created_at  TEXT NOT NULL
) STRICT;
INSERT INTO "tries" VALUES('try-ann-0','64ef34ba8a76890d3dc94f18',0,1,'2026-11-21T15:42:17.973+00:00');
INSERT INTO "tries" VALUES('try-ann-1','64ef34ba8a76890d3dc94f18',0,1,'2026-11-21T15:42:17.975+00:00');
INSERT INTO "tries" VALUES('try-ann-2','64ef34ba8a76890d3dc94f18',0,1,'2026-11-21T15:42:17.976+00:00');
INSERT INTO "tries" VALUES('try-ann-3','64ef34ba8a76890d3dc94f18',1,2,'2026-11-21T15:42:17.982+00:00');
INSERT INTO "tries" VALUES('try-ann-4','64ef34ba8a76890d3dc94f18',1,2,'2026-11-21T15:42:17.984+00:00');
CREATE TABLE uses (
    attempt_id  TEXT PRIMARY KEY REFERENCES attempts (attempt_id),
    round       INTEGER NOT NULL  -- whose decision was the first to rest on it, train and test alike
) STRICT;
INSERT INTO "uses" VALUES('257bf2d6-0e02-47f2-9da8-5d8a3881aa40',1);
INSERT INTO "uses" VALUES('e6c893ac-390f-4608-baec-492d8b360bd0',1);
INSERT INTO "uses" VALUES('a86404af-d6c5-45e9-8dc3-6e92f4b6c26e',1);
CREATE TABLE votes (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    attempt_id  TEXT NOT NULL REFERENCES attempts (attempt_id),
    annotator   TEXT NOT NULL,  -- who judged
    reading     INTEGER CHECK (reading BETWEEN 0 AND 9),  -- NULL: not a digit
    created_at  TEXT NOT NULL,
    UNIQUE (attempt_id, annotator)
) STRICT;
INSERT INTO "votes" VALUES(1,'257bf2d6-0e02-47f2-9da8-5d8a3881aa40','58b9161b4fe5be86541926bd',1,'2026-11-21T15:42:17.977+00:00');
INSERT INTO "votes" VALUES(2,'257bf2d6-0e02-47f2-9da8-5d8a3881aa40','0280f4dc2b2f677ad6fb6344',1,'2026-11-21T15:42:17.978+00:00');
INSERT INTO "votes" VALUES(3,'e6c893ac-390f-4608-baec-492d8b360bd0','58b9161b4fe5be86541926bd',1,'2026-11-21T15:42:17.978+00:00');
INSERT INTO "votes" VALUES(4,'e6c893ac-390f-4608-baec-492d8b360bd0','0280f4dc2b2f677ad6fb6344',1,'2026-11-21T15:42:17.979+00:00');
INSERT INTO "votes" VALUES(5,'a86404af-d6c5-45e9-8dc3-6e92f4b6c26e','58b9161b4fe5be86541926bd',1,'2026-11-21T15:42:17.980+00:00');
INSERT INTO "votes" VALUES(6,'a86404af-d6c5-45e9-8dc3-6e92f4b6c26e','0280f4dc2b2f677ad6fb6344',1,'2026-11-21T15:42:17.980+00:00');
CREATE INDEX attempts_by_split ON attempts (split, seq);
CREATE INDEX attempts_by_annotator ON attempts (annotator);
CREATE INDEX tries_by_annotator ON tries (annotator);
CREATE INDEX hidings_by_attempt ON hidings (attempt_id, seq);
CREATE INDEX standings_to_judge ON standings (lacking, seq) WHERE pending = 1;
CREATE INDEX standings_by_round ON standings (round, seq) WHERE gone = 0;
CREATE INDEX standings_fooling ON standings (seq) WHERE fooling = 1;
CREATE INDEX standings_by_label ON standings (label, seq) WHERE fooling = 1;
CREATE INDEX standings_by_state ON standings (state, seq) WHERE fooling = 1;
CREATE INDEX standings_by_annotator ON standings (annotator);
CREATE INDEX scores_by_points ON scores (points);
COMMIT;
PRAGMA user_version = 2;
