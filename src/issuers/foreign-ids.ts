import { createHash } from "node:crypto";

const PLAIN = /^(?!sha256-)[A-Za-z0-9._~-]{1,128}$/;

/** How an id that an outside issuer gave, a token's, a session's or a subject's, appears in keys. Different ones differ. */
export const keyIdOf = (id: string) => (PLAIN.test(id) ? id : digestOf(id));

/** The id of a token that has none: of what is signed, because an ES256 signature has two valid forms. */
export const tokenIdOf = (token: string) => digestOf(token.slice(0, token.lastIndexOf(".")));

const digestOf = (text: string) => `sha256-${createHash("sha256").update(text).digest("hex")}`;
