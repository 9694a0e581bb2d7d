import { STREAM_EVENTS } from "../../src/denylist/events";
import { REASONS } from "../../src/denylist/entry";
import { LOG_EVENTS } from "../../src/log/events";

const HEAD = `# Events

Printed from \`src/log/events.ts\` and \`src/denylist/events.ts\` by \`scripts/print-docs\`: change it there.

## In the log

The log is JSON on standard output, one line for each event. The events to watch are in the first table; their lines
have the name as \`event\`. A line that a request caused has its \`request_id\`, \`ip\` and \`path\`, and \`sub\`, \`sid\`
and \`jti\` where they are known. No password, token, cookie or query is ever logged.

| \`event\` | Level | When |
| --- | --- | --- |
`;

const LINES = `
All other lines are identified by their message.

| \`msg\` | Level | When |
| --- | --- | --- |
`;

const STREAM = `
## In Redis

The stream \`curfew:events\` says who ended what, when, why and from where: \`event\`, \`timestamp\`, \`kind\`, \`sub\`, \`sid\`,
\`jti\`, \`by\`, \`ip\`, \`user_agent\`, \`note\`. It keeps about 100,000 events. Those with a \`kind\` (\`token\`, \`session\` or
\`user\`) revoke, and their \`event\` is the entry's \`reason\`. Don't delete the stream: an instance that doesn't find its
last event there concludes that Redis has lost its data.

| \`event\` | Revokes | When |
| --- | --- | --- |
`;

/** docs/events.md: a line for each event in the log, and for each in the stream. */
export const printEvents = () => HEAD + logLines("event") + LINES + logLines("msg") + STREAM + streamLines();

const logLines = (namedBy: "event" | "msg") =>
  Object.entries(LOG_EVENTS)
    .filter(([, row]) => row.namedBy === namedBy)
    .map(([name, { level, when }]) => `| \`${name}\` | ${level} | ${when} |\n`)
    .join("");

const streamLines = () =>
  Object.entries(STREAM_EVENTS)
    .map(
      ([name, when]) => `| \`${name}\` | ${REASONS.some((each) => each === name) ? "yes" : ""} | ${when} |\n`,
    )
    .join("");
