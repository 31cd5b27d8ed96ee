-- Fills tables and indices larger than the memory they get, changes and removes rows, and checks all.
-- Nothing in it is random: what it prints is the same wherever it runs.
PRAGMA page_size = 4096;
PRAGMA journal_mode = MEMORY;
PRAGMA temp_store = MEMORY;
PRAGMA cache_size = -262144;
CREATE TABLE pages (id INTEGER PRIMARY KEY, word TEXT NOT NULL, body TEXT NOT NULL);
WITH RECURSIVE counter (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM counter WHERE i < 24000)
INSERT INTO pages
  SELECT i, printf('%08x', i * 2654435761 % 4294967296),
    replace(hex(zeroblob(120)), '00', printf('%08x', i * 40503 % 4294967296))
  FROM counter;
CREATE INDEX words ON pages (word);
CREATE INDEX bodies ON pages (substr(body, 1, 200), word);
PRAGMA integrity_check;
SELECT 'first', count(*), sum(length(body)) FROM pages;
BEGIN;
UPDATE pages SET body = upper(body) || word WHERE id % 3 = 0;
DELETE FROM pages WHERE id % 7 = 0;
INSERT INTO pages SELECT id + 100000, word || 'x', substr(body, 9) FROM pages WHERE id % 5 = 0;
COMMIT;
PRAGMA integrity_check;
SELECT 'words', count(*), hex(sha3(group_concat(word, ''), 256)) FROM (SELECT word FROM pages ORDER BY word);
SELECT 'bodies', hex(sha3_query('SELECT substr(body, 1, 64), length(body) FROM pages ORDER BY id', 256));
SELECT 'again', count(*) FROM pages AS a JOIN pages AS b ON a.word = b.word WHERE a.body <> b.body;
VACUUM;
PRAGMA integrity_check;
SELECT 'last', count(*), hex(sha3_query('SELECT id, word, body FROM pages WHERE id % 16 = 0 ORDER BY id', 256))
  FROM pages;
