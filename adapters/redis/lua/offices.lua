-- What only one process may have: who has it says so again and again, and loses it by falling silent.

-- True when it is this process's from now on, or still.
function operations.office(name, self, leaseMs)
  local key = prefix .. 'office:' .. name
  local holder = redis.call('GET', key)
  if holder and holder ~= self then return 0 end
  redis.call('SET', key, self, 'PX', leaseMs)
  return 1
end

function operations.leave(name, self)
  local key = prefix .. 'office:' .. name
  if redis.call('GET', key) == self then redis.call('DEL', key) end
end
