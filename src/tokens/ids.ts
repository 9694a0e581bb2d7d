const PLAIN_ID = /^[A-Za-z0-9._~-]{1,128}$/;

/** Whether an id may stand in a key as it is: a token's or a session's of ours always may. */
export const isPlainId = (id: unknown): id is string => typeof id === "string" && PLAIN_ID.test(id);
