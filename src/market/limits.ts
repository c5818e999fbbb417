import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import { formatUnits, parseUnits } from "ethers";

import { formatAmount, parseAmount, type Unit } from "../amount.ts";
import { NeuraError } from "../errors.ts";
import { parseFields } from "../fields.ts";
import { atOnce, openStore } from "../sqlite.ts";
import { writeJson } from "./records.ts";
import type { MarketDomain } from "./terms.ts";

/** The most that an owner's client commits [wei]. There is no way to have none. */
export interface Limits {
  /** To one task, all its top-ups included. */
  readonly taskWei: bigint;
  /** Within any 3600 s. */
  readonly hourWei: bigint;
  /** Within any 30 days. */
  readonly monthWei: bigint;
}

const WINDOW_SECONDS = { hour: 3600, month: 30 * 24 * 3600 } as const;
type Window = keyof typeof WINDOW_SECONDS;

/**
 * In units of the currency: a mistake costs no more than two large tasks before the hour stops it, and no more than
 * twenty however long nobody looks. Raising them takes one command.
 */
const DEFAULTS = { task: "100", hour: "200", month: "2000" } as const;

const SCHEMA = "neura/limits/1";

/** The limits of who has set none: 100, 200 and 2000 units of the currency. */
export function defaultLimits({ decimals }: Unit): Limits {
  return {
    taskWei: parseUnits(DEFAULTS.task, decimals),
    hourWei: parseUnits(DEFAULTS.hour, decimals),
    monthWei: parseUnits(DEFAULTS.month, decimals),
  };
}

/** The file of the limits. */
export function limitsPath(home: string): string {
  return join(home, "limits.json");
}

/**
 * Reads the file's text; amounts are in units of the currency, such as "100" or "0.5". What it leaves out is as in
 * {@link defaultLimits}. Error: `limit.bad-file`, which names all faults at once.
 */
export function parseLimits(text: string, currency: Unit, source = "the limits"): Limits {
  const next =
    "Correct them all, or set the limits anew with `limit set`; docs/alarms.md describes the file.";
  return parseFields(text, { schema: SCHEMA, source, code: "limit.bad-file", next }, (file) => {
    const amount = (name: string) =>
      file.text(name, `is no amount of ${currency.symbol} as text, such as "100"`, (each) =>
        amountOf(each, currency),
      );
    const limits = defaultLimits(currency);
    return {
      taskWei: amount("task") ?? limits.taskWei,
      hourWei: amount("hour") ?? limits.hourWei,
      monthWei: amount("month") ?? limits.monthWei,
    };
  });
}

