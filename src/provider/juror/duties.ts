import type { DatabaseSync } from "node:sqlite";

import { openStore } from "../../sqlite.ts";

/** A place of this node on a panel, and how far its juror is. */
export interface Duty {
  /** Names it: the panel of one draw, so that another one after a reorganisation is another duty. */
  readonly key: string;
  readonly taskId: string;
  readonly round: number;
  readonly position: number;
  /** Counted from 0. */
  readonly seat: number;
  /** The panel's. */
  readonly seed: string;
  readonly facts: DutyFacts;
}

/** What becomes known on the way. Once there, none of it becomes another. */
export interface DutyFacts {
  /** Hidden from the owner until it is revealed; 32 bytes as hex with 0x, and 240 bits as hex with 0x. */
  readonly salt?: string | undefined;
  readonly fingerprint?: string | undefined;
  /** The vote [bps], and what it follows from. */
  readonly providerBps?: number | undefined;
  readonly why?: string | undefined;
  /** Why this node cannot do it. */
  readonly unable?: string;
}

const VERSION = 1;
const TABLES = `
  CREATE TABLE duties (
    jury TEXT, key TEXT, task_id TEXT NOT NULL, round INTEGER NOT NULL, position INTEGER NOT NULL,
    seat INTEGER NOT NULL, seed TEXT NOT NULL, facts TEXT NOT NULL, is_done INTEGER NOT NULL,
    PRIMARY KEY (jury, key)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE readings (jury TEXT PRIMARY KEY, block INTEGER NOT NULL) STRICT;
`;

/** The duties of a node as juror, in SQLite: durable when a call returns, so that it commits to one thing only. */
export class Duties {
  readonly #database: DatabaseSync;
  readonly #jury: string;

  private constructor(database: DatabaseSync, jury: string) {
    this.#database = database;
    this.#jury = jury;
  }

  /** `jury`: chain and address. Error: `store.version`. */
  static async open(path: string, jury: string): Promise<Duties> {
    return new Duties(await openStore(path, { version: VERSION, tables: TABLES }), jury);
  }

  close(): void {
    this.#database.close();
  }

  /** Notes a duty; false where it is known already. */
  add({ key, taskId, round, position, seat, seed }: Omit<Duty, "facts">): boolean {
    const sql = "INSERT INTO duties VALUES (?, ?, ?, ?, ?, ?, ?, '{}', 0) ON CONFLICT DO NOTHING";
    const { changes } = this.#database.prepare(sql).run(this.#jury, key, taskId, round, position, seat, seed);
    return changes === 1;
  }

  /** Those that are not done. */
  open(): Duty[] {
    const sql = "SELECT * FROM duties WHERE jury = ? AND is_done = 0 ORDER BY key";
    return this.#database.prepare(sql).all(this.#jury).map(dutyIn);
  }

  get(key: string): Duty | undefined {
    const row = this.#database
      .prepare("SELECT * FROM duties WHERE jury = ? AND key = ?")
      .get(this.#jury, key);
    return row && dutyIn(row);
  }

  /** Notes what became known; what is known already stays as it is. */
  learn(key: string, facts: DutyFacts): Duty {
    const sql = "UPDATE duties SET facts = json_patch(?, facts) WHERE jury = ? AND key = ?";
    this.#database.prepare(sql).run(JSON.stringify(facts), this.#jury, key);
    const duty = this.get(key);
    if (duty === undefined) throw new Error(`there is no duty ${key}`);
    return duty;
  }

  finish(key: string): void {
    this.#database.prepare("UPDATE duties SET is_done = 1 WHERE jury = ? AND key = ?").run(this.#jury, key);
  }

  /** Up to which block panels have been looked for; nothing before the first time. */
  readTo(): number | undefined {
    const row = this.#database.prepare("SELECT block FROM readings WHERE jury = ?").get(this.#jury);
    return row === undefined ? undefined : Number(row["block"]);
  }

  noteReadTo(block: number): void {
    const sql = "INSERT INTO readings VALUES (?, ?) ON CONFLICT DO UPDATE SET block = excluded.block";
    this.#database.prepare(sql).run(this.#jury, block);
  }
}

/** The one place where what this program wrote is taken at its word. */
function dutyIn(row: Record<string, unknown>): Duty {
  return {
    key: String(row["key"]),
    taskId: String(row["task_id"]),
    round: Number(row["round"]),
    position: Number(row["position"]),
    seat: Number(row["seat"]),
    seed: String(row["seed"]),
    facts: JSON.parse(String(row["facts"])) as DutyFacts,
  };
}
