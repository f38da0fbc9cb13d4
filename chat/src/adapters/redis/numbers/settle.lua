-- Says how a claim ended, if it is known. KEYS: the claim. ARGV: 'A' for confirmed, 'P' for a definite no.
local record = redis.call('GET', KEYS[1])
if record then
    local state, number, since, owner = string.match(record, '^(%u) (%d+) (%d+) (%x+)$')
    if ARGV[1] == 'A' then
        redis.call('SET', KEYS[1], 'A ' .. number .. ' ' .. since .. ' ' .. owner, 'KEEPTTL')
    elseif state == 'P' then
        -- As if its deadline had passed.
        redis.call('SET', KEYS[1], 'P ' .. number .. ' 0 ' .. owner, 'KEEPTTL')
    end
end
