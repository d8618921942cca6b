-- What all processes together may call. A refilled limit is a hash of tokens and when they were
-- counted; a windowed one is a set of uses by when they count no longer.

-- A use whose process has died counts until its call must have ended.
local callMs = 20000
local lookAgainMs = 200

local function limitKey(name) return prefix .. 'limit:' .. name end

local function refilled(limit, now)
  local stored = redis.call('HMGET', limitKey(limit.key), 'tokens', 'at')
  local gained = math.max(0, now - (tonumber(stored[2]) or now)) / 1000 * limit.perSecond
  return math.min(limit.capacity, (tonumber(stored[1]) or limit.capacity) + gained)
end

local function waitForToken(limit, tokens)
  if tokens >= 1 then return 0 end
  return math.ceil((1 - tokens) / limit.perSecond * 1000)
end

local function waitForWindow(limit, now)
  local key = limitKey(limit.key)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', whole(now))
  local over = redis.call('ZCARD', key) + 1 - limit.calls
  if over <= 0 then return 0 end
  local freed = redis.call('ZRANGE', key, over - 1, over - 1, 'WITHSCORES')[2]
  local waitMs = tonumber(freed) - now
  -- It waits for a call under way, of which nobody knows when it ends.
  if waitMs > limit.windowMs then return lookAgainMs end
  return math.max(1, waitMs)
end

local function take(limit, tokens, use, now)
  local key = limitKey(limit.key)
  if limit.calls then
    redis.call('ZADD', key, whole(now + callMs), use)
    redis.call('PEXPIRE', key, whole(callMs + limit.windowMs))
    return limit.calls - redis.call('ZCARD', key)
  end
  redis.call('HSET', key, 'tokens', tokens - 1, 'at', whole(now))
  redis.call('PEXPIRE', key, whole(math.ceil(limit.capacity / limit.perSecond * 1000)))
  return tokens - 1
end

-- One use of each limit, or none: whether it was granted, then what is left or how long each is short.
function operations.spend(text, use)
  local limits, now = cjson.decode(text), nowMs()
  local waits, tokens, isShort = {}, {}, false
  for index, limit in ipairs(limits) do
    if limit.calls then waits[index] = waitForWindow(limit, now)
    else
      tokens[index] = refilled(limit, now)
      waits[index] = waitForToken(limit, tokens[index])
    end
    if waits[index] > 0 then isShort = true end
  end
  local numbers = {}
  for index, limit in ipairs(limits) do
    numbers[index] = isShort and whole(waits[index])
      or tostring(take(limit, tokens[index], use, now))
  end
  return { isShort and 0 or 1, numbers }
end

-- A call has ended: its uses count for their windows from now on.
function operations.spent(text, use)
  local now = nowMs()
  for _, limit in ipairs(cjson.decode(text)) do
    if limit.calls then
      redis.call('ZADD', limitKey(limit.key), 'XX', whole(now + limit.windowMs), use)
    end
  end
end
