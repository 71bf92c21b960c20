-- What one statement writes for a group of appends: batches, remembered requests, private fields,
-- ended contacts.
--
-- The writing connection makes this view and its trigger for itself at start; they are not in the
-- file. An INSERT into the view is then a whole transaction, sync included, in one call of
-- SQLite. The writer's thread needs Python's interpreter lock after each call, and on a busy
-- server it waits for it, so one call in place of six is what keeps the tail of the append short.
--
-- Blobs come end to end in one parameter; lists in JSON say where each one lies (from 1).

CREATE TEMP VIEW appends (
    batches,            -- JSON: [[position, version, count, at_ms, first byte, bytes], ...]
    bodies,             -- each body, followed by its checksum of 16 bytes
    position,           -- of the last batch
    forgotten_through,  -- requests at or before it go
    requests,           -- msgpack list of RememberedRequest; NULL: nothing new
    requests_checksum,
    private,            -- JSON: {contact_id: first byte << 32 | bytes}; NULL: none
    contents,           -- of the private fields, each followed by its checksum of 4 bytes
    deleted,            -- JSON: [contact_id, ...] whose private fields go; NULL: none
    ended,              -- JSON: [[contact_id, first byte, bytes], ...]; NULL: none
    last_states         -- of the ended contacts, each followed by its checksum of 4 bytes
) AS SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL;

CREATE TEMP TRIGGER append INSTEAD OF INSERT ON appends
BEGIN
    INSERT INTO main.batches (position, version, count, at_ms, body, checksum)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3,
           ifnull(substr(NEW.bodies, value ->> 4, value ->> 5), x''),
           substr(NEW.bodies, (value ->> 4) + (value ->> 5), 16)
    FROM json_each(NEW.batches);

    INSERT INTO main.requests (position, forgotten_through, content, checksum)
    SELECT NEW.position, NEW.forgotten_through, NEW.requests, NEW.requests_checksum
    WHERE NEW.requests IS NOT NULL;

    DELETE FROM main.requests WHERE position <= NEW.forgotten_through;

    INSERT OR REPLACE INTO main.private (contact_id, content)
    SELECT key, substr(NEW.contents, value >> 32, value & 0xffffffff) FROM json_each(NEW.private);

    DELETE FROM main.private
    WHERE contact_id IN (SELECT value FROM json_each(NEW.deleted));

    INSERT OR REPLACE INTO main.ended (contact_id, position, content)
    SELECT value ->> 0, NEW.position, substr(NEW.last_states, value ->> 1, value ->> 2)
    FROM json_each(NEW.ended);
END;
