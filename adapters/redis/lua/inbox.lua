-- The line of every conversation: each operation is one step of its life, atomic. Redis' own clock
-- counts, so that processes need not agree on the time.
--
-- item:<event>           a hash: conversation, kind, state, person, payload, detail, at, amendment
-- line:<state>:<conv>    events of a conversation by sequence; 'waiting' is also the line of all
-- run:<conv>             the run at hand: epoch, state, due, attempts, stop, job, checkpoint, journal,
--                         takenOver (when it last was, from somebody who had not ended),
--                         lapsed (the epoch whose lease once had lapsed, and is held again)
-- due                    conversations by when somebody has to look at them at the latest
--
-- What changes a line tells the `news` of it on a channel, to those who show it: whether or not that works.

-- A conversation nobody has begun by then has lost its wake-up.
local wakeGraceMs = 5000
-- A run at work is looked at again this often: whether anybody still holds it.
local watchMs = 10000
local suspectAttempts = 2
local paceMs = 60000

local function nowMs()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function itemKey(event) return prefix .. 'item:' .. event end
local function lineKey(state, conversation) return prefix .. 'line:' .. state .. ':' .. conversation end
local function runKey(conversation) return prefix .. 'run:' .. conversation end

local function lookAt(conversation, atMs)
  redis.call('ZADD', prefix .. 'due', whole(atMs), conversation)
end

local function hash(key)
  local flat = redis.call('HGETALL', key)
  if #flat == 0 then return nil end
  local fields = {}
  for index = 1, #flat, 2 do fields[flat[index]] = flat[index + 1] end
  return fields
end

local function inLine(state, conversation)
  return redis.call('ZRANGE', lineKey(state, conversation), 0, -1)
end

