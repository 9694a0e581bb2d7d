-- Begins an epoch, if the denylist still has the one that is known to be over, or none.
--
-- KEYS  1 the epoch   2 events (stream)
-- ARGV  'over', the epoch that is over (empty: it is missing), 'next', the one to come,
--       'event', what to tell, 'now' (RFC 3339), 'events_kept'
-- Returns the epoch that holds now: this one, or that of somebody who was first.
-- Atomic, so that of several instances that notice at once one begins it and tells, and all agree.

local current = redis.call('GET', KEYS[1])
if current and current ~= ARGV[2] then
  return current
end
redis.call('SET', KEYS[1], ARGV[4])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[10], '*', 'event', ARGV[6], 'timestamp', ARGV[8], 'epoch', ARGV[4])
return ARGV[4]
