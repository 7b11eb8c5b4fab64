-- Copyright (c) 2026, The unitcraft.systemd contributors
-- GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- The queue's protocol. Redis runs each call as one indivisible step, whatever the language of the caller.
--
-- KEYS[1]  prefix of all keys of the queue, for example {worker}; the braces keep them on one node of a cluster
-- ARGV[1]  operation, one of the functions of `operation` below; ARGV[2...] its arguments
--
-- PREFIX:jobs      hash  id -> job as JSON {"id", "type", "payload", "put_at"}
-- PREFIX:ready     list  ids; new ones come in on the left, workers take from the right
-- PREFIX:delayed   zset  id -> time at which it becomes ready
-- PREFIX:taken:W   list  the id that worker W has in hand (BRPOPLPUSH moves it here from `ready`)
-- PREFIX:workers   zset  worker -> time at which its lease ends; after that it counts as dead
-- PREFIX:dead      list  ids set aside
-- PREFIX:failures  hash  id -> how often its handler failed
-- PREFIX:losses    hash  id -> how often a worker died with it in hand
-- PREFIX:errors    hash  id -> what went wrong last
-- PREFIX:stats     hash  put, done, failed, lost -> how often since the queue began

local prefix = KEYS[1]

local function key(name)
  return prefix .. ':' .. name
end

local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) + tonumber(time[2]) / 1000000
end

local function forget(id)
  for _, name in ipairs({'jobs', 'failures', 'losses', 'errors'}) do
    redis.call('HDEL', key(name), id)
  end
end

local function count(name)
  redis.call('HINCRBY', key('stats'), name, 1)
end

local function set_aside(id, message)
  redis.call('HSET', key('errors'), id, message)
  redis.call('LPUSH', key('dead'), id)
end

-- What a dead worker had in hand goes to the head of the queue. A job that has brought down too many is set aside.
local function give_back_lost(worker, max_losses)
  local moved = 0
  local id = redis.call('RPOP', key('taken:' .. worker))
  while id do
    moved = moved + 1
    count('lost')
    local losses = redis.call('HINCRBY', key('losses'), id, 1)
    if losses > max_losses then
      set_aside(id, 'its worker died ' .. losses .. ' times')
    else
      redis.call('RPUSH', key('ready'), id)
    end
    id = redis.call('RPOP', key('taken:' .. worker))
  end
  return moved
end

local operation = {}

-- id, job, delay in seconds -> 1, or 0 when a job of this id is waiting, running or set aside already
function operation.put(id, job, delay)
  if redis.call('HSETNX', key('jobs'), id, job) == 0 then
    return 0
  end
  if tonumber(delay) > 0 then
    redis.call('ZADD', key('delayed'), now() + tonumber(delay), id)
  else
    redis.call('LPUSH', key('ready'), id)
  end
  count('put')
  return 1
end

-- worker, lease in seconds, max_losses: says that the worker lives, makes delayed jobs ready that are due and gives
-- back what dead workers hold -> number of jobs moved
function operation.tick(worker, lease, max_losses)
  local time = now()
  redis.call('ZADD', key('workers'), time + tonumber(lease), worker)
  local due = redis.call('ZRANGEBYSCORE', key('delayed'), '-inf', time, 'LIMIT', 0, 1000)
  for _, id in ipairs(due) do
    redis.call('ZREM', key('delayed'), id)
    redis.call('LPUSH', key('ready'), id)
  end
  local moved = #due
  for _, dead in ipairs(redis.call('ZRANGEBYSCORE', key('workers'), '-inf', time)) do
    moved = moved + give_back_lost(dead, tonumber(max_losses))
    redis.call('ZREM', key('workers'), dead)
  end
  return moved
end

-- worker, id, lease: begins the lease of the job just taken -> the job, or false when it is no longer this worker's
function operation.start(worker, id, lease)
  redis.call('ZADD', key('workers'), now() + tonumber(lease), worker)
  if redis.call('LINDEX', key('taken:' .. worker), 0) ~= id then
    return false
  end
  local job = redis.call('HGET', key('jobs'), id)
  if not job then
    redis.call('LREM', key('taken:' .. worker), 0, id)
  end
  return job
