import type { Finding } from "./judge";
import { isOpen, isSuccess, type Operation } from "./operation";
import type { Result } from "./run";

export type Verdict = "done" | "refused" | "503" | "no answer" | "odd";

export type Counts = Record<string, Record<Verdict, number>>;

export function verdictOf(operation: Operation): Verdict {
  if (isSuccess(operation)) return "done";
  if (isOpen(operation)) return operation.status === undefined ? "no answer" : "503";
  return (operation.status ?? 0) < 500 ? "refused" : "odd";
}

/** How often each kind of operation ended how. */
export function countOf(history: readonly Operation[]): Counts {
  const counts: Counts = {};
  for (const operation of history) {
    const ofKind = (counts[operation.kind] ??= { done: 0, refused: 0, "503": 0, "no answer": 0, odd: 0 });
    ofKind[verdictOf(operation)] += 1;
  }
  return counts;
}

export function reportOf({ history, faults, findings }: Result): string {
  const counts = Object.entries(countOf(history)).map(([kind, verdicts]) => {
    const ended = Object.entries(verdicts).filter(([, count]) => count > 0);
    return `  ${kind}: ${ended.map(([verdict, count]) => `${count} ${verdict}`).join(", ")}`;
  });
  return [
    `${history.length} operations`,
    ...counts,
    "Faults",
    ...[...faults].map(([name, count]) => `  ${count} × ${name}`),
    `${findings.length} findings`,
    ...findings.map((finding) => `  ${describe(finding)}`),
  ].join("\n");
}

export function describe({ rule, operation, because }: Finding): string {
  const after = because ? `; it was ended by ${line(because)}` : "";
  return `${rule}: ${line(operation)}${after}`;
}

function line({ kind, user, sid, instance, startedAt, endedAt, status, code }: Operation): string {
  const span = `${startedAt.toFixed(1)}–${endedAt.toFixed(1)} ms`;
  const answer = [status ?? "no answer", code].filter((each) => each !== undefined).join(" ");
  return `${kind} of ${user} (session ${String(sid)}, instance ${String(instance)}), ${span}: ${answer}`;
}
