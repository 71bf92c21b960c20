-- The tables of a SQLite journal. One file holds one pool.
--
-- The batches are the journal; everything else stands beside it, because it may be deleted:
-- private fields (a customer is forgotten), requests (limited in count and time), snapshots (the
-- newest are kept). What one append brings is written in one transaction.
-- `ended.sql` has one more table.

-- Who this journal is. One row, written at creation and never changed.
CREATE TABLE meta (
    only_row    INTEGER PRIMARY KEY CHECK (only_row = 1),
    format      INTEGER NOT NULL,  -- of these tables
    incarnation TEXT    NOT NULL,  -- random id: positions mean something only within it
    secret      BLOB    NOT NULL,  -- 32 random bytes, the key for digests of requests
    checksum    BLOB    NOT NULL   -- blake2b-16 over the three above
) STRICT;

-- One row for each append. Rows are added at the end; trimming drops them from the front, all but
-- the last one that was archived: the chain goes on from its checksum.
CREATE TABLE batches (
    position INTEGER PRIMARY KEY,  -- of its last record; its first is position - count + 1
    version  INTEGER NOT NULL,     -- format of the body
    count    INTEGER NOT NULL,     -- records in the body
    at_ms    INTEGER NOT NULL,     -- time of the batch
    body     BLOB    NOT NULL,     -- the records, as the codec wrote them
    checksum BLOB    NOT NULL      -- blake2b-16 over the checksum before, this header, the body
) STRICT;

-- Remembered requests: one row for all requests of one batch, so that the hot path writes one row
-- at the end of the table. The ids are also kept in memory; there is no index by id on disk.
CREATE TABLE requests (
    position          INTEGER PRIMARY KEY,  -- of the batch
    forgotten_through INTEGER NOT NULL,     -- requests at or before it count as forgotten
    content           BLOB    NOT NULL,     -- msgpack list of RememberedRequest
    checksum          INTEGER NOT NULL      -- crc32 over the three above
) STRICT;

-- Private fields of contacts: what may be forgotten. Nothing in here stands in a batch.
CREATE TABLE private (
    contact_id TEXT PRIMARY KEY,
    content    BLOB NOT NULL                -- and, as its last 4 bytes, the crc32 of both
) STRICT, WITHOUT ROWID;

-- Snapshots of the pool. One without a number of pieces is being written, or was cut short and
-- is removed at the next start.
CREATE TABLE snapshots (
    snapshot_id INTEGER PRIMARY KEY,  -- running number
    position    INTEGER NOT NULL,     -- the state after this record
    version     INTEGER NOT NULL,     -- format of the pieces
    pieces      INTEGER,              -- how many there are; NULL while it is being written
    checksum    BLOB                  -- blake2b-16 over position, version and all pieces
) STRICT;

-- Pieces of at most 1 MiB, each written in a transaction of its own so that appends go on.
CREATE TABLE snapshot_pieces (
    snapshot_id INTEGER NOT NULL,
    piece       INTEGER NOT NULL,     -- 0, 1, 2 ...
    content     BLOB    NOT NULL,
    PRIMARY KEY (snapshot_id, piece)
) STRICT, WITHOUT ROWID;
