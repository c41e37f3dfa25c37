// Why a request by `fetch` failed. It says "fetch failed" itself; the reason is its cause, and where a name has several
// addresses, as localhost mostly has, one reason for each of them.

export function fetchFault(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (cause instanceof AggregateError) return cause.errors.map(fetchFault).join(', ');
  return cause instanceof Error ? cause.message : String(cause);
}
