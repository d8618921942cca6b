-- What is taken in from elsewhere, a line at a time, into a bot that nobody works for.

function operations.takeItem(event, conversation, kind, state, person, payload, detail, at, amendment)
  local known = redis.call('HGET', itemKey(event), 'state')
  if known then drop(event, conversation, known) end
  enqueue({ event = event, conversation = conversation, kind = kind, state = state, person = person,
    payload = payload, detail = detail }, at)
  if amendment ~= '' then redis.call('HSET', itemKey(event), 'amendment', amendment) end
  local startsOne = (state == 'waiting' or state == 'next') and not hasRun(conversation)
  if startsOne or state == 'pending' then lookAt(conversation, nowMs()) end
  return 1
end

function operations.takeRun(conversation, epoch, state, due, attempts, stop, checkpoint, journal)
  local run = runKey(conversation)
  redis.call('DEL', run)
  redis.call('HSET', run, 'epoch', epoch, 'state', state, 'job', '', 'attempts', attempts, 'stop', stop)
  if due ~= '' then redis.call('HSET', run, 'due', due) end
  if checkpoint ~= '' then redis.call('HSET', run, 'checkpoint', checkpoint) end
  if journal ~= '' then redis.call('HSET', run, 'journal', journal) end
  redis.call('SREM', prefix .. 'running', conversation)
  redis.call('SREM', prefix .. 'parked', conversation)
  redis.call('SADD', prefix .. (state == 'parked' and 'parked' or 'running'), conversation)
  local isWoken = due == '' or stop == '1'
  lookAt(conversation, isWoken and nowMs() or due)
  return 1
end

-- Epochs given from now on sort behind those of this era and before.
function operations.takeEra(counter, era)
  local known = redis.call('GET', prefix .. 'taken-era')
  if known and tonumber(known) >= tonumber(counter) then return 0 end
  redis.call('SET', prefix .. 'taken-era', counter)
  redis.call('SET', prefix .. 'era', era)
  return 1
end
