-- Puts a reserved block into use (PROTOCOLS A, install). Never to be sent twice.
-- KEYS: the sequences. ARGV: kind of scope, lo, hi, the process of Redis it was reserved for.
local sequence = KEYS[1]
local kind, lo, hi, reserved_for = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if reserved_for ~= rid then
    return 0
end
local fields = redis.call('HMGET', sequence, kind .. 'hi', kind .. 'r')
local ours = fields[2] == rid
if ours and tonumber(lo) < tonumber(fields[1]) then
    return 0
end
if not (ours and lo == fields[1]) then
    redis.call('HSET', sequence, kind .. 'n', lo, kind .. 'r', rid)
end
redis.call('HSET', sequence, kind .. 'hi', hi)
redis.call('HDEL', sequence, kind .. 'l')
return 1
