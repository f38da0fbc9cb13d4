-- The last number given from this process of Redis; nothing when it has no block of its own.
-- KEYS: the sequences. ARGV: kind of scope.
local fields = redis.call('HMGET', KEYS[1], ARGV[1] .. 'n', ARGV[1] .. 'r')
return fields[2] == rid and fields[1]
