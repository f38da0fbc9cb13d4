-- Keeps what was read from the store, unless it may have changed since.
-- KEYS: an application. ARGV: value, process and time in ms when the store was about to be read, how old
-- that may be, how long to keep it.
local time = redis.call('TIME')
local age = time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[3]
if ARGV[2] ~= rid or age < 0 or age > tonumber(ARGV[4]) then
    return 0
end
if redis.call('HEXISTS', KEYS[1], 'changing') == 1 then
    return 0
end
redis.call('HSET', KEYS[1], 'r', rid, 'value', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return 1
