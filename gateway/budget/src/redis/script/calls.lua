-- The rules of `Book` over the accounts; follows `accounts.lua`.

-- A process of which nothing is heard for so long has ended; each says every 10 seconds that it has not.
local GONE_MS = 60 * 1000
-- Strays named in one answer; the next question names others.
local MOST_STRAYS = 1000

-- Which ledger has the calls of the process that asks.
local ledger = string.match(ask.node, '^[^/]*/') or ''

local function find(id)
  local packed = redis.call('HGET', base .. ':open', id)
  return packed and cmsgpack.unpack(packed)
end

local function store(id, call)
  redis.call('HSET', base .. ':open', id, cmsgpack.pack(call))
end

local function is_gone(id)
  return redis.call('EXISTS', base .. ':gone:' .. id) == 1
end

-- Whether the id had not gone before.
local function gone(id)
  return redis.call('SET', base .. ':gone:' .. id, '1', 'NX', 'PX', whole(KEEP_MS)) and true
end

local function resize(call, held, exposed)
  for _, one in ipairs(accounts(call.limits)) do
    add(one, 'held', held - call.held)
    add(one, 'exposed', exposed - call.exposed)
  end
  call.held, call.exposed = held, exposed
end

-- The call is that of a process, which lives.
local function own(id, call, node)
  if call.node ~= node then
    redis.call('SREM', base .. ':of:' .. call.node, id)
    call.node = node
  end
  redis.call('SADD', base .. ':of:' .. node, id)
  redis.call('ZADD', base .. ':nodes', whole(now), node)
end

local function open(id, limits, held, exposed, node, adopted)
  local call = { held = 0, exposed = 0, node = node, limits = limits, adopted = adopted }
  own(id, call, node)
  for _, one in ipairs(accounts(call.limits)) do
    add(one, 'open', 1)
  end
  resize(call, held, exposed)
  store(id, call)
  return call
end

-- Takes up a call that is under way, whether or not there is room; a known one is raised to what it may cost. Where
-- only the ledger says so, and no process, it is nobody's, and a stray if nobody claims it.
local function adopt(call, node)
  local known = find(call.id)
  if known then
    own(call.id, known, node or known.node)
    resize(known, math.max(known.held, call.held), math.max(known.exposed, call.exposed))
    store(call.id, known)
  elseif not is_gone(call.id) then
    known = open(call.id, call.limits, call.held, call.exposed, node or ledger, true)
  end
  return known
end

