-- Begins a new epoch, if the denylist still has the one that is over, or none.
--
-- KEYS  1 the epoch   2 events (stream)
-- args  over, the epoch that is over (empty if it is missing); next, the new one;
--       event, the event to write; now (RFC 3339); events_kept
-- Returns the current epoch: the new one, or one that another instance began first.
-- Atomic, so that if several instances notice at once, only one of them begins it and writes the event, and all agree.

local current = redis.call('GET', KEYS[1])
if current and current ~= args.over then
  return current
end
redis.call('SET', KEYS[1], args.next)
redis.call('XADD', KEYS[2], 'MAXLEN', '~', args.events_kept, '*', 'event', args.event, 'timestamp', args.now, 'epoch', args.next)
return args.next
