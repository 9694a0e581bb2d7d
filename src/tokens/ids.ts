const PLAIN_ID = /^[A-Za-z0-9._~-]{1,128}$/;

/** Whether an id can be part of a Redis key as it is. Ids of own tokens and sessions always can. */
export const isPlainId = (id: unknown): id is string => typeof id === "string" && PLAIN_ID.test(id);

/** Whether a user's id would read as a foreign subject, `<issuer name>:<sub>`, of one of these issuers. */
export const readsAsForeign = (id: string, issuerNames: readonly string[]) =>
  issuerNames.some((name) => id.startsWith(`${name}:`));
