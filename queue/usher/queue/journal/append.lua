-- One append: a batch with the requests and private fields that come with it, whole or not at all.
--
-- All keys of a pool lie in one slot (`{<pool>}` is the hash tag). Here:
--
--   KEYS[1]  usher:{<pool>}:meta      hash    format, incarnation, secret, seal: who this journal is
--                                             token, owner: which server may write, and where it is
--                                             position, checksum: of the last batch
--   KEYS[2]  usher:{<pool>}:log       stream  one entry per batch, id <position of its last record>-0
--                                             version, count, at_ms, body, checksum
--   KEYS[3]  usher:{<pool>}:requests  stream  one entry per batch that brought some, same id
--                                             through: requests at or before it are forgotten
--                                             content: msgpack list of requests; checksum
--   KEYS[4]  usher:{<pool>}:private   hash    contact id -> private fields, 4 bytes of checksum
--   KEYS[5]  usher:{<pool>}:ended     hash    contact id -> last state of who left the pool
--   KEYS[6]  usher:{<pool>}:retired   stream  one entry per batch with which some left, same id: ids
--
--   ARGV[1]  token of the caller          ARGV[7]   at_ms
--   ARGV[2]  position that it expects     ARGV[8]   body
--   ARGV[3]  position after this batch    ARGV[9]   requests: forgotten through
--   ARGV[4]  checksum of this batch       ARGV[10]  requests: content, '' for nothing new
--   ARGV[5]  version                      ARGV[11]  requests: checksum
--   ARGV[6]  count                        ARGV[12]  how many private fields are put: n
--   ARGV[13..]  n times contact id, content; then the ids of contacts whose fields are deleted
--
-- Answers {'done', position} also when this very batch was written before: the caller did not get
-- the reply and has sent it again. Otherwise {'taken', owner}, {'gone'} or {'conflict', position},
-- and nothing is written. An error reply (no memory, read-only ...) comes from the first XADD at
-- the latest, so then nothing is written either. XADD refuses an id that is not above the last
-- one: a second guard beside the position in meta.

local AT_ONCE = 1000  -- arguments of one command: unpack has a limit

local held = redis.call('HMGET', KEYS[1], 'token', 'position', 'owner')
if not held[1] then
    return {'gone'}
end
if held[1] ~= ARGV[1] then
    return {'taken', held[3] or ''}
end

local id = ARGV[3] .. '-0'
if held[2] ~= ARGV[2] then
    local there = redis.call('XRANGE', KEYS[2], id, id)[1]
    if there and there[2][10] == ARGV[4] then
        return {'done', ARGV[3]}
    end
    return {'conflict', held[2]}
end

redis.call('XADD', KEYS[2], id, 'version', ARGV[5], 'count', ARGV[6], 'at_ms', ARGV[7],
    'body', ARGV[8], 'checksum', ARGV[4])
redis.call('HSET', KEYS[1], 'position', ARGV[3], 'checksum', ARGV[4])

if ARGV[10] ~= '' then
    redis.call('XADD', KEYS[3], id, 'through', ARGV[9], 'content', ARGV[10], 'checksum', ARGV[11])
end
if ARGV[9] ~= '0' then
    redis.call('XTRIM', KEYS[3], 'MINID', '=', string.format('%.0f-0', tonumber(ARGV[9]) + 1))
end

local function put(key, first, behind)
    for from = first, behind - 1, AT_ONCE do
        redis.call('HSET', key, unpack(ARGV, from, math.min(from + AT_ONCE, behind) - 1))
    end
end

local states = 15 + 2 * tonumber(ARGV[12])
local deletes = states + 2 * tonumber(ARGV[13])
put(KEYS[4], 15, states)
put(KEYS[5], states, deletes)
if ARGV[14] ~= '' then
    redis.call('XADD', KEYS[6], id, 'ids', ARGV[14])
end
for first = deletes, #ARGV, AT_ONCE do
    redis.call('HDEL', KEYS[4], unpack(ARGV, first, math.min(first + AT_ONCE - 1, #ARGV)))
end
return {'done', ARGV[3]}
