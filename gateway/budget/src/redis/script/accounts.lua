-- The accounts of one tenant, by the server's clock. `calls.lua` follows; both are one script.
--
-- KEYS[1] is the tenant's prefix; every other key begins with it and shares its hash tag:
--   :epoch     which life of the store this is; missing where it has lost everything or never knew the tenant
--   :open      hash, id -> an open call: held, exposed, node, limits
--   :a:WINDOW:SCOPE  hash of an account: period, ends, spent, held, exposed, open, standing, and b<n> for the buckets of
--              a rolling window. No standing: nobody asked yet; `awaited`: the ledger is being read; `seeded`
--   :accounts  set of the accounts
--   :nodes     sorted set of the processes that have open calls, by when they were last heard of; LEDGER/NODE
--   :of:NODE   set of the open calls of a process
--   :gone:ID   a call that may not count (again), or what a stray was settled at: limits, spent
-- ARGV[1] is the question, as JSON; so is the answer. Amounts are nano-dollars below 2^53, which Lua counts exactly;
-- in answers all numbers are strings, as cjson writes but 14 digits.

local base, ask = KEYS[1], cjson.decode(ARGV[1])
local BUCKETS = 60
local KEEP_MS = 48 * 3600 * 1000
local epoch = redis.call('GET', base .. ':epoch')

local function whole(number)
  return string.format('%.0f', number)
end

local now = ask.now
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

local function answer(fields)
  fields.now = whole(now)
  fields.epoch = epoch or nil
  return cjson.encode(fields)
end

-- The calendar's edges come from the caller, whose clock may be off.
for _, edges in pairs(ask.edges) do
  if now < edges[1] or now >= edges[3] then
    return answer({ clock = true })
  end
end

-- A window's period: its number, its end if it has one, and the length of its buckets if it rolls.
local function period(window)
  if window == 'task' then
    return 0
  end
  local edges = ask.edges[window]
  if edges and now < edges[2] then
    return edges[1], edges[2]
  elseif edges then
    return edges[2], edges[3]
  end
  local span = tonumber(string.match(window, '^rolling%-(%d+)$'))
  local bucket = math.max(1, math.ceil(span / BUCKETS))
  return math.floor(now / bucket), nil, bucket
end

-- The buckets of a rolling account: number -> amount.
local function buckets(key)
  local found, fields = {}, redis.call('HGETALL', key)
  for at = 1, #fields, 2 do
    local number = string.match(fields[at], '^b(%-?%d+)$')
    if number then
      found[tonumber(number)] = tonumber(fields[at + 1])
    end
  end
  return found
end

local loaded = {}

-- An account in its current period, which is never an earlier one than before.
local function account(name)
  if loaded[name] then
    return loaded[name]
  end
  local key = base .. ':a:' .. name
  local id, ends, bucket = period(string.match(name, '^([^:]+):'))
  local read = redis.call('HMGET', key, 'period', 'ends', 'spent', 'held', 'exposed', 'open', 'standing')
  local one = {
    name = name, key = key, bucket = bucket, period = tonumber(read[1] or id), ends = tonumber(read[2] or ends),
    spent = tonumber(read[3] or 0), held = tonumber(read[4] or 0), exposed = tonumber(read[5] or 0),
    open = tonumber(read[6] or 0), standing = read[7],
  }
  loaded[name] = one
  if read[1] and id <= one.period then
    return one
  end
  one.period, one.ends, one.spent = id, ends, 0
  for number, amount in pairs(bucket and buckets(key) or {}) do
    if number < id - BUCKETS then
      redis.call('HDEL', key, 'b' .. whole(number))
    else
      one.spent = one.spent + amount
    end
  end
  redis.call('HSET', key, 'period', whole(id), 'spent', whole(one.spent))
  if ends then
    redis.call('HSET', key, 'ends', whole(ends))
  end
  return one
end

local function add(one, field, amount)
  one[field] = one[field] + amount
  redis.call('HINCRBY', one.key, field, whole(amount))
end

local function book(one, number, amount)
  add(one, 'spent', amount)
  if one.bucket and amount > 0 then
    redis.call('HINCRBY', one.key, 'b' .. whole(number), whole(amount))
  end
end

-- Accounts with open calls stay; others outlive their period, for whoever looks at it.
local function keep()
  for _, one in pairs(loaded) do
    if one.open > 0 then
      redis.call('PERSIST', one.key)
    else
      local rest = one.ends and math.max(one.ends - now, 0) or (one.bucket or 0) * (BUCKETS + 1)
      redis.call('PEXPIRE', one.key, whole(rest + KEEP_MS))
    end
  end
end

-- The accounts under limits, each once.
local function accounts(limits)
  local list, seen = {}, {}
  for _, limit in ipairs(limits) do
    if not seen[limit.account] then
      seen[limit.account] = true
      list[#list + 1] = account(limit.account)
    end
  end
  return list
end
