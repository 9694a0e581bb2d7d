// oidc-provider with the configuration of docs/providers.md, an app that its users sign in to, and their browsers.
import { readFileSync } from "node:fs";
import * as client from "openid-client";
import Provider from "oidc-provider";

const { port, curfew } = JSON.parse(process.argv[2]);
const issuer = `http://127.0.0.1:${port}`;
const callback = `${issuer}/callback`;

const [, section] = readFileSync("docs/providers.md", "utf8").split("## oidc-provider\n");
const [, code] = /```js\n([^]+?)```/.exec(section);
const addressed = code
  .replace("https://curfew.example.com", curfew)
  .replace("https://app.example.com/callback", callback);
const { configuration } = await import(`data:text/javascript,${encodeURIComponent(addressed)}`);
const [{ client_id, client_secret }] = configuration.clients;
const resource = "https://api.example.com";

const provider = new Provider(issuer, configuration);
const told = [];
provider.on("backchannel.success", (_ctx, _client, subject) => told.push({ subject }));
provider.on("backchannel.error", (_ctx, error, _client, subject) =>
  told.push({ subject, error: error.message }),
);
const listening = provider.listen(port, "127.0.0.1");
await new Promise((resolve) => listening.once("listening", resolve));

const config = await client.discovery(new URL(issuer), client_id, client_secret, undefined, {
  execute: [client.allowInsecureRequests],
});

/** Keeps cookies, follows redirects as far as the app, and sends the form on a page. */
function createBrowser() {
  const cookies = new Map();
  async function open(url, init = {}) {
    const cookie = [...cookies].map((pair) => pair.join("=")).join("; ");
    const response = await fetch(url, { ...init, redirect: "manual", headers: { cookie } });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      cookies.set(name, value);
    }
    const next = response.headers.get("location");
    if (next === null) return { url, page: await response.text() };
    const target = new URL(next, url);
    return target.href.startsWith(callback) ? { url: target } : open(target);
  }
  async function submit({ url, page }, fields) {
    const [, action] = /<form [^>]*action="([^"]+)"/.exec(page);
    const hidden = [...page.matchAll(/<input type="hidden" name="(\w+)" value="([^"]*)"/g)];
    const body = new URLSearchParams({
      ...Object.fromEntries(hidden.map(([, name, value]) => [name, value])),
      ...fields,
    });
    return open(new URL(action, url), { method: "POST", body });
  }
  return { open, submit };
}

const signedIn = new Map();

const ACTS = {
  async signIn(who, browserName) {
    const browser = createBrowser();
    const verifier = client.randomPKCECodeVerifier();
    const [state, nonce] = [client.randomState(), client.randomNonce()];
    const url = client.buildAuthorizationUrl(config, {
      redirect_uri: callback,
      scope: "openid api",
      resource,
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: "S256",
      ...{ state, nonce },
    });
    const login = await browser.open(url);
    const consent = await browser.submit(login, { login: who, password: "any" });
    const back = await browser.submit(consent, {});
    const { access_token, id_token } = await client.authorizationCodeGrant(
      config,
      back.url,
      { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce },
      { resource },
    );
    signedIn.set(browserName, { browser, id_token });
    return { access_token, id_token };
  },
  async signOut(browserName) {
    const { browser, id_token } = signedIn.get(browserName);
    const url = client.buildEndSessionUrl(config, { id_token_hint: id_token });
    await browser.submit(await browser.open(url), { logout: "yes" });
    return told.splice(0);
  },
};

process.on("message", async ([act, ...args]) => {
  const answer = await ACTS[act](...args).catch((error) => ({ failed: error.stack }));
  process.send(answer);
});
process.send({ issuer });
