// Addresses as they may be shown: a URL can carry a user name and a password.

/** The URL without its user and password; a text that is no URL stays as it is. */
export function withoutSecrets(url: string): string {
  if (!URL.canParse(url)) return url;
  const parsed = new URL(url);
  parsed.username = '';
  parsed.password = '';
  return parsed.href;
}
