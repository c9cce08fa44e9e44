-- The rules of `Book` over the accounts; follows `accounts.lua`.

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

local function open(id, limits, held, exposed, adopted)
  local call = { held = 0, exposed = 0, node = ask.node, limits = limits, adopted = adopted }
  for _, one in ipairs(accounts(call.limits)) do
    add(one, 'open', 1)
  end
  resize(call, held, exposed)
  store(id, call)
  return call
end

-- Takes up a call that is under way, whether or not there is room; a known one is raised to what it may cost.
local function adopt(call)
  local known = find(call.id)
  if known then
    resize(known, math.max(known.held, call.held), math.max(known.exposed, call.exposed))
    store(call.id, known)
  elseif not is_gone(call.id) then
    known = open(call.id, call.limits, call.held, call.exposed, true)
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
  return refused or granted(open(ask.id, ask.call.limits, held, exposed))
end

function verbs.extend()
  local call = ask.call and adopt(ask.call) or find(ask.id)
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
  return {}
end

-- The answer to a reservation was lost: it counts nothing, whether it has been made or still will be.
function verbs.cancel()
  gone(ask.id)
  local call = find(ask.id)
  return call and settle(ask.id, call, 0) or {}
end

function verbs.charge()
  if not gone(ask.id) then
    return {}
  end
  local call = find(ask.id)
  return call and settle(ask.id, call, ask.wanted) or spend(ask.call.limits, ask.wanted)
end

function verbs.adopt()
  adopt(ask.call)
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

local result = verbs[ask.verb]()
keep()
return answer(result)
