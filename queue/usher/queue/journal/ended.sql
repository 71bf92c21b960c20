-- Contacts that have left the pool, each with its last state: found by id until the journal is
-- trimmed past the batch that retired them. Made at each start where it is missing: journals of
-- earlier releases have no such table.
--
-- The rows come in the order of positions and go from the front, a page at a time; only the index by
-- id takes a page per contact. An id that comes again takes the place of the earlier one.
CREATE TABLE IF NOT EXISTS ended (
    row        INTEGER PRIMARY KEY,  -- running number
    contact_id TEXT    NOT NULL UNIQUE,
    position   INTEGER NOT NULL,     -- of the batch that retired it, or of a later one of its group
    content    BLOB    NOT NULL      -- and, as its last 4 bytes, the crc32 of id and content
) STRICT;
