import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { DatabaseSync, SQLOutputValue } from "node:sqlite";

import { unlessAborted } from "../../abort.ts";
import { messageOf } from "../../errors.ts";
import { atOnce, openStore } from "../../sqlite.ts";
import {
  type Alarm,
  alarmsOf,
  type AlarmSettings,
  createAlarm,
  DEFAULT_ALARM_SETTINGS,
  type Watched,
} from "../alarms.ts";
import type { Sink } from "./sink.ts";

/** What became of one attempt to deliver an alarm. */
export interface Delivery {
  readonly alarm: Alarm;
  /** The name of the sink. */
  readonly sink: string;
  readonly delivered: boolean;
  /** Why not. */
  readonly error?: unknown;
  /** When it is tried again [Unix ms]; missing once it is given up. */
  readonly nextAttemptMs?: number;
}

/** An alarm that has not arrived yet, or never did. */
export interface Undelivered {
  readonly alarm: Alarm;
  readonly sink: string;
  readonly attempts: number;
  readonly error: string | undefined;
  readonly isGivenUp: boolean;
}

/** After the first failure it waits so long, after each further one twice as long … [ms] */
const FIRST_PAUSE_MS = 5_000;
/** … up to this [ms]. */
const LONGEST_PAUSE_MS = 3_600_000;
/** After so long nobody tries any more [ms]. */
const GIVE_UP_MS = 3 * 24 * 3_600_000;
/** What is over is forgotten after this [ms]. What was last watched is kept, so that nothing of it comes again. */
const KEPT_MS = 90 * 24 * 3_600_000;

const STORE = {
  version: 1,
  tables: `
    CREATE TABLE alarms (id TEXT PRIMARY KEY, alarm TEXT NOT NULL, created_ms INTEGER NOT NULL) STRICT;
    CREATE TABLE deliveries (
      alarm_id TEXT NOT NULL, sink TEXT NOT NULL, attempts INTEGER NOT NULL,
      due_ms INTEGER, delivered_ms INTEGER, error TEXT,
      PRIMARY KEY (alarm_id, sink)
    ) STRICT;
    CREATE INDEX deliveries_due ON deliveries (sink, due_ms) WHERE due_ms IS NOT NULL;
    CREATE TABLE watched (
      chain_id INTEGER, account TEXT, snapshot TEXT NOT NULL, settings TEXT NOT NULL,
      PRIMARY KEY (chain_id, account)
    ) STRICT, WITHOUT ROWID`,
} as const;

type Row = Record<string, SQLOutputValue>;

interface NotifierOptions {
  /** `NEURA_HOME`: what was noticed and delivered is in its `alarms.sqlite`. */
  readonly home: string;
  readonly sinks: readonly Sink[];
  readonly settings?: AlarmSettings | undefined;
  /** This machine's time [Unix ms]. */
  readonly now?: (() => number) | undefined;
}

/**
 * Delivers each alarm to each sink once. An alarm is on disk before it is sent, and that it was sent afterwards; in
 * between a crash leaves open whether it arrived, so it is sent again, with the same id. Several processes may share a
 * home: what one is sending, the others leave alone until its time limit is over.
 */
export class Notifier {
  readonly #database: DatabaseSync;
  readonly #sinks: readonly Sink[];
  readonly #settings: AlarmSettings;
  readonly #now: () => number;

  private constructor(database: DatabaseSync, options: NotifierOptions) {
    this.#database = database;
    this.#sinks = options.sinks;
    this.#settings = options.settings ?? DEFAULT_ALARM_SETTINGS;
    this.#now = options.now ?? Date.now;
  }

  /** Error: `store.version`. */
  static async open(options: NotifierOptions): Promise<Notifier> {
    const database = await openStore(join(options.home, "alarms.sqlite"), STORE);
    const notifier = new Notifier(database, options);
    notifier.#forget();
    return notifier;
  }

  close(): void {
    this.#database.close();
  }

