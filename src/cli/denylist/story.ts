import type { Entry, Uses } from "../../ops/entries";
import type { Rule } from "../../ops/rules";
import { table } from "../table";
import { paint, plain } from "../terminal";
import { momentOf, momentOfSeconds } from "../times";

type Row = readonly [label: string, text: string | null];

/** Who revoked it, when, why, from where, until when, and how often it was used since. */
const storyOf = (entry: Entry, uses: Uses | undefined): readonly Row[] => [
  ["revoked", entry.revoked_at && momentOf(entry.revoked_at)],
  ["by hand", entry.value === null ? null : entry.value || "an entry without a text"],
  ["reason", entry.reason],
  ["note", entry.note],
  ["by", entry.by === entry.sub && entry.by !== null ? `${entry.by}, whose it is` : entry.by],
  ["from", whereFrom(entry)],
  ["user", entry.sub],
  ["session", entry.sid],
  [
    "denied",
    entry.expires_at === null ? "for ever: its key has no TTL" : `until ${momentOf(entry.expires_at)}`,
  ],
  ["cut-off", entry.cutoff === null ? null : `what was issued up to ${momentOfSeconds(entry.cutoff)}`],
  ["used", uses === undefined ? "not since, as far as was reported" : usesIn(uses)],
];

/** All that there is to say of an entry. */
export const detailsOf = (entry: Entry, uses: Uses | undefined): readonly Row[] => [
  ...storyOf(entry, uses),
  ["token", entry.jti],
  ["issuer", entry.iss],
  ["issued", entry.iat === null ? null : momentOfSeconds(entry.iat)],
  ["expires", entry.exp === null ? null : momentOfSeconds(entry.exp)],
  ["key", entry.key],
];

/** Labels and texts under each other. What there is nothing to say of is left out. */
export const formatRows = (rows: readonly Row[], indent = "  "): string =>
  table(
    rows.flatMap(([label, text]) => (text === null ? [] : [[`${indent}${label.padEnd(8)}`, plain(text)]])),
  );

/** A rule that refuses a token, the story of its entry, and how to lift that. */
export function formatRule({ rule, message, entry, uses }: Rule): string {
  const head = `${paint("bold", plain(rule))}  ${plain(message)}\n`;
  if (!entry) return head;
  const lift = `curfew lift ${entry.kind} ${entry.id} --reason TEXT`;
  return head + formatRows([...storyOf(entry, uses), ["lift", lift]]);
}

const whereFrom = ({ ip, user_agent }: { ip: string | null; user_agent: string | null }) =>
  ip === null && user_agent === null ? null : [ip, user_agent].filter((each) => each !== null).join(", ");

function usesIn({ uses, last_used_at, ...place }: Uses): string {
  const times = uses === 1 ? "once" : `${uses} times`;
  const last = last_used_at === null ? "" : `, last ${momentOf(last_used_at)}`;
  const from = whereFrom(place);
  return `${times} since${last}${from === null ? "" : `, from ${from}`}`;
}
