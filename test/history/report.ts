import type { Finding } from "./judge";
import { isOpen, isSuccess, type Operation } from "./operation";
import type { Result } from "./run";

export type Verdict = "done" | "refused" | "unavailable" | "no answer" | "odd";

export type Counts = Record<string, Record<Verdict, number>>;

function verdictOf(operation: Operation): Verdict {
  if (isSuccess(operation)) return "done";
  if (isOpen(operation)) return operation.status === undefined ? "no answer" : "unavailable";
  return (operation.status ?? 0) < 500 ? "refused" : "odd";
}

/** How often each kind of operation ended how. */
export function countOf(history: readonly Operation[]): Counts {
  const counts: Counts = {};
  for (const operation of history) {
    const ofKind = (counts[operation.kind] ??= {
      done: 0,
      refused: 0,
      unavailable: 0,
      "no answer": 0,
      odd: 0,
    });
    ofKind[verdictOf(operation)] += 1;
  }
  return counts;
}

export function reportOf({ history, strikes, findings, excused }: Result): string {
  const counts = Object.entries(countOf(history)).map(([kind, verdicts]) => {
    const ended = Object.entries(verdicts).filter(([, count]) => count > 0);
    return `  ${kind}: ${ended.map(([verdict, count]) => `${count} ${verdict}`).join(", ")}`;
  });
  return [
    `${history.length} operations`,
    ...counts,
    `${strikes.length} faults`,
    ...strikes.map(({ name, ...span }) => `  ${spanOf(span)}: ${name}`),
    `${excused.length} accepted after their logout while that was allowed`,
    `${findings.length} findings`,
    ...findings.map(describe),
  ].join("\n");
}

export function describe({ rule, operation, opening, because }: Finding): string {
  const lines = [`${rule}: ${line(operation)}`];
  if (opening) lines.push(`opened by ${line(opening)}`);
  if (because) lines.push(`ended by ${line(because)}`);
  return lines.join("\n    ");
}

function line({ kind, user, sid, instance, status, code, ...span }: Operation): string {
  const answer = [status ?? "no answer", code].filter((each) => each !== undefined).join(" ");
  return `${kind} of ${user} (session ${String(sid)}, instance ${String(instance)}), ${spanOf(span)}: ${answer}`;
}

const spanOf = ({ startedAt, endedAt }: Pick<Operation, "startedAt" | "endedAt">) =>
  `${startedAt.toFixed(1)}–${endedAt.toFixed(1)} ms`;
