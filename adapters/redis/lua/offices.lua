-- What is cut into parts of which each is one process's at a time: who has a part says so again and
-- again, and loses it by falling silent. Times are Redis' own.
--
-- office:<name>:cut       a hash: how much there is (size), and how many parts that makes (parts)
-- office:<name>:<part>    who has it; lapses
-- office:<name>:present   a hash: who could have parts -> until when, since when
-- office:<name>:handing   there for a while after a part was handed over; lapses
--
-- All of it lapses when nobody asks any more.

-- The cut outlasts every part.
local cutMarginMs = 1000

local function officeKey(name, what) return prefix .. 'office:' .. name .. ':' .. what end

-- Who could have parts now, by since when.
local function presentIn(name, now)
  local key, present, count = officeKey(name, 'present'), {}, 0
  for who, times in pairs(hash(key) or {}) do
    local untilMs, sinceMs = string.match(times, '^(%d+) (%d+)$')
    if tonumber(untilMs) < now then redis.call('HDEL', key, who)
    else
      present[who] = tonumber(sinceMs)
      count = count + 1
    end
  end
  return present, count
end

-- Says whether one could have parts; keeps since when.
local function announce(name, self, isFit, now, leaseMs)
  local key = officeKey(name, 'present')
  if not isFit then
    redis.call('HDEL', key, self)
    return
  end
  local times = redis.call('HGET', key, self)
  local untilMs, sinceMs = string.match(times or '', '^(%d+) (%d+)$')
  if not untilMs or tonumber(untilMs) < now then sinceMs = whole(now) end
  redis.call('HSET', key, self, whole(now + leaseMs) .. ' ' .. sinceMs)
  redis.call('PEXPIRE', key, whole(leaseMs))
end

local function holdersOf(name, parts)
  local holders, isAny = {}, false
  for part = 0, parts - 1 do
    holders[part] = redis.call('GET', officeKey(name, part))
    if holders[part] then isAny = true end
  end
  return holders, isAny
end

-- The first that is free, looked for from one on.
local function freePart(holders, parts, from)
  for step = 0, parts - 1 do
    local part = (from + step) % parts
    if not holders[part] then return part end
  end
  return nil
end

-- True where somebody who has been there since then has so many parts fewer.
local function isDeprived(present, counts, self, fewer, settledBeforeMs)
  for who, sinceMs in pairs(present) do
    local less = (counts[self] or 0) - (counts[who] or 0)
    if who ~= self and sinceMs <= settledBeforeMs and less >= fewer then return true end
  end
  return false
end

-- Says that one is there, keeps what one has, and takes one part where less than a fair share is had.
-- Gives size and parts of the cut, what one has, and the part to hand over, or -1.
function operations.office(text)
  local asked = cjson.decode(text)
  local name, self, now = asked.name, asked.self, nowMs()
  local stored = redis.call('HMGET', officeKey(name, 'cut'), 'size', 'parts')
  local size, parts = tonumber(stored[1]), tonumber(stored[2])
  local holders, isAny = holdersOf(name, parts or 0)
  if not isAny then
    -- While nobody has anything it is cut as whoever comes first wants it.
    size, parts, holders = asked.size, asked.parts, {}
    redis.call('HSET', officeKey(name, 'cut'), 'size', whole(size), 'parts', whole(parts))
  end
  redis.call('PEXPIRE', officeKey(name, 'cut'), whole(asked.leaseMs + cutMarginMs))
  announce(name, self, asked.isFit, now, asked.leaseMs)
  local present, count = presentIn(name, now)
  local counts = {}
  for _, who in pairs(holders) do
    if who then counts[who] = (counts[who] or 0) + 1 end
  end
  local mine = counts[self] or 0
  local share = math.ceil(parts / math.max(1, count))
  -- Who has just failed leaves it to others, if there are any.
  if not asked.isFit and count > 0 then share = 0 end
  local free = freePart(holders, parts, asked.from)
  local handing, give = officeKey(name, 'handing'), -1
  -- What was just handed over is for who has less.
  local isOthers = redis.call('EXISTS', handing) == 1 and isDeprived(present, counts, self, 1, now)
  if asked.mayTake and free and mine < share and not isOthers then
    holders[free] = self
  elseif asked.mayTake and not free
    and isDeprived(present, counts, self, 2, now - asked.settledMs)
    and redis.call('SET', handing, self, 'NX', 'PX', whole(asked.pauseMs))
  then
    for part = 0, parts - 1 do
      if holders[part] == self then give = part end
    end
  end
  local held = {}
  for part = 0, parts - 1 do
    if holders[part] == self then
      redis.call('SET', officeKey(name, part), self, 'PX', whole(asked.leaseMs))
      held[#held + 1] = whole(part)
    end
  end
  return { whole(size), whole(parts), held, whole(give) }
end

-- One part is given up.
function operations.leaveOffice(name, self, part)
  local key = officeKey(name, part)
  if redis.call('GET', key) == self then redis.call('DEL', key) end
end

-- One is there no longer.
function operations.quitOffices(name, self)
  redis.call('HDEL', officeKey(name, 'present'), self)
end
