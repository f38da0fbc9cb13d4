-- KEYS: an application. Answers the process of Redis and its time in ms, then what is kept, if it was
-- kept by this process.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local kept = redis.call('HMGET', KEYS[1], 'r', 'value')
return { rid, now, kept[1] == rid and kept[2] or '' }