  /**
   * Notes what is watched now, and the alarms that it gives rise to since it was last noted, by whichever process; both
   * are on disk together. An older snapshot than the last one, as a node that lags behind gives it, is passed over.
   */
  observe(watched: Watched): Alarm[] {
    return atOnce(this.#database, () => {
      const key = [watched.chainId, watched.account.toLowerCase()] as const;
      const row = this.#database
        .prepare("SELECT snapshot, settings FROM watched WHERE chain_id = ? AND account = ?")
        .get(...key);
      const { before, settingsBefore } = row === undefined ? {} : lookIn(row);
      if (before !== undefined && before.atSeconds > watched.atSeconds) return [];
      const alarms = alarmsOf(before, watched, this.#settings, settingsBefore);
      this.#database
        .prepare("INSERT OR REPLACE INTO watched VALUES (?, ?, ?, ?)")
        .run(...key, encode(watched), encode(this.#settings));
      return this.#insert(alarms);
    });
  }

  /** Notes alarms to deliver; resolves to those that were not known yet. */
  add(alarms: readonly Alarm[]): Alarm[] {
    return atOnce(this.#database, () => this.#insert(alarms));
  }

  /**
   * Sends what is due, to all sinks side by side and in order to each. After a failure a sink rests until the next call, so
   * that a dead one takes no longer than one time limit.
   */
  async deliver({ signal }: { signal?: AbortSignal | undefined } = {}): Promise<Delivery[]> {
    return (await Promise.all(this.#sinks.map((sink) => this.#deliverTo(sink, signal)))).flat();
  }

  /** What has not arrived, in the order in which it was noticed. */
  undelivered(): Undelivered[] {
    const sql = `SELECT * FROM deliveries JOIN alarms ON id = alarm_id WHERE delivered_ms IS NULL ORDER BY alarms.rowid`;
    return this.#database
      .prepare(sql)
      .all()
      .map((row) => ({
        alarm: alarmIn(row),
        sink: String(row["sink"]),
        attempts: Number(row["attempts"]),
        error: typeof row["error"] === "string" ? row["error"] : undefined,
        isGivenUp: row["due_ms"] === null,
      }));
  }

  async #deliverTo(sink: Sink, signal: AbortSignal | undefined): Promise<Delivery[]> {
    const deliveries: Delivery[] = [];
    for (;;) {
      const claimed = signal?.aborted === true ? undefined : this.#claim(sink);
      if (claimed === undefined) return deliveries;
      const { alarm, attempts, createdMs } = claimed;
      const place = [alarm.id, sink.name] as const;
      try {
        await sink.send(alarm, signal);
      } catch (error) {
        if (signal?.aborted === true) {
          const sql =
            "UPDATE deliveries SET due_ms = ?, attempts = attempts - 1 WHERE alarm_id = ? AND sink = ?";
          this.#database.prepare(sql).run(this.#now(), ...place);
          return deliveries;
        }
        const nextAttemptMs = this.#now() + pauseMs(attempts);
        const isGivenUp = nextAttemptMs > createdMs + GIVE_UP_MS;
        const sql = "UPDATE deliveries SET due_ms = ?, error = ? WHERE alarm_id = ? AND sink = ?";
        this.#database.prepare(sql).run(isGivenUp ? null : nextAttemptMs, messageOf(error), ...place);
        const failed = { alarm, sink: sink.name, delivered: false, error };
        return [...deliveries, isGivenUp ? failed : { ...failed, nextAttemptMs }];
      }
      const sql =
        "UPDATE deliveries SET due_ms = NULL, delivered_ms = ?, error = NULL WHERE alarm_id = ? AND sink = ?";
      this.#database.prepare(sql).run(this.#now(), ...place);
      deliveries.push({ alarm, sink: sink.name, delivered: true });
    }
  }

  /** Takes the next delivery that is due. Should this process end meanwhile, it is due again after the time limit. */
  #claim({ name, timeoutSeconds }: Sink): { alarm: Alarm; attempts: number; createdMs: number } | undefined {
    const now = this.#now();
    return atOnce(this.#database, () => {
      const sql = `SELECT alarm, attempts, created_ms FROM deliveries JOIN alarms ON id = alarm_id
        WHERE sink = ? AND due_ms <= ? ORDER BY alarms.rowid LIMIT 1`;
      const row = this.#database.prepare(sql).get(name, now);
      if (row === undefined) return undefined;
      const alarm = alarmIn(row);
      const attempts = Number(row["attempts"]) + 1;
      const update = "UPDATE deliveries SET attempts = ?, due_ms = ? WHERE alarm_id = ? AND sink = ?";
      const dueMs = now + timeoutSeconds * 1000 + pauseMs(attempts);
      this.#database.prepare(update).run(attempts, dueMs, alarm.id, name);
      return { alarm, attempts, createdMs: Number(row["created_ms"]) };
    });
  }

  #insert(alarms: readonly Alarm[]): Alarm[] {
    const now = this.#now();
    const note = this.#database.prepare("INSERT INTO alarms VALUES (?, ?, ?) ON CONFLICT DO NOTHING");
    const enqueue = this.#database.prepare(
      "INSERT INTO deliveries (alarm_id, sink, attempts, due_ms) VALUES (?, ?, 0, ?)",
    );
    return alarms.filter((alarm) => {
      if (note.run(alarm.id, encode(alarm), now).changes === 0) return false;
      for (const { name, kinds } of this.#sinks) {
        if (kinds?.has(alarm.kind) !== false) enqueue.run(alarm.id, name, now);
      }
      return true;
    });
  }