/** The limits of this machine's user; without the file, the defaults. Error: `limit.bad-file`. */
export async function loadLimits(home: string, currency: Unit): Promise<Limits> {
  const path = limitsPath(home);
  try {
    return parseLimits(await readFile(path, "utf8"), currency, path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return defaultLimits(currency);
    throw error;
  }
}

/** Sets the limits for this machine's user. */
export async function saveLimits(home: string, limits: Limits, { decimals }: Unit): Promise<void> {
  const amount = (wei: bigint) => formatUnits(wei, decimals).replace(/\.0$/, "");
  await writeJson(limitsPath(home), {
    schema: SCHEMA,
    task: amount(limits.taskWei),
    hour: amount(limits.hourWei),
    month: amount(limits.monthWei),
  });
}

/** The limits with those of a task's own file, which can lower them and never raise them. */
export function lowerLimits(limits: Limits, own: Partial<Limits>): Limits {
  const lower = (name: keyof Limits) => {
    const wei = own[name];
    return wei === undefined || wei > limits[name] ? limits[name] : wei;
  };
  return { taskWei: lower("taskWei"), hourWei: lower("hourWei"), monthWei: lower("monthWei") };
}

// ---- What was committed ----

export interface Reservation {
  readonly taskId: string;
  /** All that the task can cost, or can cost from now on with a top-up [wei]. */
  readonly costWei: bigint;
  /** This machine's time [Unix s]. */
  readonly nowSeconds: number;
  /** Limits of the task's own file. */
  readonly limits?: Partial<Limits>;
}

/** How much of a limit is committed [wei]. */
export interface Usage {
  readonly usedWei: bigint;
  readonly limitWei: bigint;
}

interface Commitment {
  readonly atSeconds: number;
  readonly wei: bigint;
}

const STORE = {
  version: 1,
  tables: `
    CREATE TABLE commitments (
      market TEXT NOT NULL, task TEXT NOT NULL, at_seconds INTEGER NOT NULL, wei TEXT NOT NULL, paid_wei TEXT
    ) STRICT;
    CREATE INDEX commitments_by_task ON commitments (market, task);
    CREATE INDEX commitments_by_time ON commitments (market, at_seconds)`,
} as const;

/**
 * What this machine's user committed to tasks of one market, in `<home>/spending.sqlite`. It is on disk before a call
 * returns, and processes that reserve at the same time wait for each other, so that together they keep to the limits.
 */
export class SpendingLedger {
  readonly #database: DatabaseSync;
  readonly #market: string;
  readonly #limits: Limits;
  readonly #currency: Unit;

  private constructor(database: DatabaseSync, market: string, limits: Limits, currency: Unit) {
    this.#database = database;
    this.#market = market;
    this.#limits = limits;
    this.#currency = currency;
  }

  /** Errors: `limit.bad-file`, `store.version`. */
  static async open({
    home,
    domain,
    currency,
  }: {
    home: string;
    domain: MarketDomain;
    currency: Unit;
  }): Promise<SpendingLedger> {
    const limits = await loadLimits(home, currency);
    const database = await openStore(join(home, "spending.sqlite"), STORE);
    return new SpendingLedger(database, `${domain.chainId}:${domain.market.toLowerCase()}`, limits, currency);
  }

  close(): void {
    this.#database.close();
  }

  get limits(): Limits {
    return this.#limits;
  }

  /**
   * Commits what a task can cost; to be called before its transaction is sent. What is committed to it already is not
   * committed again, so a second call does nothing, and one with a higher cost adds the difference. Nothing is committed
   * to a task that was settled.
   *
   * Errors: `limit.task`, `limit.hour`, `limit.month`; nothing is committed then.
   */
  reserve({ taskId, costWei, nowSeconds, limits: own = {} }: Reservation): void {
    const limits = lowerLimits(this.#limits, own);
    atOnce(this.#database, () => {
      const earlier = this.#rows("task = ?", taskId.toLowerCase());
      const addedWei = costWei - sumOf(earlier.map((row) => BigInt(String(row["wei"]))));
      if (addedWei <= 0n || earlier.some((row) => row["paid_wei"] !== null)) return;
      if (costWei > limits.taskWei) throw this.#taskError(costWei, limits.taskWei);
      this.#check("hour", addedWei, limits.hourWei, nowSeconds);
      this.#check("month", addedWei, limits.monthWei, nowSeconds);
      this.#database
        .prepare("INSERT INTO commitments (market, task, at_seconds, wei) VALUES (?, ?, ?, ?)")
        .run(this.#market, taskId.toLowerCase(), nowSeconds, `${addedWei}`);
    });
  }

  /**
   * Notes what an ended task was paid in the end [wei]; the rest is free again. Later figures replace earlier ones. A task
   * that was not reserved here is none of this ledger's.
   */
  settle(taskId: string, paidWei: bigint): void {
    const update = "UPDATE commitments SET paid_wei = ? WHERE rowid = ?";
    atOnce(this.#database, () => {
      const rows = this.#rows("task = ?", taskId.toLowerCase());
      let leftWei = paidWei;
      for (const [index, row] of rows.entries()) {
        const wei = BigInt(String(row["wei"]));
        // What was committed first is used up first; whatever is beyond all of it came last.
        const partWei = index === rows.length - 1 || leftWei < wei ? leftWei : wei;
        this.#database.prepare(update).run(`${partWei}`, Number(row["rowid"]));
        leftWei -= partWei;
      }
    });
  }

  /** Takes back what was committed to a task that is not on the chain and never will be. */
  release(taskId: string): void {
    this.#database
      .prepare("DELETE FROM commitments WHERE market = ? AND task = ? AND paid_wei IS NULL")
      .run(this.#market, taskId.toLowerCase());
  }

  /** The tasks that were reserved and not settled. */
  unsettled(): string[] {
    return [...new Set(this.#rows("paid_wei IS NULL").map(({ task }) => String(task)))];
  }

  usage(nowSeconds: number): Record<Window, Usage> {
    const usedWei = (window: Window) => sumOf(this.#within(window, nowSeconds).map(({ wei }) => wei));
    return {
      hour: { usedWei: usedWei("hour"), limitWei: this.#limits.hourWei },
      month: { usedWei: usedWei("month"), limitWei: this.#limits.monthWei },
    };
  }

  /** The window is `(now - length, now]`; what a clock that ran ahead noted counts too. */
  #within(window: Window, nowSeconds: number): Commitment[] {
    return this.#rows("at_seconds > ?", nowSeconds - WINDOW_SECONDS[window]).map((row) => ({
      atSeconds: Number(row["at_seconds"]),
      wei: BigInt(String(row["paid_wei"] ?? row["wei"])),
    }));
  }

  #rows(condition: string, ...values: (string | number)[]): Record<string, SQLOutputValue>[] {
    const sql = `SELECT rowid, * FROM commitments WHERE market = ? AND ${condition} ORDER BY at_seconds, rowid`;
    return this.#database.prepare(sql).all(this.#market, ...values);
  }

  #check(window: Window, addedWei: bigint, limitWei: bigint, nowSeconds: number): void {
    const commitments = this.#within(window, nowSeconds);
    const usedWei = sumOf(commitments.map(({ wei }) => wei));
    if (usedWei + addedWei <= limitWei) return;
    const roomAt = addedWei > limitWei ? undefined : roomAtSeconds(window, commitments, limitWei - addedWei);
    const wait = roomAt === undefined ? "" : `Wait until ${new Date(roomAt * 1000).toISOString()}, or raise`;
    throw new NeuraError(
      `limit.${window}`,
      `It can cost ${this.#text(addedWei)}; of the ${this.#text(limitWei)} for a ${window}, ${this.#text(usedWei)} are committed.`,
      {
        next: `${wait === "" ? "Raise" : wait} the limit with \`limit set --${window}\`, unless the task's own file sets it.`,
        details: {
          costWei: addedWei,
          usedWei,
          limitWei,
          ...(roomAt === undefined ? {} : { roomAtSeconds: roomAt }),
        },
      },
    );
  }

  #taskError(costWei: bigint, limitWei: bigint): NeuraError {
    return new NeuraError(
      "limit.task",
      `It can cost ${this.#text(costWei)}; the limit for one task is ${this.#text(limitWei)}.`,
      {
        next: "Ask for less time or a lower price, or raise the limit with `limit set --task`, unless the task's own file sets it.",
        details: { costWei, limitWei },
      },
    );
  }

  #text(wei: bigint): string {
    return formatAmount(wei, this.#currency);
  }
}

/** When so much has left the window that no more than `allowedWei` is in it. */
function roomAtSeconds(window: Window, commitments: readonly Commitment[], allowedWei: bigint): number {
  let usedWei = sumOf(commitments.map(({ wei }) => wei));
  for (const { atSeconds, wei } of commitments) {
    usedWei -= wei;
    if (usedWei <= allowedWei) return atSeconds + WINDOW_SECONDS[window];
  }
  throw new RangeError("nothing leaves no room");
}

function sumOf(amounts: readonly bigint[]): bigint {
  return amounts.reduce((sum, each) => sum + each, 0n);
}

function amountOf(text: string, currency: Unit): bigint | undefined {
  try {
    return parseAmount(text, currency);
  } catch {
    return undefined;
  }
}
