import { join } from "node:path";
import type { DatabaseSync, SQLOutputValue } from "node:sqlite";

import { NeuraError } from "../errors.ts";
import { atOnce, openStore } from "../sqlite.ts";
import type { Attestation } from "./attestations.ts";
import { type Message, messageId, type Route, type SentMessage } from "./message.ts";

/** How far a message has come, as far as the destination's final blocks say. */
export type MessageState = "sent" | "delivered" | "done";

const TABLES = `
  CREATE TABLE cursors (
    chain TEXT, gateway TEXT, number INTEGER NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (chain, gateway)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE messages (
    chain TEXT, gateway TEXT, nonce TEXT, id TEXT NOT NULL UNIQUE, message TEXT NOT NULL,
    block_number INTEGER NOT NULL, block_hash TEXT NOT NULL, transaction_hash TEXT NOT NULL, state TEXT NOT NULL,
    PRIMARY KEY (chain, gateway, nonce)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX messages_by_state ON messages (chain, gateway, state);
  CREATE TABLE attestations (
    id TEXT, epoch TEXT, signer TEXT, signature TEXT NOT NULL, PRIMARY KEY (id, epoch, signer)
  ) STRICT, WITHOUT ROWID
`;

const IN_ORDER = "ORDER BY block_number, length(nonce), nonce";

type Source = Pick<Route, "sourceChain" | "sourceGateway">;

