-- One request out of each bucket, up to the first that refuses: `ops::limits::take`, in the same whole
-- microseconds.
-- KEYS: the buckets. ARGV: the time in microseconds, or nothing for this server's clock; then interval in
-- microseconds and burst of each. Answers for each: allowed, remaining, reset in ms, retry after in ms.
local now = tonumber(ARGV[1])
if not now then
    local time = redis.call('TIME')
    now = time[1] * 1000000 + time[2]
end
local function millis_up(us)
    return math.ceil(math.max(us, 0) / 1000)
end

local answers = {}
for i, key in ipairs(KEYS) do
    local interval, burst = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
    local capacity = interval * burst
    local before = math.max(tonumber(redis.call('GET', key) or 0), now)
    local after = before + interval
    local early = after - capacity - now
    local allowed = early <= 0
    local tat = allowed and after or before
    if allowed then
        -- It is empty by then, and as good as never used; ten seconds more for clocks that are set back.
        redis.call('SET', key, string.format('%.0f', tat), 'PX', millis_up(tat - now) + 10000)
    end
    answers[i] = {
        allowed and 1 or 0,
        math.floor(math.max(capacity - (tat - now), 0) / interval),
        millis_up(tat - now),
        allowed and 0 or millis_up(early),
    }
    if not allowed then
        break
    end
end
return answers
