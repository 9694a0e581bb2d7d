import { STATUS_CODES } from "node:http";
import { ERRORS } from "../../src/errors";

const HEAD = `# Errors

Printed from \`src/errors.ts\` by \`scripts/print-docs\`: change it there.

Every error, whatever its cause, is JSON: \`{"error": "Unauthorized", "code": "token_revoked", "message": "…"}\`.
\`error\` is the status's reason phrase, and \`message\` one constant sentence for people. Decide by \`code\`.
A 401 \`token_revoked\` or \`refresh_token_invalid\` also says \`reason\`, one of the [reasons](events.md) in entries, and
\`revoked_at\`, where they are known. \`X-Request-Id\` stands on every answer and in the log. A 401 to a token has a
\`WWW-Authenticate\` challenge (RFC 6750), a 503 has \`Retry-After\`.

| Code | Status | When | What to do |
| --- | --- | --- | --- |
`;

/** docs/errors.md: a line for each code. */
export const printErrors = () =>
  HEAD +
  Object.entries(ERRORS)
    .map(([code, { status, when, todo }]) => {
      const phrase = STATUS_CODES[status] ?? "";
      return `| \`${code}\` | ${status} ${phrase} | ${when} | ${todo} |\n`;
    })
    .join("");
