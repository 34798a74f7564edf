-- Multiplies the drawings of the temporary table pool into a ledger of :attempts attempts in :rounds closed rounds and an
-- open one. Made for benchmarks/big_ledger.py, which gives annotator_of and split_of and counts the totals afterwards.
-- One in twelve fools. Ids are random, as the real ones are: their indexes are what grows slow.

CREATE TEMP TABLE made AS
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :attempts)
SELECT n, n * 7919 % 12 = 0 AS fools, 1 + (n - 1) * (:rounds + 1) / :attempts AS round,
    annotator_of(n * 2654435761 / 65536 % :annotators) AS annotator,
    printf('%s-%s-4%s-a%s-%s', substr(h, 1, 8), substr(h, 9, 4), substr(h, 13, 3), substr(h, 16, 3), substr(h, 19, 12)) AS attempt_id,
    strftime('%Y-%m-%dT%H:%M:%f+00:00', 1767225600 + n * 20, 'unixepoch') AS at
FROM (SELECT n, lower(hex(randomblob(16))) AS h FROM numbers);

INSERT INTO tries SELECT substr(attempt_id, 10) || '-t', annotator, round - 1, round, at FROM made;
INSERT INTO tries SELECT substr(attempt_id, 10) || '-l', annotator, round - 1, round, at FROM made WHERE n % 5 < 3;

INSERT INTO attempts
SELECT n, attempt_id, substr(attempt_id, 10) || '-t', strokes, image, label, prediction, probabilities, made.fools,
    round - 1, (SELECT weights_id FROM promotions WHERE number = round - 1), round, annotator,
    split_of(annotator, label, round), :raster_version, at
FROM made JOIN pool ON pool.fools = made.fools AND pool.number = n / 12 % :pool_size
ORDER BY n;

INSERT INTO retractions SELECT attempt_id, at FROM made WHERE n % 211 = 0;
INSERT INTO hidings SELECT 'hiding-' || n, attempt_id, 1, at FROM made WHERE n % 997 = 0;

INSERT INTO likenesses
SELECT n, attempt_id, features, n / 12 % 2
FROM made JOIN pool ON pool.fools = 1 AND pool.number = n / 12 % :pool_size
WHERE made.fools = 1 ORDER BY n;

INSERT INTO rounds
SELECT round, 'promoted', 'made for measuring', (SELECT weights_id FROM promotions WHERE number = round), round, :figures,
    json_group_array(attempt_id) FILTER (WHERE split = 'test' AND model_wrong),
    json_group_array(attempt_id) FILTER (WHERE model_wrong OR harmless <= 3000), max(created_at)
FROM (
    SELECT *,
        iif(model_wrong = 0 AND split = 'train', row_number() OVER
            (PARTITION BY round, model_wrong = 0 AND split = 'train' ORDER BY seq DESC), 9999) AS harmless
    FROM (SELECT seq, attempt_id, round, model_wrong, split, created_at FROM attempts)
    WHERE attempt_id NOT IN (SELECT attempt_id FROM retractions UNION SELECT attempt_id FROM hidings)
)
WHERE round <= :rounds GROUP BY round;
