-- Commands that only the owner of a journal may give: all of them or none.
--
--   KEYS[1]    usher:{<pool>}:meta   hash, see append.lua
--   KEYS[2..]  the keys of the commands
--   ARGV[1]    token of the caller; '' for a journal that is not there yet
--   ARGV[2..]  each command: how many words it has, then its words
--
-- Answers {'done', reply of the last command}, or {'taken', owner} or {'gone'}, and then nothing
-- was done.

local held = redis.call('HMGET', KEYS[1], 'token', 'owner')
if not held[1] and ARGV[1] ~= '' then
    return {'gone'}
end
if (held[1] or '') ~= ARGV[1] then
    return {'taken', held[2] or ''}
end

local reply = ''
local place = 2
while place <= #ARGV do
    local words = tonumber(ARGV[place])
    reply = redis.call(unpack(ARGV, place + 1, place + words))
    place = place + words + 1
end
return {'done', reply}
