// How the URL of a server is shown: in the states of the client, and to the function that gives its credentials.

/** A URL without its secrets: the password, and the values of the query, where tokens are. */
export function safeUrl(url: URL): string {
  if (url.password === '' && url.search === '') return url.href;
  const safe = new URL(url);
  if (safe.password !== '') safe.password = '***';
  for (const name of [...safe.searchParams.keys()]) safe.searchParams.set(name, '***');
  return safe.href;
}
