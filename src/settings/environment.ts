import { createReading, type Reading } from "./reading";

/** Longer ones are cut, so that a message stays readable. */
const MAX_QUOTED_LENGTH = 80;

/** Reads settings from environment variables, which are text. An empty variable counts as not set. */
export const readEnvironment = (env: NodeJS.ProcessEnv): Reading<"text"> =>
  createReading({
    side: "text",
    isProduction: env["NODE_ENV"] === "production",
    give(_path, { variable }) {
      const text = variable === undefined ? undefined : env[variable];
      return text === "" ? undefined : text;
    },
    nameOf: (path, row) => row?.variable ?? path,
    quote: (text, { isSecret }) =>
      isSecret
        ? "it can't be used as it is"
        : `read ${JSON.stringify(String(text).slice(0, MAX_QUOTED_LENGTH))}`,
  });
