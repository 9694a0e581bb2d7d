import type { Fault } from "../faults/fault";
import { PROCESS } from "../faults/process";
import { REFUSALS } from "../faults/refusals";
import { WIRE } from "../faults/wire";

/** Every way we know in which Redis can fail. */
export const FAULTS: readonly Fault[] = [...WIRE, ...PROCESS, ...REFUSALS];
