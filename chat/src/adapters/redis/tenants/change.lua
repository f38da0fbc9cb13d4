-- Drops what is kept, and keeps nothing for a while. KEYS: an application. ARGV: how long, in ms.
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'changing', 1)
redis.call('PEXPIRE', KEYS[1], ARGV[1])
