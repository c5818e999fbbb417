import type { Alarm, AlarmKind } from "../alarms.ts";

/** Where alarms go. */
export interface Sink {
  /** Unique, and the same after a restart: what was delivered is on record under it. */
  readonly name: string;
  /** Those that go there; all of them without it. */
  readonly kinds: ReadonlySet<AlarmKind> | undefined;
  /** The longest time that one delivery takes [s]. */
  readonly timeoutSeconds: number;
  /** Rejects with the reason where the alarm did not arrive, which leaves open whether it did after all. */
  readonly send: (alarm: Alarm, signal?: AbortSignal) => Promise<void>;
}

/** What is sent: the same bytes for the same alarm. */
export function bodyOf(alarm: Alarm): string {
  return JSON.stringify({ schema: "neura/alarm/1", ...alarm });
}
