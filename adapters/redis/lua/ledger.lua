-- The ledger's names and how a change is applied to them. KEYS[1] is what every key begins with;
-- its hash tag keeps them all in one slot. Values are JSON texts: Lua never looks into them.
local prefix = KEYS[1]

local function whole(number)
  return string.format('%.0f', number)
end

local function versionOf(name)
  local stored = redis.call('HGET', prefix .. 'registers', name)
  return stored and tonumber(string.match(stored, '^%d+')) or 0
end

local function setRegister(name, value)
  if value == 'null' then
    redis.call('HDEL', prefix .. 'registers', name)
    redis.call('ZREM', prefix .. 'register-names', name)
    return
  end
  redis.call('HSET', prefix .. 'registers', name, whole(versionOf(name) + 1) .. ' ' .. value)
  redis.call('ZADD', prefix .. 'register-names', 0, name)
end

local function append(list, value)
  local position = whole(redis.call('HINCRBY', prefix .. 'list-ends', list, 1))
  redis.call('ZADD', prefix .. 'list:' .. list, position, position .. ' ' .. value)
end

local function replaceItem(list, position, value)
  local items = prefix .. 'list:' .. list
  if redis.call('ZREMRANGEBYSCORE', items, position, position) == 0 then return end
  if value ~= 'null' then redis.call('ZADD', items, position, position .. ' ' .. value) end
end

local function remove(name)
  redis.call('DEL', prefix .. 'list:' .. name, prefix .. 'rank:' .. name, prefix .. 'count:' .. name)
  redis.call('HDEL', prefix .. 'list-ends', name)
end

local function rank(ranking, member, score)
  if score == 'null' then redis.call('ZREM', prefix .. 'rank:' .. ranking, member)
  else redis.call('ZADD', prefix .. 'rank:' .. ranking, score, member) end
end

local function count(counter, field, by)
  redis.call('HINCRBYFLOAT', prefix .. 'count:' .. counter, field, by)
end

-- A change as it is sent: rows of texts by what is done with them. Versions are not looked at.
local function applyChange(text)
  if text == '' then return end
  local change = cjson.decode(text)
  for _, row in ipairs(change.removes) do remove(row[1]) end
  for _, row in ipairs(change.registers) do setRegister(row[1], row[2]) end
  for _, row in ipairs(change.appends) do append(row[1], row[2]) end
  for _, row in ipairs(change.replaces) do replaceItem(row[1], row[2], row[3]) end
  for _, row in ipairs(change.ranks) do rank(row[1], row[2], row[3]) end
  for _, row in ipairs(change.counts) do count(row[1], row[2], row[3]) end
end

local function versionsHold(text)
  for _, row in ipairs(cjson.decode(text).registers) do
    if row[3] and versionOf(row[1]) ~= tonumber(row[3]) then return false end
  end
  return true
end

local operations = {}

function operations.apply(change)
  if not versionsHold(change) then return 0 end
  applyChange(change)
  return 1
end
