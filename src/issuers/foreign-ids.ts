import { createHash } from "node:crypto";
import { isPlainId } from "../tokens/ids";

const DIGEST = "sha256-";

/** How an id that an outside issuer gave, a token's, a session's or a subject's, appears in keys. Different ones differ. */
export const keyIdOf = (id: string) => (isPlainId(id) && !id.startsWith(DIGEST) ? id : digestOf(id));

/** The id of a token that has none: of what is signed, because an ES256 signature has two valid forms. */
export const tokenIdOf = (token: string) => digestOf(token.slice(0, token.lastIndexOf(".")));

const digestOf = (text: string) => `${DIGEST}${createHash("sha256").update(text).digest("hex")}`;
