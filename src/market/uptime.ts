/**
 * How long something was up, as somebody saw it who looked from time to time: the provider's node at the service of a
 * lease, and the owner at the same from outside. Only time between two looks that saw the same is counted as up or
 * down; where it changed in between, nobody can say when.
 */

/** What was seen at one moment. */
export interface Look {
  /** Of a clock that never goes back [ms]. */
  readonly atMs: number;
  /** For people and as evidence [Unix s]. */
  readonly atSeconds: number;
  readonly isUp: boolean;
  /** Changes whenever it was started again: then it was down in between, though nobody saw it. */
  readonly start?: number | undefined;
}

/** Time in which all looks saw the same. */
export interface Span {
  readonly isUp: boolean;
  /** The first and the last look [Unix s]. */
  readonly fromSeconds: number;
  readonly toSeconds: number;
}

export interface Uptime {
  readonly upMs: number;
  readonly downMs: number;
  /** Between two looks that saw different things, or that are too far apart. */
  readonly unsureMs: number;
  /** The newest ones, oldest first. */
  readonly spans: readonly Span[];
}

export const NO_UPTIME: Uptime = { upMs: 0, downMs: 0, unsureMs: 0, spans: [] };

/** More would make the record too large to write down at every look. */
export const KEPT_SPANS = 1000;

/**
 * The record with one more look.
 *
 * @param last the look before this one; undefined for the first one since the record was opened
 * @param options.maxGapMs looks that are farther apart say nothing about the time between them
 */
export function observe(
  uptime: Uptime,
  { last, look, maxGapMs }: { last: Look | undefined; look: Look; maxGapMs: number },
): Uptime {
  const gapMs = last ? Math.max(look.atMs - last.atMs, 0) : 0;
  const isSame =
    last !== undefined && last.isUp === look.isUp && last.start === look.start && gapMs <= maxGapMs;
  const newest = uptime.spans.at(-1);
  if (isSame && newest)
    return {
      ...uptime,
      ...(look.isUp ? { upMs: uptime.upMs + gapMs } : { downMs: uptime.downMs + gapMs }),
      spans: [...uptime.spans.slice(0, -1), { ...newest, toSeconds: look.atSeconds }],
    };
  const span = { isUp: look.isUp, fromSeconds: look.atSeconds, toSeconds: look.atSeconds };
  return {
    ...uptime,
    unsureMs: uptime.unsureMs + gapMs,
    spans: [...uptime.spans, span].slice(-KEPT_SPANS),
  };
}
