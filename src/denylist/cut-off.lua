-- Denies every token of a foreign subject that was issued up to now.
--
-- KEYS  1–2 as in entries.lua   3 the subject's entry
-- args  as in entries.lua and subject.lua, and: reason
-- Returns {'done', what was revoked, the event's id}.
-- Atomic, so that a cutoff never moves back, and an entry is never shortened.

readEpoch()
cutOff(KEYS[3], args.subject_entry)
tell(args.reason, 'user', '', '')
return { 'done', revoked, lastEventId }
