-- Changes one member of an account, and writes the event that says so.
--
-- KEYS  1–2 as in entries.lua   3 the account
-- args  as in entries.lua, and: event
--       member, value   what to change, and to what
--       how             set; add: a member that is there stays as it is; remove: the member goes
-- Returns {'done', or 'missing' if there is no such account; the last event's id, or empty}.
-- Atomic, so that an account which is deleted at the same moment doesn't come back as half of one, and nothing is changed
-- without an event.

if redis.call('EXISTS', KEYS[3]) == 0 then
  return { 'missing', lastEventId }
end
if args.how == 'remove' then
  redis.call('HDEL', KEYS[3], args.member)
elseif args.how == 'set' or not redis.call('HGET', KEYS[3], args.member) then
  redis.call('HSET', KEYS[3], args.member, args.value)
end
tell(args.event, '', '', '')
return { 'done', lastEventId }