end

-- worker, id -> 1, or 0 when the job is no longer this worker's
function operation.done(worker, id)
  if redis.call('LREM', key('taken:' .. worker), 1, id) == 0 then
    return 0
  end
  forget(id)
  count('done')
  return 1
end

-- worker, id, message, max_attempts, delay in seconds before the second attempt (doubled for each further one)
-- -> 'retry', 'dead', or 'gone' when the job is no longer this worker's
function operation.fail(worker, id, message, max_attempts, delay)
  if redis.call('LREM', key('taken:' .. worker), 1, id) == 0 then
    return 'gone'
  end
  count('failed')
  local failures = redis.call('HINCRBY', key('failures'), id, 1)
  if failures >= tonumber(max_attempts) then
    set_aside(id, message)
    return 'dead'
  end
  redis.call('HSET', key('errors'), id, message)
  redis.call('ZADD', key('delayed'), now() + tonumber(delay) * 2 ^ (failures - 1), id)
  return 'retry'
end

-- worker, max_losses: the worker is gone, or has just come back: gives back what it held -> number of jobs
function operation.release(worker, max_losses)
  redis.call('ZREM', key('workers'), worker)
  return give_back_lost(worker, tonumber(max_losses))
end

-- worker: it ends in good order: a job that it took and did not begin goes back uncounted -> number of jobs
function operation.leave(worker)
  redis.call('ZREM', key('workers'), worker)
  local moved = 0
  while redis.call('RPOPLPUSH', key('taken:' .. worker), key('ready')) do
    moved = moved + 1
  end
  -- RPOPLPUSH puts it at the tail; it came from the head
  for _ = 1, moved do
    redis.call('RPUSH', key('ready'), redis.call('LPOP', key('ready')))
  end
  return moved
end

-- -> flat list of name, number
function operation.counts()
  local taken = 0
  for _, worker in ipairs(redis.call('ZRANGE', key('workers'), 0, -1)) do
    taken = taken + redis.call('LLEN', key('taken:' .. worker))
  end
  local answer = {
    'ready', redis.call('LLEN', key('ready')),
    'delayed', redis.call('ZCARD', key('delayed')),
    'taken', taken,
    'dead', redis.call('LLEN', key('dead')),
    'jobs', redis.call('HLEN', key('jobs')),
    'workers', redis.call('ZCARD', key('workers')),
  }
  for _, name in ipairs({'put', 'done', 'failed', 'lost'}) do
    answer[#answer + 1] = name
    answer[#answer + 1] = tonumber(redis.call('HGET', key('stats'), name) or '0')
  end
  return answer
end

-- -> flat list of job, message: those set aside, oldest first
function operation.dead()
  local answer = {}
  local ids = redis.call('LRANGE', key('dead'), 0, -1)
  for index = #ids, 1, -1 do
    answer[#answer + 1] = redis.call('HGET', key('jobs'), ids[index])
    answer[#answer + 1] = redis.call('HGET', key('errors'), ids[index])
  end
  return answer
end

-- Those set aside become ready again, with all their attempts -> number of jobs
function operation.retry_dead()
  local moved = 0
  local id = redis.call('RPOP', key('dead'))
  while id do
    moved = moved + 1
    for _, name in ipairs({'failures', 'losses', 'errors'}) do
      redis.call('HDEL', key(name), id)
    end
    redis.call('LPUSH', key('ready'), id)
    id = redis.call('RPOP', key('dead'))
  end
  return moved
end

-- Those set aside are deleted -> number of jobs
function operation.drop_dead()
  local dropped = 0
  local id = redis.call('RPOP', key('dead'))
  while id do
    dropped = dropped + 1
    forget(id)
    id = redis.call('RPOP', key('dead'))
  end
  return dropped
end

local wanted = operation[ARGV[1]]
if not wanted then
  return redis.error_reply('unknown operation ' .. ARGV[1])
end
return wanted(unpack(ARGV, 2))
