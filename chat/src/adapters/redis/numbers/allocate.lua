-- The next numbers of a scope, or why there is none (PROTOCOLS A, allocate).
-- KEYS: the sequences of a chat, or of an application's chats; the claim, if there is one.
-- ARGV: kind of scope, numbers in a block, length of a lease, how many numbers at most; for a claim, which
-- takes one, also its fingerprint, how long its publish may take, how long it is kept. Times are in
-- milliseconds of this server's clock.
local sequence, claim = KEYS[1], KEYS[2]
local kind, block, lease, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local fingerprint, patience, keep = ARGV[5], tonumber(ARGV[6]), ARGV[7]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- Lua writes large numbers with an exponent.
local function whole(number)
    return string.format('%.0f', number)
end

local record = claim and redis.call('GET', claim)
if record then
    local state, number, since, owner = string.match(record, '^(%u) (%d+) (%d+) (%x+)$')
    if owner ~= fingerprint then
        return 'mismatch'
    end
    if state == 'A' then
        return 'replay ' .. number
    end
    local left = since + patience - now
    if left > 0 then
        return 'in-flight ' .. whole(math.min(left, patience))
    end
    redis.call('SET', claim, 'P ' .. number .. ' ' .. whole(now) .. ' ' .. owner, 'KEEPTTL')
    return 'unsettled ' .. number
end

local fields = redis.call('HMGET', sequence, 'x', kind .. 'n', kind .. 'hi', kind .. 'r', kind .. 'l')
local exists, last, hi, leased = fields[1], tonumber(fields[2]), tonumber(fields[3]), tonumber(fields[5])
if kind ~= 'c' and not exists then
    return 'no-chat'
end
if exists == 'd' then
    return 'gone'
end

-- One caller at a time reserves. A lease from a clock that was far ahead binds nobody.
local function may_reserve()
    if leased and leased > now and leased <= now + lease then
        return false
    end
    redis.call('HSET', sequence, kind .. 'l', whole(now + lease))
    return true
end

-- The fence: what another process of Redis wrote may be old, whatever it says.
local ours = fields[4] == rid and last and hi
if not ours or last >= hi then
    if not may_reserve() then
        return 'wait'
    end
    return 'need ' .. rid .. (ours and ' ' .. fields[3] or '')
end

local take = math.min(most, hi - last)
last = redis.call('HINCRBY', sequence, kind .. 'n', take)
if claim then
    redis.call('SET', claim, 'P ' .. whole(last) .. ' ' .. whole(now) .. ' ' .. fingerprint, 'PX', keep)
end
local given = 'given ' .. whole(last - take + 1) .. ' ' .. whole(last)
if hi - last <= block / 2 and may_reserve() then
    return given .. ' ' .. rid .. ' ' .. fields[3]
end
return given
