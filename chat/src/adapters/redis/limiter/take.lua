-- Requests out of buckets, one after the other, each out of one bucket after the other up to the first that
-- refuses: `ops::limits::take`, in the same whole microseconds.
-- KEYS: the buckets. ARGV: the time in microseconds, or nothing for this server's clock; how many requests;
-- then interval in microseconds and burst of each bucket. Answers for each request and each bucket: allowed,
-- remaining, reset in ms, retry after in ms.
local now, requests = tonumber(ARGV[1]), tonumber(ARGV[2])
if not now then
    local time = redis.call('TIME')
    now = time[1] * 1000000 + time[2]
end
local function millis_up(us)
    return math.ceil(math.max(us, 0) / 1000)
end

local buckets = {}
for i, key in ipairs(KEYS) do
    local interval, burst = tonumber(ARGV[2 * i + 1]), tonumber(ARGV[2 * i + 2])
    local empty_at = math.max(tonumber(redis.call('GET', key) or 0), now)
    buckets[i] = { key = key, interval = interval, capacity = interval * burst, empty_at = empty_at }
end

local function take(bucket)
    local after = bucket.empty_at + bucket.interval
    local early = after - bucket.capacity - now
    local allowed = early <= 0
    if allowed then
        bucket.empty_at, bucket.taken = after, true
    end
    local fill = bucket.empty_at - now
    return allowed, {
        allowed and 1 or 0,
        math.floor(math.max(bucket.capacity - fill, 0) / bucket.interval),
        millis_up(fill),
        allowed and 0 or millis_up(early),
    }
end

local answers = {}
for request = 1, requests do
    local answer = {}
    for i, bucket in ipairs(buckets) do
        local allowed
        allowed, answer[i] = take(bucket)
        if not allowed then
            break
        end
    end
    answers[request] = answer
end
for _, bucket in ipairs(buckets) do
    if bucket.taken then
        -- It is empty by then, and as good as never used; ten seconds more for clocks that are set back.
        local keep = millis_up(bucket.empty_at - now) + 10000
        redis.call('SET', bucket.key, string.format('%.0f', bucket.empty_at), 'PX', keep)
    end
end
return answers