local function itemsOf(events)
  local items = {}
  for _, event in ipairs(events) do
    items[#items + 1] = redis.call('HMGET', itemKey(event), 'event', 'kind', 'person', 'payload', 'at', 'amendment')
  end
  return items
end

local function remember(event, conversation, now)
  if redis.call('HSETNX', prefix .. 'seen', event, conversation) == 0 then return false end
  redis.call('ZADD', prefix .. 'seen-at', whole(now), event)
  return true
end

local function enqueue(item, now)
  local sequence = redis.call('INCR', prefix .. 'sequence')
  redis.call('HSET', itemKey(item.event), 'event', item.event, 'conversation', item.conversation,
    'kind', item.kind, 'state', item.state, 'person', item.person, 'payload', item.payload,
    'detail', item.detail, 'at', whole(now))
  redis.call('ZADD', lineKey(item.state, item.conversation), sequence, item.event)
  if item.state == 'waiting' then redis.call('ZADD', prefix .. 'waiting', sequence, item.event) end
end

local function move(event, conversation, from, to)
  local sequence = redis.call('ZSCORE', lineKey(from, conversation), event)
  if not sequence then return false end
  redis.call('ZREM', lineKey(from, conversation), event)
  redis.call('ZADD', lineKey(to, conversation), sequence, event)
  redis.call('HSET', itemKey(event), 'state', to)
  if from == 'waiting' then redis.call('ZREM', prefix .. 'waiting', event) end
  return true
end

local function drop(event, conversation, state)
  if redis.call('ZREM', lineKey(state, conversation), event) == 0 then return end
  redis.call('DEL', itemKey(event))
  if state == 'waiting' then redis.call('ZREM', prefix .. 'waiting', event) end
end

local function dropAll(conversation, state)
  local events = inLine(state, conversation)
  for _, event in ipairs(events) do drop(event, conversation, state) end
  return events
end

local function hasRun(conversation)
  return redis.call('EXISTS', runKey(conversation)) == 1
end

-- Whether somebody holds the lock of the job that began the run.
local function isAtWork(run, locks)
  return run.state == 'running' and redis.call('EXISTS', locks .. run.job .. ':lock') == 1
end

local function isTooFast(person, limit, now)
  local pace = prefix .. 'pace:' .. person
  redis.call('ZREMRANGEBYSCORE', pace, '-inf', whole(now - paceMs))
  return redis.call('ZCARD', pace) >= tonumber(limit)
end

function operations.accept(channel, news, event, conversation, person, payload, detail, waitingLimit, paceLimit)
  local now = nowMs()
  if redis.call('HEXISTS', prefix .. 'seen', event) == 1 then
    local known = redis.call('HMGET', itemKey(event), 'state', 'detail')
    if known[1] == 'waiting' and tonumber(known[2]) < tonumber(detail) then
      redis.call('HSET', itemKey(event), 'payload', payload, 'detail', detail)
    end
    return { 'duplicate', 0, 0 }
  end
  local before = redis.call('ZCARD', lineKey('waiting', conversation))
  if before >= tonumber(waitingLimit) then return { 'conversation-full', 0, 0 } end
  if isTooFast(person, paceLimit, now) then return { 'person-too-fast', 0, 0 } end
  remember(event, conversation, now)
  redis.call('ZADD', prefix .. 'pace:' .. person, whole(now), event)
  redis.call('PEXPIRE', prefix .. 'pace:' .. person, paceMs)
  enqueue({ event = event, conversation = conversation, kind = 'message', state = 'waiting',
    person = person, payload = payload, detail = detail }, now)
  redis.pcall('PUBLISH', channel, news)
  -- Whoever ends the run at hand sees what has come meanwhile.
  if hasRun(conversation) then return { 'accepted', before + 1, 0 } end
  lookAt(conversation, now + wakeGraceMs)
  return { 'accepted', before, 1 }
end

function operations.control(channel, news, event, conversation, payload, to)
  local now = nowMs()
  if not remember(event, conversation, now) then return { 'duplicate', 0 } end
  local state = redis.call('HGET', runKey(conversation), 'state')
  if to == 'run' and not state then return { 'accepted', 0 } end
  enqueue({ event = event, conversation = conversation, kind = 'control', person = '',
    state = to == 'run' and 'pending' or 'next', payload = payload, detail = 0 }, now)
  redis.pcall('PUBLISH', channel, news)
  local wakes = not state or (to == 'run' and state == 'parked')
  if not wakes then return { 'accepted', 0 } end
  lookAt(conversation, now + wakeGraceMs)
  return { 'accepted', 1 }
end

local function amendOutOfLine(event, type, now)
  local conversation = redis.call('HGET', prefix .. 'seen', event)
  if conversation then
    return conversation == '' and 'unknown' or 'answered', conversation
  end
  if type == 'deleted' then remember(event, '', now) end
  return 'unknown', ''
end

local function amendInLine(event, item, type, payload, change)
  if item.state == 'taken' then
    redis.call('HSET', itemKey(event), 'amendment', change)
    return 'running'
  end
  if type == 'deleted' then drop(event, item.conversation, 'waiting')
  else
    -- A late repeat of the old version must not undo the edit, however much it knows.
    redis.call('HSET', itemKey(event), 'payload', payload, 'detail', '9007199254740991')
  end
  return 'waiting'
end

function operations.amend(event, changeId, type, payload, change)
  local now = nowMs()
  local answered = redis.call('HGET', prefix .. 'changes', changeId)
  if answered then
    local state, conversation = string.match(answered, '^(%l+) (.*)$')
    return { state, conversation, {} }
  end
  local item = hash(itemKey(event))
  local state, conversation
  if item and (item.state == 'waiting' or item.state == 'taken') then
    state, conversation = amendInLine(event, item, type, payload, change), item.conversation
  else
    state, conversation = amendOutOfLine(event, type, now)
  end
  if state ~= 'unknown' or type == 'deleted' then
    redis.call('HSET', prefix .. 'changes', changeId, state .. ' ' .. conversation)
    redis.call('ZADD', prefix .. 'changes-at', whole(now), changeId)
  end
  return { state, conversation, state == 'running' and itemsOf({ event }) or {} }
end

function operations.cancel(conversation, what)
  local now = nowMs()
  local current, wakes, queued = 0, 0, {}
  if what ~= 'queued' and hasRun(conversation) then
    current = 1
    redis.call('HSET', runKey(conversation), 'stop', 1)
    if redis.call('HGET', runKey(conversation), 'state') ~= 'running' then
      wakes = 1
      lookAt(conversation, now + wakeGraceMs)
    end
  end
  if what ~= 'current' then queued = dropAll(conversation, 'waiting') end
  return { current, wakes, queued }
end

-- Asked for with every new connection, before anything else: another server, or the same one started
-- again, may have lost its last moments. A hosted one may keep its name to itself.
function operations.meetServer()
  local info = redis.pcall('INFO', 'server')
  local id = type(info) == 'string' and string.match(info, 'run_id:(%w+)')
  local known = redis.call('GET', prefix .. 'server')
  if not id or id == known then return 0 end
  if known then redis.call('SET', prefix .. 'lost-at', whole(nowMs())) end
  redis.call('SET', prefix .. 'server', id)
  return 1
end

local function lostAt()
  return redis.call('GET', prefix .. 'lost-at')
end

-- Sorts as text in the order of leases. The era is raised by what is taken in from elsewhere.
local function nextEpoch(owner)
  local number = redis.call('INCR', prefix .. 'epochs')
  local era = redis.call('GET', prefix .. 'era') or '000000'
  return era .. '-' .. string.format('%012.0f', number) .. '-' .. owner
end

-- Somebody else's run that has crashed often is at work.
local function isHeldBack(conversation)
  local suspect = redis.call('GET', prefix .. 'suspect')
  if not suspect or suspect == conversation then return false end
  return redis.call('HGET', runKey(suspect), 'state') == 'running'
end

local function beginAgain(channel, news, conversation, run, owner, job, locks, now)
  if run.job ~= job and isAtWork(run, locks) then
    lookAt(conversation, now + wakeGraceMs)
    return { 'nothing', '' }
  end
  local controls = itemsOf(inLine('given', conversation))
  for _, item in ipairs(itemsOf(inLine('pending', conversation))) do controls[#controls + 1] = item end
  local isWoken = run.stop == '1' or (run.state == 'parked' and #controls > 0)
  if tonumber(run.due or 0) > now and not isWoken then
    lookAt(conversation, run.due)
    return { 'nothing', run.due }
  end
  local attempts = tonumber(run.attempts)
  -- The answer to this very request was lost on its way: nobody has worked on it.
  if run.state == 'running' and string.sub(run.epoch, -#owner - 1) == '-' .. owner then
    attempts = attempts - 1
  elseif run.state == 'running' then
    -- Whoever held it has not ended: what that one had sent may come late.
    run.takenOver = whole(now)
    redis.call('HSET', runKey(conversation), 'takenOver', run.takenOver)
  end
  if attempts >= suspectAttempts then
    if isHeldBack(conversation) then
      redis.call('SADD', prefix .. 'held', conversation)
      lookAt(conversation, now + wakeGraceMs)
      return { 'held', '' }
    end
    redis.call('SET', prefix .. 'suspect', conversation)
  end
  local epoch = nextEpoch(owner)
  redis.call('HSET', runKey(conversation), 'state', 'running', 'epoch', epoch, 'job', job,
    'attempts', attempts + 1, 'stop', run.stop == '0' and 0 or 2)
  redis.call('HDEL', runKey(conversation), 'due')
  redis.call('SMOVE', prefix .. 'parked', prefix .. 'running', conversation)
  for _, event in ipairs(inLine('pending', conversation)) do
    move(event, conversation, 'pending', 'given')
  end
  lookAt(conversation, now + watchMs)
  redis.pcall('PUBLISH', channel, news)
  return { 'begun', epoch, attempts + 1, run.stop == '0' and 0 or 1, run.checkpoint or false,
    run.journal or false, itemsOf(inLine('taken', conversation)), controls, lostAt(), run.takenOver or false }
end

local function takeNext(conversation, chosen)
  local control = redis.call('ZRANGE', lineKey('next', conversation), 0, 0)[1]
  if control then
    move(control, conversation, 'next', 'taken')
    return { control }
  end
  local waiting = inLine('waiting', conversation)
  if #waiting < 2 then
    if waiting[1] then move(waiting[1], conversation, 'waiting', 'taken') end
    return waiting
  end
  if chosen == '' then return nil, waiting end
  local selection, taken = cjson.decode(chosen), {}
  for _, event in ipairs(selection.take) do
    if move(event, conversation, 'waiting', 'taken') then taken[#taken + 1] = event end
  end
  -- Whatever the policy says, a line moves.
  if #taken == 0 then
    move(waiting[1], conversation, 'waiting', 'taken')
    taken = { waiting[1] }
  end
  for _, event in ipairs(selection.drop) do drop(event, conversation, 'waiting') end
  return taken
end

-- Gives the conversation's next lease. 'choose' asks for the policy's choice among what waits.
function operations.begin(channel, news, conversation, owner, job, locks, chosen)
  local now = nowMs()
  local run = hash(runKey(conversation))
  if run then return beginAgain(channel, news, conversation, run, owner, job, locks, now) end
  local taken, waiting = takeNext(conversation, chosen)
  if not taken then return { 'choose', itemsOf(waiting) } end
  if #taken == 0 then
    redis.call('ZREM', prefix .. 'due', conversation)
    return { 'nothing', '' }
  end
  local epoch = nextEpoch(owner)
  redis.call('HSET', runKey(conversation), 'epoch', epoch, 'state', 'running', 'job', job,
    'attempts', 1, 'stop', 0)
  redis.call('SADD', prefix .. 'running', conversation)
  lookAt(conversation, now + watchMs)
  redis.pcall('PUBLISH', channel, news)
  return { 'begun', epoch, 1, 0, false, false, itemsOf(inLine('taken', conversation)), {}, lostAt() }
end

-- The run at hand when this epoch is at work on it; nothing written without it counts.
local function held(conversation, epoch)
  local run = redis.call('HMGET', runKey(conversation), 'epoch', 'state', 'stop', 'lapsed')
  if run[1] ~= epoch or run[2] ~= 'running' then return nil end
  return run[3] == '1' and 'stop' or 'held', run[4] == epoch
end

-- Whatever is written or asked while holding renews it: what is sent next has a whole lease's time. Where it
-- had lapsed once somebody else may be on the way to the conversation already, whoever holds the lock now:
-- that is said as well.
local function renewed(conversation, epoch, lock, token, lockMs)
  local state, hasLapsed = held(conversation, epoch)
  if not state then return nil end
  local holder = redis.call('GET', lock)
  if holder and holder ~= token then return nil end
  if not holder then
    hasLapsed = true
    redis.call('HSET', runKey(conversation), 'lapsed', epoch)
  end
  redis.call('SET', lock, token, 'PX', lockMs)
  return hasLapsed and state .. ' lapsed' or state
end

function operations.assert(...)
  return renewed(...) or 'lost'
end

function operations.save(conversation, epoch, lock, token, lockMs, checkpoint, change)
  local state = renewed(conversation, epoch, lock, token, lockMs)
  if not state then return 'lost' end
  redis.call('HSET', runKey(conversation), 'checkpoint', checkpoint)
  applyChange(change)
  return state
end

function operations.saveJournal(conversation, epoch, lock, token, lockMs, journal)
  local state = renewed(conversation, epoch, lock, token, lockMs)
  if not state then return 'lost' end
  redis.call('HSET', runKey(conversation), 'journal', journal)
  return state
end

-- A run that has crashed often is over: those that waited for that have their turn.
local function release(conversation, now)
  if redis.call('GET', prefix .. 'suspect') ~= conversation then return 0 end
  redis.call('DEL', prefix .. 'suspect')
  local waiting = redis.call('SMEMBERS', prefix .. 'held')
  for _, other in ipairs(waiting) do lookAt(other, now) end
  redis.call('DEL', prefix .. 'held')
  return #waiting
end

-- An attempt that ended without a word is counted, and what it was given comes again.
function operations.pause(channel, news, conversation, epoch, state, dueMs, afterMs, checkpoint, ending)
  if not held(conversation, epoch) then return { 'lost' } end
  local now = nowMs()
  local due = afterMs == '' and tonumber(dueMs) or now + tonumber(afterMs)
  local run = runKey(conversation)
  redis.call('HSET', run, 'state', state, 'due', whole(due))
  if checkpoint ~= '' then redis.call('HSET', run, 'checkpoint', checkpoint) end
  if ending ~= 'crash' then redis.call('HINCRBY', run, 'attempts', -1) end
  if ending == 'polite' then dropAll(conversation, 'given') end
  if state == 'parked' then redis.call('SMOVE', prefix .. 'running', prefix .. 'parked', conversation) end
  local isWoken = redis.call('HGET', run, 'stop') == '1'
    or (state == 'parked' and redis.call('ZCARD', lineKey('pending', conversation)) > 0)
  lookAt(conversation, isWoken and now + wakeGraceMs or due)
  redis.pcall('PUBLISH', channel, news)
  return { isWoken and 1 or 0, release(conversation, now), whole(due - now) }
end

local function setAside(conversation, code, now)
  local checkpoint = redis.call('HGET', runKey(conversation), 'checkpoint')
  for _, event in ipairs(inLine('taken', conversation)) do
    local item = itemsOf({ event })[1]
    redis.call('HSET', prefix .. 'aside:' .. event, 'event', event, 'conversation', conversation,
      'kind', item[2], 'person', item[3], 'payload', item[4], 'accepted', item[5],
      'amendment', item[6] or '', 'code', code, 'checkpoint', checkpoint or '', 'at', whole(now))
    redis.call('ZADD', prefix .. 'aside-at', whole(now), event)
    redis.call('SADD', prefix .. 'asides:' .. conversation, event)
  end
end

local function forgetAside(event)
  local conversation = redis.call('HGET', prefix .. 'aside:' .. event, 'conversation')
  redis.call('DEL', prefix .. 'aside:' .. event)
  redis.call('ZREM', prefix .. 'aside-at', event)
  if conversation then redis.call('SREM', prefix .. 'asides:' .. conversation, event) end
end

-- Ends the run at hand. A code sets what it took aside; 'forget' deletes what was set aside before.
function operations.finish(channel, news, conversation, epoch, change, code, forget)
  if not held(conversation, epoch) then return { 'lost' } end
  local now = nowMs()
  if forget == '1' then
    for _, event in ipairs(redis.call('SMEMBERS', prefix .. 'asides:' .. conversation)) do forgetAside(event) end
  end
  if code ~= '' then setAside(conversation, code, now) end
  applyChange(change)
  redis.call('DEL', runKey(conversation))
  redis.call('SREM', prefix .. 'running', conversation)
  for _, state in ipairs({ 'taken', 'pending', 'given' }) do dropAll(conversation, state) end
  local hasMore = redis.call('EXISTS', lineKey('next', conversation), lineKey('waiting', conversation)) > 0
  if hasMore then lookAt(conversation, now + wakeGraceMs)
  else redis.call('ZREM', prefix .. 'due', conversation) end
  redis.pcall('PUBLISH', channel, news)
  return { hasMore and 1 or 0, release(conversation, now), '' }
end

-- Conversations somebody has to look at now; each is looked at again when that is lost, too.
function operations.sweep(locks, limit)
  local now = nowMs()
  local overdue = {}
  for _, conversation in ipairs(redis.call('ZRANGEBYSCORE', prefix .. 'due', '-inf', whole(now), 'LIMIT', 0, limit)) do
    local run = hash(runKey(conversation))
    if run and isAtWork(run, locks) then lookAt(conversation, now + watchMs)
    else
      lookAt(conversation, now + wakeGraceMs)
      overdue[#overdue + 1] = conversation
    end
  end
  return overdue
end

function operations.inspect(conversation)
  local now = nowMs()
  local events = redis.call('ZRANGE', conversation == '' and prefix .. 'waiting' or lineKey('waiting', conversation), 0, -1)
  local waiting = {}
  for _, event in ipairs(events) do
    waiting[#waiting + 1] = redis.call('HMGET', itemKey(event), 'event', 'conversation', 'person', 'at')
  end
  if conversation == '' then
    return { whole(now), waiting, redis.call('SCARD', prefix .. 'running'), redis.call('SCARD', prefix .. 'parked') }
  end
  local state = redis.call('HGET', runKey(conversation), 'state')
  return { whole(now), waiting, (state and state ~= 'parked') and 1 or 0, state == 'parked' and 1 or 0 }
end

-- One step of forgetting: how many were forgotten, and how many of those that stay were passed over.
function operations.prune(eventsBeforeMs, asideBeforeMs, offset, limit)
  local forgotten, kept = 0, 0
  for _, event in ipairs(redis.call('ZRANGEBYSCORE', prefix .. 'seen-at', '-inf', '(' .. eventsBeforeMs, 'LIMIT', offset, limit)) do
    if redis.call('EXISTS', itemKey(event)) == 1 then kept = kept + 1
    else
      redis.call('HDEL', prefix .. 'seen', event)
      redis.call('ZREM', prefix .. 'seen-at', event)
      forgotten = forgotten + 1
    end
  end
  for _, change in ipairs(redis.call('ZRANGEBYSCORE', prefix .. 'changes-at', '-inf', '(' .. eventsBeforeMs, 'LIMIT', 0, limit)) do
    redis.call('HDEL', prefix .. 'changes', change)
    redis.call('ZREM', prefix .. 'changes-at', change)
    forgotten = forgotten + 1
  end
  for _, event in ipairs(redis.call('ZRANGEBYSCORE', prefix .. 'aside-at', '-inf', '(' .. asideBeforeMs, 'LIMIT', 0, limit)) do
    forgetAside(event)
    forgotten = forgotten + 1
  end
  return { forgotten, kept }
end
