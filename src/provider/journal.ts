import type { DatabaseSync, SQLInputValue, SQLOutputValue } from "node:sqlite";

import { type Mined, type SenderStore, type SignedTransaction, voidOf } from "../chain/sender.ts";
import { NeuraError } from "../errors.ts";
import type { Evidence } from "../market/evidence.ts";
import type { OutcomeName } from "../market/outcome.ts";
import {
  decodeSubmitted,
  encodeTerms,
  encodeWork,
  type Task,
  type TaskSubmittedArgs,
} from "../market/terms.ts";
import { openDatabase } from "../sqlite.ts";

/**
 * How far a task has come. Each step is on record before the next one begins, so that a node that was killed goes
 * on where it stopped.
 */
export const STEPS = [
  /** Another does it; this node is its backup. */
  "standby",
  /** Its submission was read from the chain. */
  "found",
  /** Accepted; its owner has not published the payload's key yet. */
  "assigned",
  /** Payload fetched, opened and checked. */
  "fetched",
  /** Handed to the runner; the run may be going on without the node. */
  "running",
  /** The run ended; what it left is in the task's folder. */
  "ran",
  /** The result is made and will never be another. */
  "sealed",
  /** The result is stored, and was read back. */
  "uploaded",
  /** Handed over, and not paid yet: it can be challenged. */
  "delivered",
  /** A lease: its owner was told how to reach it, its meter runs. */
  "up",
  /** It will be declined or abandoned, for the reason on record. */
  "closing",
  "done",
] as const;
export type Step = (typeof STEPS)[number];

/** The steps in which a task that its provider has accepted, or may count on, takes one of the machine's places. */
const PLACED: ReadonlySet<Step> = new Set(["found", "assigned", "fetched", "running", "up"]);

export function takesPlace({ step }: Entry): boolean {
  return PLACED.has(step);
}

/** What becomes known of a task on its way. Hashes and keys are hex with 0x. */
export interface Facts {
  /** The owner's public key of the terms' epoch, 33 bytes: kept from the first look on. */
  readonly ownerKey?: string;
  /** The chain does not have it any more, after a reorganisation. */
  readonly isVanished?: boolean;
  readonly inputRoot?: string;
  /** How often its work was begun. */
  readonly attempts?: number;
  /** How often something of this machine failed that had nothing to do with the task. */
  readonly faults?: number;
  /** Measured by the runner [s]. */
  readonly runSeconds?: number;
  /** 32 random bytes: the provider's half of the seed of a jury. */
  readonly drawNonce?: string;
  readonly resultHash?: string;
  readonly evidenceHash?: string;
  /** What that is the hash of. */
  readonly evidence?: Evidence;
  readonly resultUri?: string;
  /** How it ended, or is about to. */
  readonly outcome?: OutcomeName;
  /** The error behind the outcome: code and message. */
  readonly error?: { readonly code: string; readonly message: string };
  /** What the provider got, after fee and royalty [wei as decimal text]. */
  readonly earnedWei?: string;
  /** When it was submitted [Unix s of the chain]: the price of an open task begins to rise. */
  readonly submittedAtSeconds?: number;
  /** What a dispute made of it: whether the work was found to be as it was delivered. */
  readonly dispute?: { readonly unit: string; readonly isRight: boolean };
  /** Of a lease: what its service had gone through when it was last said to be up. */
  readonly beat?: { readonly restarts: number; readonly blemishMs: number };
}

/** A block by its hash. */
export interface BlockId {
  readonly number: number;
  readonly hash: string;
}

/** What the node knows of one task. */
export interface Entry {
  readonly task: Task;
  readonly step: Step;
  /** Where it was submitted. */
  readonly block: BlockId;
  readonly facts: Facts;
  /** When each phase was reached [Unix ms of this machine]. */
  readonly times: Readonly<Record<string, number>>;
}

/** What the node earned and spent. */
export interface Ledger {
  readonly earnedWei: bigint;
  readonly gasWei: bigint;
  /** How many tasks ended with each outcome, and how many are `open`. */
  readonly tasks: Readonly<Record<string, number>>;
}

/** What a task's transactions are for: `<verb>:<task id>` is the sender's purpose. */
export const VERBS = [
  "accept",
  "takeOver",
  "deliver",
  "decline",
  "abandon",
  "expire",
  "settle",
  "concede",
  "resolve",
  "juryDraw",
  "juryAppeal",
  "juryLapse",
  "juryFinish",
  "ready",
  "close",
  "endLease",
] as const;
export type Verb = (typeof VERBS)[number];

export function purposeOf(verb: Verb, taskId: string): string {
  return `${verb}:${taskId}`;
}

const VERSION = 2;
/** Versions whose records this one reads as they are: it only has more steps. */
const OLDER: readonly unknown[] = [1];
/** Deep enough for the reorganisations of any chain with final blocks. */
const KEPT_CHECKPOINTS = 512;

