-- Begins an epoch, if the denylist still has the one that is known to be over, or none.
--
-- KEYS  1 the epoch   2 events (stream)
-- args  over, the epoch that is over (empty: it is missing); next, the one to come;
--       event, what to tell; now (RFC 3339); events_kept
-- Returns the epoch that holds now: this one, or that of somebody who was first.
-- Atomic, so that of several instances that notice at once one begins it and tells, and all agree.

local current = redis.call('GET', KEYS[1])
if current and current ~= args.over then
  return current
end
redis.call('SET', KEYS[1], args.next)
redis.call('XADD', KEYS[2], 'MAXLEN', '~', args.events_kept, '*', 'event', args.event, 'timestamp', args.now, 'epoch', args.next)
return args.next
