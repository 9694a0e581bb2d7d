import type { Page } from "playwright-core";
import { me } from "./client";

/** All that scripts of the page could find. */
export const storedBy = (page: Page) =>
  page.evaluate<string>(
    "JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]) + document.title",
  );

/** The access token that the page has, wherever it is. The service still accepts it. */
export async function tokenOf(page: Page, url: string): Promise<string> {
  const cookies = await page.context().cookies();
  const cookie = cookies.find(({ name }) => name === "curfew_access")?.value;
  const token = cookie ?? /eyJ[\w-]+\.[\w-]+\.[\w-]+/.exec(await storedBy(page))?.[0] ?? "";
  expect((await me(url, token)).status).toBe(200);
  return token;
}

/** Nobody is signed in here, and nothing of who was is left where the page or its visitor could find it. */
export async function expectNothingLeft(page: Page, email: string): Promise<void> {
  expect(await page.content()).not.toContain(email);
  expect(await storedBy(page)).not.toMatch(/eyJ|@example\.com|"refresh/);
  expect(await page.context().cookies()).toEqual([]);
}