const SCHEMA = `
  CREATE TABLE tasks (
    chain_id TEXT, market TEXT, id TEXT, step TEXT NOT NULL,
    block_number INTEGER NOT NULL, block_hash TEXT NOT NULL,
    submitted TEXT NOT NULL, facts TEXT NOT NULL, times TEXT NOT NULL,
    PRIMARY KEY (chain_id, market, id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX tasks_by_step ON tasks (chain_id, market, step);
  CREATE TABLE transactions (
    chain_id TEXT, hash TEXT, nonce INTEGER NOT NULL, purpose TEXT NOT NULL, raw TEXT NOT NULL,
    max_spend_wei TEXT NOT NULL, until_seconds INTEGER, state TEXT NOT NULL,
    block_number INTEGER, gas_used TEXT, spent_wei TEXT,
    PRIMARY KEY (chain_id, hash)
  ) STRICT;
  CREATE INDEX transactions_by_state ON transactions (chain_id, state);
  CREATE INDEX transactions_by_purpose ON transactions (chain_id, purpose);
  CREATE TABLE checkpoints (
    chain_id TEXT, market TEXT, number INTEGER, hash TEXT NOT NULL,
    PRIMARY KEY (chain_id, market, number)
  ) STRICT, WITHOUT ROWID;
`;

type Row = Record<string, SQLOutputValue>;

/**
 * What the node has done and is about to do, in SQLite: durable when a call returns, and never a secret in it.
 * One node writes; others may read at the same time.
 */
export class Journal implements SenderStore {
  readonly #database: DatabaseSync;
  readonly #chainId: string;
  readonly #market: string;

  private constructor(database: DatabaseSync, domain: { chainId: bigint; market: string }) {
    this.#database = database;
    this.#chainId = domain.chainId.toString();
    this.#market = domain.market.toLowerCase();
  }

  /** Opens or creates the file. Error: `provider.journal-version` for one that another version wrote. */
  static async open(path: string, domain: { chainId: bigint; market: string }): Promise<Journal> {
    const database = await openDatabase(path);
    database.exec("PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    const version = database.prepare("PRAGMA user_version").get()?.["user_version"];
    if (version === 0) {
      database.exec(`BEGIN IMMEDIATE; ${SCHEMA} PRAGMA user_version = ${VERSION}; COMMIT`);
    } else if (OLDER.includes(version)) {
      // From here on programs of that version leave it alone.
      database.exec(`PRAGMA user_version = ${VERSION}`);
    } else if (version !== VERSION) {
      database.close();
      throw new NeuraError(
        "provider.journal-version",
        `The journal ${path} has version ${String(version)}; this program reads version ${VERSION}.`,
        { next: "Let the program that wrote it finish its tasks, then move the file away." },
      );
    }
    return new Journal(database, domain);
  }

  close(): void {
    this.#database.close();
  }

  // ---- Tasks ----

  /** Notes a task as the chain announced it; false when it is known already. */
  add(
    { id, terms, work }: Task,
    block: BlockId,
    now: number,
    { step = "found", facts = {} }: { step?: "found" | "standby"; facts?: Facts } = {},
  ): boolean {
    const { backup } = work;
    const words = { id, ...encodeTerms(terms), ...encodeWork(work), backup };
    const sql = `INSERT INTO tasks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`;
    const { changes } = this.#database.prepare(sql).run(
      ...this.#task(id),
      step,
      block.number,
      block.hash,
      JSON.stringify(words, (_, value: unknown) => (typeof value === "bigint" ? `${value}` : value)),
      JSON.stringify(facts),
      JSON.stringify({ [step]: now }),
    );
    return changes === 1;
  }

  /** Takes out a task that was never this provider's. */
  forget(id: string): void {
    const sql = "DELETE FROM tasks WHERE chain_id = ? AND market = ? AND id = ?";
    this.#database.prepare(sql).run(...this.#task(id));
  }

  get(id: string): Entry | undefined {
    const sql = "SELECT * FROM tasks WHERE chain_id = ? AND market = ? AND id = ?";
    const row = this.#database.prepare(sql).get(...this.#task(id));
    return row && this.#entry(row);
  }

  /** All tasks in the order of the chain, or those that are not done, or those submitted in a block or later. */
  list({ open = false, fromBlock = 0 }: { open?: boolean; fromBlock?: number } = {}): Entry[] {
    const sql = `SELECT * FROM tasks WHERE chain_id = ? AND market = ? AND block_number >= ?
      ${open ? "AND step <> 'done'" : ""} ORDER BY block_number, id`;
    return this.#all(sql, this.#chainId, this.#market, fromBlock).map((row) => this.#entry(row));
  }

