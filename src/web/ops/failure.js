// What the page says when a request fails, and what to do about it.

import { button, element } from "../shared/element.js";

const RETRY_MS = 3000;

const HELP = {
  0: ["Nobody answers", "Either the service is stopped, or you are offline."],
  404: ["Not found", "It may have expired or been lifted. Check that the id is complete."],
  503: ["The service is busy or stopping", "The page tries again by itself."],
  denylist_unavailable: [
    "Redis can’t be reached; nothing is accepted until it can",
    "Every check and every logout answers 503 meanwhile. The page tries again by itself.",
  ],
};

/** Shows why something failed, with a button to try again. Tries again by itself if it may be a passing fault. */
export function showFailure(place, error, retry) {
  const [title, help] = HELP[error.code] ?? HELP[error.status] ?? ["That didn’t work", ""];
  const again = button("Try again", () => void retry(), "");
  const words = [
    element("h3", {}, title),
    element("p", {}, help),
    element("p", { className: "quiet" }, error.message),
  ];
  const box = element(
    "section",
    { className: "card failure", role: "alert" },
    ...words,
    retry ? again : null,
  );
  place.replaceChildren(box);
  if (!retry || (error.status !== 503 && error.status !== 0)) return;
  setTimeout(() => {
    if (box.isConnected) void retry();
  }, RETRY_MS);
}
