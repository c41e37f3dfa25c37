// Tags under which replies come back. Following a tag is stored by the server, so a tag is used again after its question
// was answered. One whose answer never came is given up, because a late reply must not answer the next question.

export class ReplyTags {
  readonly #free: string[] = [];

  /** A tag that is followed already, if one is free. */
  reuse(): string | undefined {
    return this.#free.pop();
  }

  create(): string {
    return `reply:${randomId()}`;
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
