// Tags under which replies come back. Following a tag is stored by the server, so a tag is used again after its question
// was answered. One whose answer never came is given up, because a late reply must not answer the next question. Those that
// a bot followed in an earlier life are of no use to anybody, and would count for its limit of tags for ever.

export class ReplyTags {
  readonly #free: string[] = [];
  readonly #own = new Set<string>();

  /** A tag that is followed already, if one is free. */
  reuse(): string | undefined {
    return this.#free.pop();
  }

  create(): string {
    const tag = `reply:${randomId()}`;
    this.#own.add(tag);
    return tag;
  }

  /** Those among the followed tags that were made by this class, and not here. */
  strange(tags: readonly string[]): readonly string[] {
    return tags.filter((tag) => /^reply:[0-9a-f]{24}$/.test(tag) && !this.#own.has(tag));
  }

  release(tag: string): void {
    this.#free.push(tag);
  }
}

/** 96 random bits as text. */
export function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
