const REASONS: Record<string, string> = {
  here: "You are logged out.",
  logout: "You logged out in another tab.",
  session_ended: "You ended this session on another device.",
  password_changed: "Your password was changed on another device.",
  expired: "Your session expired.",
};

export default async function Home({ searchParams }: { searchParams: Promise<{ ended?: string }> }) {
  const { ended } = await searchParams;
  return (
    <>
      {ended && <p role="status">{REASONS[ended] ?? "Your session was ended."}</p>}
      <h1>Home</h1>
    </>
  );
}