-- What must be read from the ledger first; nil if nothing.
local function missing(limits)
  local names = {}
  for _, one in ipairs(accounts(limits)) do
    if one.standing ~= 'seeded' then
      redis.call('HSET', one.key, 'standing', 'awaited')
      names[#names + 1] = one.name
    end
  end
  if epoch and #names == 0 then
    return nil
  end
  return { missing = #names > 0 and names or nil, empty = not epoch }
end

-- The place of the hard limit with the least room, the first of several, and its room: -1 if it is overspent.
local function tightest(limits)
  local place, room
  for index, limit in ipairs(limits) do
    if limit.hard then
      local one = account(limit.account)
      local left = math.max(limit.cap - one.spent - one.exposed, -1)
      if not room or left < room then
        place, room = index, left
      end
    end
  end
  return place, room
end

local function standings(limits)
  local list = {}
  for _, one in ipairs(accounts(limits)) do
    list[#list + 1] = {
      account = one.name, period = whole(one.period), spent = whole(one.spent), held = whole(one.held),
      exposed = whole(one.exposed), open = whole(one.open),
    }
  end
  return #list > 0 and list or nil
end

local function resets(one)
  if not one.bucket then
    return one.ends and whole(one.ends)
  end
  local oldest
  for number in pairs(buckets(one.key)) do
    oldest = math.min(oldest or number, number)
  end
  return oldest and whole((oldest + BUCKETS + 1) * one.bucket)
end

-- What can be held and exposed; or an answer that says why not.
local function fit(limits, held, wanted, least)
  local place, room = tightest(limits)
  if not place or room >= wanted then
    return held, wanted
  elseif room >= least and room > 0 then
    return room, room
  end
  local one = account(limits[place].account)
  return nil, nil, {
    refused = { place = whole(place - 1), resets = resets(one) },
    accounts = standings({ limits[place] }),
  }
end

local function granted(call)
  local _, room = tightest(call.limits)
  return {
    granted = { held = whole(call.held), exposed = whole(call.exposed), room = room and whole(math.max(room, 0)) },
    accounts = standings(call.limits),
  }
end

local function spend(limits, actual)
  local crossings, before = {}, {}
  for _, one in ipairs(accounts(limits)) do
    before[one.name] = one.spent
    if one.standing then
      book(one, one.period, actual)
    end
  end
  for index, limit in ipairs(limits) do
    local one = account(limit.account)
    crossings[index] = {
      limit = limit.name, account = limit.account, period = whole(one.period), before = whole(before[one.name]),
      after = whole(one.spent), cap = whole(limit.cap),
    }
  end
  return { settled = #crossings > 0 and crossings or nil, accounts = standings(limits) }
end

local function settle(id, call, actual)
  redis.call('HDEL', base .. ':open', id)
  redis.call('SREM', base .. ':of:' .. call.node, id)
  if call.adopted then
    -- Whoever adopts it again, not having heard of this, must not count it twice.
    gone(id)
  end
  for _, one in ipairs(accounts(call.limits)) do
    add(one, 'open', -1)
  end
  resize(call, 0, 0)
  return spend(call.limits, actual)
end

-- Keeps in mind what a stray was settled at.
local function bury(id, limits, spent)
  redis.call('SET', base .. ':gone:' .. id, cmsgpack.pack({ limits = limits, spent = spent }), 'PX', whole(KEEP_MS))
end

-- The process of a stray was only slow, and says itself what the call cost: what goes beyond is spent too.
local function correct(id, actual)
  local buried = redis.call('GET', base .. ':gone:' .. id)
  if not buried or buried == '1' then
    return {}
  end
  local limits, spent = cmsgpack.unpack(buried).limits, cmsgpack.unpack(buried).spent
  if actual <= spent then
    return {}
  end
  bury(id, limits, actual)
  return spend(limits, actual - spent)
end

local verbs = {}

function verbs.reserve()
  local lacking = missing(ask.call.limits)
  if lacking then
    return lacking
  end
  local call = find(ask.id)
  if call then
    return granted(call)
  elseif is_gone(ask.id) then
    return { unknown = true }
  end
  local held, exposed, refused = fit(ask.call.limits, ask.held, ask.wanted, ask.least)
  return refused or granted(open(ask.id, ask.call.limits, held, exposed, ask.node))
end

function verbs.extend()
  local call = ask.call and adopt(ask.call, ask.node) or find(ask.id)
  if not call then
    return { unknown = true }
  end
  local lacking = missing(call.limits)
  if lacking then
    return lacking
  end
  local _, more, refused = fit(call.limits, ask.wanted, ask.wanted, ask.least)
  if refused then
    return refused
  end
  resize(call, call.held + more, call.exposed + more)
  store(ask.id, call)
  return granted(call)
end

function verbs.shrink()
  local call = find(ask.id)
  if call then
    resize(call, math.min(call.held, ask.wanted), math.min(call.exposed, ask.wanted))
    store(ask.id, call)
  end
  return {}
end

-- A call that was admitted while this life of the store could not be reached comes with its limits.
function verbs.settle()
  local call = find(ask.id)
  if call then
    return settle(ask.id, call, ask.wanted)
  elseif ask.call and epoch and ask.epoch == epoch and gone(ask.id) then
    return spend(ask.call.limits, ask.wanted)
  end
  return correct(ask.id, ask.wanted)
end

-- The process of the call has ended, and another says what the ledger has of it.
function verbs.bury()
  local call = find(ask.id)
  if not call then
    return correct(ask.id, ask.wanted)
  end
  bury(ask.id, call.limits, ask.wanted)
  return settle(ask.id, call, ask.wanted)
end

-- The answer to a reservation was lost: it counts nothing, whether it has been made or still will be.
function verbs.cancel()
  gone(ask.id)
  local call = find(ask.id)
  return call and settle(ask.id, call, 0) or {}
end

function verbs.charge()
  if not gone(ask.id) then
    return correct(ask.id, ask.wanted)
  end
  local call = find(ask.id)
  return call and settle(ask.id, call, ask.wanted) or spend(ask.call.limits, ask.wanted)
end

function verbs.adopt()
  adopt(ask.call, ask.node)
  return { accounts = standings(ask.call.limits) }
end

function verbs.seed()
  for _, seed in ipairs(ask.seeds) do
    local one = account(seed.account)
    if one.standing ~= 'seeded' then
      one.standing = 'seeded'
      redis.call('HSET', one.key, 'standing', 'seeded')
      redis.call('SADD', base .. ':accounts', one.name)
      for _, part in ipairs(seed.spent) do
        if one.bucket and part[1] >= one.period - BUCKETS then
          book(one, math.min(part[1], one.period), part[2])
        elseif not one.bucket and part[1] >= one.period then
          book(one, one.period, part[2])
        end
      end
    end
  end
  -- As many names of accounts that have expired go as come.
  for _, name in ipairs(redis.call('SRANDMEMBER', base .. ':accounts', 4 * #ask.seeds)) do
    if redis.call('EXISTS', base .. ':a:' .. name) == 0 then
      redis.call('SREM', base .. ':accounts', name)
    end
  end
  if not epoch then
    epoch = ask.epoch
    redis.call('SET', base .. ':epoch', epoch)
    for _, call in ipairs(ask.calls) do
      adopt(call)
    end
  end
  return {}
end

function verbs.status()
  local limits = {}
  for _, name in ipairs(redis.call('SMEMBERS', base .. ':accounts')) do
    if redis.call('EXISTS', base .. ':a:' .. name) == 1 then
      limits[#limits + 1] = { account = name }
    end
  end
  return { accounts = standings(limits) }
end

-- The process that asks lives, and has open calls.
function verbs.beat()
  redis.call('ZADD', base .. ':nodes', 'XX', whole(now), ask.node)
  return {}
end

-- Open calls of processes that have ended, as far as the asker's ledger has them.
function verbs.strays()
  local ids = {}
  for _, node in ipairs(redis.call('ZRANGEBYSCORE', base .. ':nodes', '-inf', whole(now - GONE_MS))) do
    if string.sub(node, 1, #ledger) == ledger then
      local left = redis.call('SRANDMEMBER', base .. ':of:' .. node, MOST_STRAYS)
      if #left == 0 then
        redis.call('ZREM', base .. ':nodes', node)
      end
      for at = 1, math.min(#left, MOST_STRAYS - #ids) do
        ids[#ids + 1] = left[at]
      end
    end
  end
  return { strays = #ids > 0 and ids or nil }
end

local result = verbs[ask.verb]()
keep()
return answer(result)