/** Messages and attestations that an attester or a relayer knows, in SQLite: durable when a call returns. */
export class BridgeStore {
  readonly #database: DatabaseSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  static async open(directory: string): Promise<BridgeStore> {
    return new BridgeStore(await openStore(join(directory, "bridge.sqlite"), { version: 1, tables: TABLES }));
  }

  close(): void {
    this.#database.close();
  }

  /** The last block up to which a source was read. */
  cursor({ sourceChain, sourceGateway }: Source): { number: number; hash: string } | undefined {
    const sql = "SELECT number, hash FROM cursors WHERE chain = ? AND gateway = ?";
    const row = this.#database.prepare(sql).get(`${sourceChain}`, sourceGateway);
    return row && { number: Number(row["number"]), hash: String(row["hash"]) };
  }

  /**
   * Notes what a range of final blocks brought, and that it was read. For a number of a gateway one message is taken, ever.
   * Error: `bridge.equivocation` for another one: then nothing is noted.
   */
  add(
    source: Source,
    { messages, readTo }: { messages: readonly SentMessage[]; readTo: { number: number; hash: string } },
  ): void {
    const place = [`${source.sourceChain}`, source.sourceGateway] as const;
    const known = this.#database.prepare(
      "SELECT id FROM messages WHERE chain = ? AND gateway = ? AND nonce = ?",
    );
    const insert = this.#database.prepare("INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'sent')");
    const move = this.#database.prepare(
      `INSERT INTO cursors VALUES (?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET number = excluded.number, hash = excluded.hash`,
    );
    atOnce(this.#database, () => {
      for (const { id, message, block, transactionHash } of messages) {
        const before = known.get(...place, `${message.nonce}`)?.["id"];
        if (before === id) continue;
        if (before !== undefined) throw equivocation(message, String(before), id);
        const text = JSON.stringify(message, (_, each: unknown) =>
          typeof each === "bigint" ? `${each}` : each,
        );
        insert.run(...place, `${message.nonce}`, id, text, block.number, block.hash, transactionHash);
      }
      move.run(...place, readTo.number, readTo.hash);
    });
  }

  /** Forgets how far a source was read: what it sent last is read again. */
  rewind({ sourceChain, sourceGateway }: Source): void {
    this.#database
      .prepare("DELETE FROM cursors WHERE chain = ? AND gateway = ?")
      .run(`${sourceChain}`, sourceGateway);
  }

  /** The message with the highest number of a source. */
  lastMessage({ sourceChain, sourceGateway }: Source): SentMessage | undefined {
    const sql =
      "SELECT * FROM messages WHERE chain = ? AND gateway = ? ORDER BY length(nonce) DESC, nonce DESC LIMIT 1";
    const row = this.#database.prepare(sql).get(`${sourceChain}`, sourceGateway);
    return row && sentIn(row);
  }

  /** Messages of a source in a state, in the order in which they were sent; all of them, or so many from one on. */
  messages(
    { sourceChain, sourceGateway }: Source,
    state: MessageState,
    { limit = -1, offset = 0 }: { limit?: number; offset?: number } = {},
  ): SentMessage[] {
    const sql = `SELECT * FROM messages WHERE chain = ? AND gateway = ? AND state = ? ${IN_ORDER} LIMIT ? OFFSET ?`;
    const values = [`${sourceChain}`, sourceGateway, state, limit, offset] as const;
    return this.#database
      .prepare(sql)
      .all(...values)
      .map(sentIn);
  }

  /** Messages of a source that have not arrived, and that this signer has not signed for the epoch. */
  unsigned(
    { sourceChain, sourceGateway }: Source,
    { epoch, signer, limit }: Pick<Attestation, "epoch" | "signer"> & { limit: number },
  ): SentMessage[] {
    const sql = `
      SELECT * FROM messages WHERE chain = ? AND gateway = ? AND state = 'sent' AND NOT EXISTS (
        SELECT 1 FROM attestations WHERE attestations.id = messages.id AND epoch = ? AND signer = ?
      ) ${IN_ORDER} LIMIT ?`;
    const values = [`${sourceChain}`, sourceGateway, `${epoch}`, signer, limit] as const;
    return this.#database
      .prepare(sql)
      .all(...values)
      .map(sentIn);
  }

  count({ sourceChain, sourceGateway }: Source, state: MessageState): number {
    const sql = "SELECT count(*) AS number FROM messages WHERE chain = ? AND gateway = ? AND state = ?";
    return Number(this.#database.prepare(sql).get(`${sourceChain}`, sourceGateway, state)?.["number"]);
  }

  setState(id: string, state: MessageState): void {
    this.#database.prepare("UPDATE messages SET state = ? WHERE id = ?").run(state, id);
  }

  /** Notes an attestation, once for each epoch and signer: a later one of the same is not taken. */
  attest(id: string, { epoch, signer, signature }: Attestation): void {
    const sql = "INSERT INTO attestations VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING";
    this.#database.prepare(sql).run(id, `${epoch}`, signer, signature);
  }

  attestationsOf(id: string): Attestation[] {
    const sql =
      "SELECT epoch, signer, signature FROM attestations WHERE id = ? ORDER BY length(epoch), epoch";
    return this.#database
      .prepare(sql)
      .all(id)
      .map(({ epoch, signer, signature }) => ({
        epoch: BigInt(String(epoch)),
        signer: String(signer),
        signature: String(signature),
      }));
  }
}

/** The one place where what this program wrote is taken at its word; but the id is checked. */
function sentIn(row: Record<string, SQLOutputValue>): SentMessage {
  type Text = Record<keyof Message, string>;
  const text = JSON.parse(String(row["message"])) as Text;
  const message = {
    ...text,
    sourceChain: BigInt(text.sourceChain),
    destinationChain: BigInt(text.destinationChain),
    nonce: BigInt(text.nonce),
  };
  const id = messageId(message);
  if (id !== row["id"]) throw new Error(`the message ${String(row["id"])} on record is another`);
  return {
    ...{ id, message, transactionHash: String(row["transaction_hash"]) },
    block: { number: Number(row["block_number"]), hash: String(row["block_hash"]) },
  };
}

function equivocation({ sourceChain, nonce }: Message, before: string, now: string): NeuraError {
  return new NeuraError(
    "bridge.equivocation",
    `Message ${nonce} of chain ${sourceChain} was ${before}, and is now ${now}: final blocks were replaced.`,
    {
      next: "Sign nothing more for this chain before it is known why, and have the guardian pause the bridge.",
      details: { sourceChain, nonce, before, now },
    },
  );
}
