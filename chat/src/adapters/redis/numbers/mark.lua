-- Says whether a chat exists. Deleted is final. KEYS: the sequences. ARGV: '1' or 'd', how long a deleted
-- chat is kept in milliseconds.
if ARGV[1] == 'd' then
    redis.call('HSET', KEYS[1], 'x', 'd')
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
else
    redis.call('HSETNX', KEYS[1], 'x', '1')
end
