import { redirect } from "next/navigation";
import { currentUser } from "../../lib/curfew";
import { Report } from "./report";

/** Private. It asks for itself: a proxy in front of it is a convenience, and no guard. */
export default async function Account() {
  const user = await currentUser();
  if (!user) redirect("/sign-in");
  return (
    <>
      <h1>Account</h1>
      <p>Signed in as {user.email}.</p>
      <Report />
    </>
  );
}
