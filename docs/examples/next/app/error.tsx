"use client";

/** Curfew couldn't say whose page this is, so nothing of it is shown. Nobody is signed out. */
export default function Failed() {
  return (
    <>
      <p role="alert">That didn’t work. Please try again in a moment.</p>
      <button onClick={() => location.reload()}>Try again</button>
    </>
  );
}
