import { currentUser } from "../lib/curfew";

const REASONS: Record<string, string> = {
  here: "You are logged out.",
  logout: "You logged out in another tab.",
  session_ended: "You ended this session on another device.",
  password_changed: "Your password was changed on another device.",
  expired: "Your session expired.",
};

export default async function Home({ searchParams }: { searchParams: Promise<{ ended?: string }> }) {
  // Anybody can link here: whoever is signed in must not read that they aren't.
  const isOut = await currentUser().then(
    (user) => !user,
    () => false,
  );
  const { ended = "" } = await searchParams;
  return (
    <>
      {isOut && ended && (
        <p role="status">{Object.hasOwn(REASONS, ended) ? REASONS[ended] : "Your session was ended."}</p>
      )}
      <h1>Home</h1>
    </>
  );
}