  /** Puts a task at a step with what became known, and notes when. */
  advance(id: string, step: Step, facts: Facts, now: number): Entry {
    const sql = `UPDATE tasks SET step = ?, facts = json_patch(facts, ?), times = json_set(times, ?, ?)
      WHERE chain_id = ? AND market = ? AND id = ?`;
    this.#database.prepare(sql).run(step, JSON.stringify(facts), `$.${step}`, now, ...this.#task(id));
    return this.#known(id);
  }

  /** Notes what became known without a new step. */
  learn(id: string, facts: Facts): Entry {
    const sql = "UPDATE tasks SET facts = json_patch(facts, ?) WHERE chain_id = ? AND market = ? AND id = ?";
    this.#database.prepare(sql).run(JSON.stringify(facts), ...this.#task(id));
    return this.#known(id);
  }

  /** The task's submission stands in another block now. */
  move(id: string, block: BlockId): void {
    const sql =
      "UPDATE tasks SET block_number = ?, block_hash = ? WHERE chain_id = ? AND market = ? AND id = ?";
    this.#database.prepare(sql).run(block.number, block.hash, ...this.#task(id));
  }

  /** Paid for a task's transactions [wei]. */
  gasOf(id: string): bigint {
    const purposes = VERBS.map((verb) => purposeOf(verb, id)).flatMap((each) => [each, voidOf(each)]);
    const sql = `SELECT spent_wei FROM transactions WHERE chain_id = ? AND spent_wei IS NOT NULL
      AND purpose IN (${purposes.map(() => "?").join()})`;
    return sumOf(this.#all(sql, this.#chainId, ...purposes));
  }

  /**
   * Makes one record of all that this purpose was served with up to a block, and gives the sum of its gas a purpose of
   * its own: a lease's heartbeats are many, and nobody asks for one of them again.
   */
  fold(verb: string, toBlock: number): void {
    const these = "chain_id = ? AND purpose LIKE ? AND (block_number <= ? OR state = 'lost')";
    const values = [this.#chainId, `${verb}:%`, toBlock] as const;
    const rows = this.#all(
      `SELECT spent_wei FROM transactions WHERE ${these} AND spent_wei IS NOT NULL`,
      ...values,
    );
    if (rows.length < 2) return;
    this.#atOnce(() => {
      this.#database.prepare(`DELETE FROM transactions WHERE ${these}`).run(...values);
      const insert = `INSERT INTO transactions (chain_id, hash, nonce, purpose, raw, max_spend_wei, state, block_number, spent_wei)
        VALUES (?, ?, -1, ?, '', '0', 'folded', 0, ?)`;
      const sum = `${sumOf(rows)}`;
      this.#database.prepare(insert).run(this.#chainId, `folded:${verb}`, `${verb}:folded`, sum);
    });
  }

  ledger(): Ledger {
    const tasks: Record<string, number> = {};
    let earnedWei = 0n;
    for (const { step, facts } of this.list()) {
      const name = step === "done" ? (facts.outcome ?? "None") : "open";
      tasks[name] = (tasks[name] ?? 0) + 1;
      earnedWei += BigInt(facts.earnedWei ?? 0);
    }
    const sql = "SELECT spent_wei FROM transactions WHERE chain_id = ? AND spent_wei IS NOT NULL";
    return { earnedWei, gasWei: sumOf(this.#all(sql, this.#chainId)), tasks };
  }

  #known(id: string): Entry {
    const entry = this.get(id);
    if (entry === undefined) throw new Error(`task ${id} is not in the journal`);
    return entry;
  }

  #task(id: string): [string, string, string] {
    return [this.#chainId, this.#market, id.toLowerCase()];
  }

  #entry(row: Row): Entry {
    return {
      task: taskIn(row),
      step: stepIn(row),
      block: { number: Number(row["block_number"]), hash: String(row["block_hash"]) },
      ...factsIn(row),
    };
  }

  // ---- Transactions ----

  record({ hash, nonce, purpose, raw, maxSpendWei, untilSeconds }: SignedTransaction): void {
    const sql = `INSERT INTO transactions (chain_id, hash, nonce, purpose, raw, max_spend_wei, until_seconds, state)
      VALUES (?, ?, ?, ?, ?, ?, ?, 'open') ON CONFLICT DO NOTHING`;
    const until = untilSeconds ?? null;
    this.#database.prepare(sql).run(this.#chainId, hash, nonce, purpose, raw, `${maxSpendWei}`, until);
  }

  open(): SignedTransaction[] {
    const sql = "SELECT * FROM transactions WHERE chain_id = ? AND state = 'open' ORDER BY rowid";
    return this.#all(sql, this.#chainId).map(signedIn);
  }

  settle(nonce: number, end: Mined | "lost"): void {
    const lose = "UPDATE transactions SET state = 'lost' WHERE chain_id = ? AND nonce = ? AND state = 'open'";
    if (end === "lost") {
      this.#database.prepare(lose).run(this.#chainId, nonce);
      return;
    }
    const mine = `UPDATE transactions SET state = ?, block_number = ?, gas_used = ?, spent_wei = ?
      WHERE chain_id = ? AND hash = ?`;
    const state = end.succeeded ? "succeeded" : "failed";
    this.#atOnce(() => {
      this.#database
        .prepare(mine)
        .run(state, end.blockNumber, `${end.gasUsed}`, `${end.spentWei}`, this.#chainId, end.hash);
      this.#database.prepare(lose).run(this.#chainId, nonce);
    });
  }

  succeeded(purpose: string): Mined | undefined {
    const sql = "SELECT * FROM transactions WHERE chain_id = ? AND purpose = ? AND state = 'succeeded'";
    const row = this.#database.prepare(sql).get(this.#chainId, purpose);
    return row && minedIn(row);
  }

  reopen(fromBlock: number): SignedTransaction[] {
    const sql = `UPDATE transactions SET state = 'open', block_number = NULL, gas_used = NULL, spent_wei = NULL
      WHERE chain_id = ? AND block_number >= ? RETURNING *`;
    return this.#all(sql, this.#chainId, fromBlock).map(signedIn);
  }

  // ---- Checkpoints ----

  /** Blocks up to which the node has read, the newest first. */
  checkpoints(): BlockId[] {
    const sql = "SELECT number, hash FROM checkpoints WHERE chain_id = ? AND market = ? ORDER BY number DESC";
    return this.#all(sql, this.#chainId, this.#market).map((row) => ({
      number: Number(row["number"]),
      hash: String(row["hash"]),
    }));
  }

  /** Notes that everything up to this block has been read; later checkpoints are void. */
  checkpoint({ number, hash }: BlockId): void {
    const place = [this.#chainId, this.#market] as const;
    this.#atOnce(() => {
      this.#database
        .prepare("DELETE FROM checkpoints WHERE chain_id = ? AND market = ? AND number >= ?")
        .run(...place, number);
      this.#database.prepare("INSERT INTO checkpoints VALUES (?, ?, ?, ?)").run(...place, number, hash);
      this.#database
        .prepare(
          `DELETE FROM checkpoints WHERE chain_id = ? AND market = ? AND number NOT IN
            (SELECT number FROM checkpoints WHERE chain_id = ? AND market = ? ORDER BY number DESC LIMIT ?)`,
        )
        .run(...place, ...place, KEPT_CHECKPOINTS);
    });
  }

  #all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#database.prepare(sql).all(...values);
  }

  #atOnce(work: () => void): void {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      work();
      this.#database.exec("COMMIT");
    } catch (error) {
      this.#database.exec("ROLLBACK");
      throw error;
    }
  }
}

