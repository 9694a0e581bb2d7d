import { parseArgs, type ParseArgsConfig } from "node:util";
import { EXIT, fail, print, usageOf, type Command } from "./command";
import { table } from "./table";

type Options = NonNullable<ParseArgsConfig["options"]>;

/** What somebody wrote: the words, and the options that were among them. */
type Given<O extends Options> = {
  words: string[];
  options: ReturnType<typeof parseArgs<{ options: O }>>["values"];
};

/** What it wants to be called with, once it has seen what was written. */
type Wrong = { wrong: string };
type Outcome = number | Wrong | Promise<number | Wrong>;

/** One thing that a command does. */
type About = {
  /** How to write it. */
  readonly line: string;
  readonly does: string;
  /** What else whoever asks for help should know. */
  readonly more: string;
  readonly examples: readonly (readonly [line: string, does: string])[];
};

export type Step = About & { readonly run: Command["run"] };

type Definition<O extends Options> = About & {
  options: O;
  /** How many words it takes, at least and at most. */
  words: readonly [number, number];
  run: (given: Given<O>, env: NodeJS.ProcessEnv) => Outcome;
};

/** Reads what was written, answers `--help` and refuses what isn't understood, before the step begins. */
export function createStep<const O extends Options>(definition: Definition<O>): Step {
  const { options, words, run, ...about } = definition;

  function read(args: string[]): Given<O> | Wrong {
    try {
      const { values, positionals } = parseArgs({ args, options, allowPositionals: true, strict: true });
      const [least, most] = words;
      if (positionals.length < least) return { wrong: "Something is missing." };
      if (positionals.length > most) return { wrong: "That is more than it takes." };
      return { words: positionals, options: values };
    } catch (error) {
      if (!(error instanceof TypeError && "code" in error)) throw error;
      return { wrong: error.message };
    }
  }

  return {
    ...about,
    async run(args, env) {
      if (args.some(asksForHelp)) return print(helpOf(about));
      const given = read(args);
      const outcome = await ("wrong" in given ? given : run(given, env));
      return typeof outcome === "object" && "wrong" in outcome ? misused(outcome, about) : outcome;
    },
  };
}

/** A command of several steps, each with a name; or of one, whose name is empty. */
export function createCommand(steps: Readonly<Record<string, Step>>): Command {
  const all = Object.values(steps);
  const command: Command = {
    usage: all.map(({ line, does }) => [line, does]),
    run(args, env) {
      const [name = "", ...rest] = args;
      const only = steps[""];
      if (only) return only.run(args, env);
      const step = Object.hasOwn(steps, name) ? steps[name] : undefined;
      if (step) return step.run(rest, env);
      if (asksForHelp(name)) return print(all.map(helpOf).join("\n"));
      return fail(EXIT.misused, usageOf([command]));
    },
  };
  return command;
}

const misused = ({ wrong }: Wrong, { line }: About) =>
  fail(EXIT.misused, `${wrong}\nUsage: curfew ${line}\nMore: curfew ${nameIn(line)} --help\n`);

export const asksForHelp = (word: string) => word === "--help" || word === "-h";

function helpOf({ line, does, more, examples }: About): string {
  const lines = table(examples.map(([line, does]) => [`  curfew ${line}`, does]));
  return `curfew ${line}\n\n${wrap(`${does}. ${more}`)}\nExamples:\n${lines}`;
}

/** The words in front of the first that stands for something else. */
const nameIn = (line: string) => /^[a-z-]+(?: [a-z]+\b)*/.exec(line)?.[0] ?? line;

const wrap = (text: string) => text.replace(/(.{1,80})(?: |$)/g, "$1\n");