  #forget(): void {
    const before = this.#now() - KEPT_MS;
    atOnce(this.#database, () => {
      const old = "SELECT id FROM alarms WHERE created_ms < ?";
      this.#database.prepare(`DELETE FROM deliveries WHERE alarm_id IN (${old})`).run(before);
      this.#database.prepare("DELETE FROM alarms WHERE created_ms < ?").run(before);
    });
  }
}

/** Sends a test alarm through each sink, past all records, and says what happened. */
export async function testSinks(
  sinks: readonly Sink[],
  { account, signal }: { account: string; signal?: AbortSignal | undefined },
): Promise<{ sink: string; delivered: boolean; error?: unknown }[]> {
  const atSeconds = Math.floor(Date.now() / 1000);
  const alarm = createAlarm(
    { account, chainId: 0, atSeconds },
    { kind: "test", message: "This is a test: alarms arrive here.", details: {} },
  );
  return await Promise.all(
    sinks.map(async ({ name, send }) => {
      try {
        await send(alarm, signal);
        return { sink: name, delivered: true };
      } catch (error) {
        signal?.throwIfAborted();
        return { sink: name, delivered: false, error };
      }
    }),
  );
}

/** What a watch reports. */
export type WatchReport =
  | { readonly event: "noticed"; readonly alarm: Alarm }
  | { readonly event: "delivery"; readonly delivery: Delivery }
  /** What is watched could not be read; it is tried again. */
  | { readonly event: "blind"; readonly error: unknown };

/**
 * Looks, notes what became an alarm, and delivers it, until the signal aborts; then it resolves. What
 * cannot be read or delivered is reported, and the watch goes on.
 */
export async function watchAlarms({
  snapshot,
  notifier,
  intervalMs = 10_000,
  signal,
  onReport,
}: {
  snapshot: () => Promise<Watched>;
  notifier: Notifier;
  /** The pause between two looks [ms]. */
  intervalMs?: number | undefined;
  signal: AbortSignal;
  onReport?: ((report: WatchReport) => void) | undefined;
}): Promise<void> {
  const isStopped = () => signal.aborted;
  while (!isStopped()) {
    try {
      const alarms = notifier.observe(await unlessAborted(snapshot(), signal));
      for (const alarm of alarms) onReport?.({ event: "noticed", alarm });
    } catch (error) {
      if (!isStopped()) onReport?.({ event: "blind", error });
    }
    for (const delivery of await notifier.deliver({ signal })) onReport?.({ event: "delivery", delivery });
    await sleep(intervalMs, undefined, { signal }).catch(() => undefined); // which only an abort ends early
  }
}

function pauseMs(attempts: number): number {
  return Math.min(FIRST_PAUSE_MS * 2 ** (attempts - 1), LONGEST_PAUSE_MS);
}

function encode(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) => (typeof each === "bigint" ? each.toString() : each));
}

// What this program wrote is taken at its word.

function alarmIn(row: Row): Alarm {
  return JSON.parse(String(row["alarm"])) as Alarm;
}

function lookIn(row: Row): { before: Watched; settingsBefore: AlarmSettings } {
  return {
    before: JSON.parse(String(row["snapshot"]), reviveAmount) as Watched,
    settingsBefore: JSON.parse(String(row["settings"]), reviveAmount) as AlarmSettings,
  };
}

/** Every bigint in these is an amount, and amounts alone end in `Wei`. */
function reviveAmount(name: string, value: unknown): unknown {
  return name.endsWith("Wei") && typeof value === "string" ? BigInt(value) : value;
}