// ---- Rows ----

/** The one place where what this program wrote into the journal is taken at its word. */
function factsIn(row: Row): Pick<Entry, "facts" | "times"> {
  return {
    facts: JSON.parse(String(row["facts"])) as Facts,
    times: JSON.parse(String(row["times"])) as Record<string, number>,
  };
}

function stepIn(row: Row): Step {
  const step = STEPS.find((each) => each === row["step"]);
  if (step === undefined) throw new Error(`the journal has a step ${String(row["step"])}`);
  return step;
}

function taskIn(row: Row): Task {
  type Text = Record<"price" | "conditions" | "assurance" | "resources", string>;
  type Submitted = Omit<TaskSubmittedArgs, keyof Text> & Text & { readonly backup?: string };
  const { backup, ...text } = JSON.parse(String(row["submitted"])) as Submitted;
  const task = decodeSubmitted({
    ...text,
    price: BigInt(text.price),
    conditions: BigInt(text.conditions),
    assurance: BigInt(text.assurance),
    resources: BigInt(text.resources),
  });
  return backup === undefined ? task : { ...task, work: { ...task.work, backup } };
}

function signedIn(row: Row): SignedTransaction {
  const until = row["until_seconds"];
  return {
    hash: String(row["hash"]),
    nonce: Number(row["nonce"]),
    purpose: String(row["purpose"]),
    raw: String(row["raw"]),
    maxSpendWei: BigInt(String(row["max_spend_wei"])),
    untilSeconds: until === null ? undefined : Number(until),
  };
}

function sumOf(rows: readonly Row[]): bigint {
  return rows.reduce((sum, row) => sum + BigInt(String(row["spent_wei"])), 0n);
}

function minedIn(row: Row): Mined {
  return {
    hash: String(row["hash"]),
    blockNumber: Number(row["block_number"]),
    succeeded: true,
    gasUsed: BigInt(String(row["gas_used"])),
    spentWei: BigInt(String(row["spent_wei"])),
  };
}
