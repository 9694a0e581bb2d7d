import { isIP } from "node:net";
import { z } from "zod";

/**
 * A kind of setting: one schema reads a variable's text, the other an option's value. The description of each says what
 * may be written. A text that is read as `undefined` leaves the setting at its default.
 */
export type Kind<T, Given = T> = {
  readonly text: z.ZodType<T | undefined, string>;
  readonly value: z.ZodType<T, Given>;
};

const UNIT_SECONDS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };
const TEN_YEARS_SECONDS = 10 * 365 * 86_400;

export function whole(min: number, max: number): Kind<number> {
  const write = `a whole number from ${min} to ${max}`;
  const value = z.int().min(min).max(max).describe(write);
  const text = z.string().regex(/^\d{1,15}$/);
  return { text: text.transform(Number).pipe(value).describe(write), value };
}

const secondsOf = (duration: string) =>
  Number(duration.slice(0, -1)) * (UNIT_SECONDS[duration.slice(-1)] ?? NaN);
const seconds = z.int().min(1).max(TEN_YEARS_SECONDS);

/** Seconds. As text, a number without a unit is refused: 900 might mean seconds or milliseconds. */
export const duration: Kind<number> = {
  text: z
    .string()
    .regex(/^[1-9]\d{0,8}[smhd]$/)
    .transform(secondsOf)
    .pipe(seconds)
    .describe("a number with its unit, ten years at most: 900s, 15m, 12h or 30d"),
  value: seconds.describe("a whole number of seconds, ten years at most"),
};

export function oneOf<const T extends string>(...values: T[]): Kind<T> {
  const schema = z.enum(values).describe(values.join(" or "));
  return { text: schema, value: schema };
}

/** Whether NODE_ENV says production. */
export const production: Kind<boolean> = {
  text: z
    .enum(["development", "test", "production"])
    .transform((name) => name === "production")
    .describe("development or test or production"),
  value: z.boolean().describe("true or false"),
};

/** As a variable `on` or `off`, as an option true or false. */
export const onOff: Kind<boolean> = {
  text: z.stringbool({ truthy: ["on"], falsy: ["off"], case: "sensitive" }).describe("on or off"),
  value: z.boolean().describe("true or false"),
};

/** Like onOff, but the variable may also be `auto`, which means the default. */
export const autoOnOff: Kind<boolean> = {
  text: z
    .union([z.literal("auto").transform(() => undefined), onOff.text])
    .describe("auto, which is the default, or on or off"),
  value: onOff.value,
};

export function matching(pattern: RegExp, write: string): Kind<string> {
  const schema = z.string().regex(pattern).describe(write);
  return { text: schema, value: schema };
}

function passing(isRight: (text: string) => boolean, write: string): Kind<string> {
  const schema = z.string().refine(isRight).describe(write);
  return { text: schema, value: schema };
}

/** A list. As text, its members are separated by commas, and the empty text is the empty list. */
export function listOf({ text, value }: Kind<string>): Kind<readonly string[]> {
  const split = (list: string) => (list === "" ? [] : list.split(",").map((item) => item.trim()));
  return {
    text: z
      .string()
      .transform(split)
      .pipe(z.array(value))
      .describe(`${String(text.description)}, or several, separated by commas`),
    value: z
      .array(value)
      .readonly()
      .describe(`an array; each member is ${String(value.description)}`),
  };
}

/** Exactly what a browser sends as Origin. Not * or null: both would let every site's pages in, with credentials. */
export const webOrigin = passing(
  (text) => /^https?:[^*]+$/.test(text) && URL.canParse(text) && new URL(text).origin === text,
  "an origin such as https://app.example.com, without a path or *",
);

/** A proxy's address or network, or one of Express's names for groups of them. Never all addresses. */
const network = passing((text) => {
  const [address = "", bits, ...rest] = text.split("/");
  const max = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
  const hasBits = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) >= 1 && Number(bits) <= max);
  return (max > 0 && rest.length === 0 && hasBits) || /^(loopback|linklocal|uniquelocal)$/.test(text);
}, "a network such as 10.0.0.0/8");

const PROXIES = "the number of proxies in front, or their networks: 10.0.0.0/8,::1";

/** Never `true`: then any client could choose its address with a header. */
export const proxies: Kind<number | readonly string[]> = {
  text: z.union([whole(0, 32).text, listOf(network).text]).describe(PROXIES),
  value: z.union([whole(0, 32).value, listOf(network).value]).describe(PROXIES),
};

/** A limit and its window. */
export type Rate = { readonly limit: number; readonly windowSeconds: number };

const rateText = z
  .string()
  .regex(/^[1-9]\d{0,5}\/[smhd]$/)
  .transform((text): Rate => {
    const [amount, unit = ""] = text.split("/");
    return { limit: Number(amount), windowSeconds: UNIT_SECONDS[unit] ?? NaN };
  })
  .describe("a number per second, minute, hour or day: 10/m");

export const rate: Kind<Rate, string> = { text: rateText, value: rateText };

const object = z.looseObject({});

/** A group of options in one object. It is read only for whether the group is on. */
export const together: Kind<true, object> = {
  text: z.literal("on").transform(() => true as const),
  value: object.transform(() => true as const).describe("an object"),
};

/** Like together, but `off`, or as an option `false`, switches the whole group off. */
export const switchable: Kind<boolean, object | false> = {
  text: onOff.text,
  value: z.union([z.literal(false), together.value]).describe("an object, or false"),
};

/** For settings that a file beside the table checks, together with others. Here is only what may be written. */
export const judgedElsewhere = (text: string, value = text) => ({
  text: z.string().describe(text),
  value: z.unknown().describe(value),
});

/** Like judgedElsewhere, but these check that the option is an object or an array. */
export const judgedObject = (write: string) => ({ text: z.never(), value: object.describe(write) });
export const judgedArray = (text: string, value: string) => ({
  text: z.string().describe(text),
  value: z.array(z.unknown()).describe(value),
});
