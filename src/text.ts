/** What a stranger wrote, for a message: on one line, without what changes a terminal, and not long. */
export function printable(text: string, length = 256): string {
  return text.replaceAll(/[^\p{L}\p{N}\p{P}\p{S} ]/gu, "?").slice(0, length);
}

/** A moment as people read it: `2026-12-03T00:00:00Z`. */
export function momentText(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace(".000Z", "Z");
}
