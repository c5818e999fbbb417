import { setTimeout as sleep } from "node:timers/promises";
import { isError, type Provider, type Signer, Transaction, type TransactionLike } from "ethers";

import { unlessAborted } from "../abort.ts";
import { isNeuraError, messageOf, NeuraError } from "../errors.ts";

/** What is to be done on the chain, once. */
export interface Call {
  /** Names the deed: of all transactions with this purpose one succeeds. */
  readonly purpose: string;
  readonly to: string;
  /** Calldata as hex with 0x. */
  readonly data: string;
  readonly valueWei?: bigint;
  /** The most that its gas may cost [wei]; replacements stay below it too. */
  readonly maxSpendWei: bigint;
  /** The last second of the chain at which it is of use [Unix s]. A stuck transaction is made void after it. */
  readonly untilSeconds?: number | undefined;
}

/** A signed transaction on record. */
export interface SignedTransaction {
  readonly hash: string;
  readonly nonce: number;
  readonly purpose: string;
  /** The bytes to broadcast, as hex with 0x. */
  readonly raw: string;
  readonly maxSpendWei: bigint;
  readonly untilSeconds: number | undefined;
}

/** What became of a transaction. */
export interface Mined {
  readonly hash: string;
  readonly blockNumber: number;
  readonly succeeded: boolean;
  readonly gasUsed: bigint;
  /** What the account paid for gas [wei]. */
  readonly spentWei: bigint;
}

/** Where transactions are on record, so that a process that was killed finds its own again. */
export interface SenderStore {
  /** Before it is sent for the first time. Durable when it returns. */
  record(transaction: SignedTransaction): void;
  /** Those without an end, in the order in which they were signed. */
  open(): readonly SignedTransaction[];
  /** Ends all of a nonce: one of them was mined, or none of them can be any more. */
  settle(nonce: number, end: Mined | "lost"): void;
  /** The transaction of this purpose that succeeded. */
  succeeded(purpose: string): Mined | undefined;
  /** Takes back the end of what was mined in this block or later, and returns it. */
  reopen(fromBlock: number): readonly SignedTransaction[];
}

export interface SenderOptions {
  readonly provider: Provider;
  /** Signs only; a `Wallet` without a provider will do. */
  readonly signer: Signer;
  readonly chainId: bigint;
  readonly store: SenderStore;
  /** Turns what a contract refuses into an error with a code, and gives back anything else as it is. */
  readonly explain: (error: unknown) => unknown;
  /** Blocks that must follow a transaction's block. Default: 0. */
  readonly confirmations?: number;
  /** Longest pause between two looks at the chain [ms]. Default: 250. */
  readonly pollMs?: number;
  /** A transaction that is next and not mined for so long is sent again with a higher fee [ms]. Default: 30,000. */
  readonly bumpAfterMs?: number;
  /** So long a mined nonce may be without a receipt of ours before it counts as a stranger's [ms]. Default: 30,000. */
  readonly foreignAfterMs?: number;
  /** What somebody should look at. */
  readonly onAlert?: (alert: NeuraError) => void;
  /** Called between putting on record and sending, and after sending. */
  readonly onStep?: (step: "signed" | "sent", purpose: string) => void;
}

type Fees = { gasPrice: bigint } | { maxFeePerGas: bigint; maxPriorityFeePerGas: bigint };

/** All transactions that share a nonce: the first and its replacements. */
interface Entry {
  readonly nonce: number;
  readonly purpose: string;
  readonly transactions: SignedTransaction[];
  readonly end: Promise<Mined | "lost">;
  readonly resolve: (end: Mined | "lost") => void;
  /** When the newest was signed, and when it was last sent [ms of the monotonic clock]. */
  signedAt: number;
  sentAt: number;
  /** Since when the nonce is mined without a receipt of ours. */
  missingSince: number | undefined;
  capped: boolean;
}

/** [%] of the estimate: another's transaction may come first and make ours dearer. */
const GAS_PERCENT = 120n;
/** [%] of the fee before: nodes want at least 10 more for a replacement. */
const BUMP_PERCENT = 113n;
const FIRST_POLL_MS = 20;
const RESEND_MS = 5_000;
const ATTEMPTS = 3;

/**
 * Sends the transactions of one account, which nobody else may send from: nonces of its own, each transaction on
 * record before it is sent, the fee raised under the same nonce when it is stuck, and found again after a restart.
 *
 * Nothing is sent that would revert at the time of sending. Gas limits are estimates with a small margin, since
 * some chains charge half of the limit. Receipts are asked for only once the nonce is mined, since some nodes do
 * not answer before.
 */
export class Sender {
  readonly address: string;
  readonly #options: SenderOptions;
  readonly #entries = new Map<number, Entry>();
  readonly #closing = new AbortController();
  #nextNonce: number;
  #queue: Promise<unknown> = Promise.resolve();
  #watching: Promise<void> | undefined;
  #pause = FIRST_POLL_MS;

  private constructor(options: SenderOptions, address: string, nextNonce: number) {
    this.#options = options;
    this.address = address;
    this.#nextNonce = nextNonce;
  }

  /** Takes up what is on record: what the chain does not have is sent again. Errors: `chain.unavailable`. */
  static async open(options: SenderOptions): Promise<Sender> {
    const address = await options.signer.getAddress();
    const mined = await ask(() => options.provider.getTransactionCount(address, "latest"));
    const sender = new Sender(options, address, mined);
    sender.#takeUp(options.store.open());
    return sender;
  }

  /**
   * Sends the call unless its purpose has been served or is on its way, and waits until it is mined (and followed
   * by the configured confirmations).
   *
   * Errors: what the contract would refuse it with, `chain.reverted`, `sender.too-expensive`,
   * `sender.insufficient-funds`, `sender.refused`, `sender.void` when it was stuck until it was of no use,
   * `chain.unavailable`.
   */
  async send(call: Call, options: { signal?: AbortSignal | undefined } = {}): Promise<Mined> {
    const signal = AbortSignal.any([this.#closing.signal, ...(options.signal ? [options.signal] : [])]);
    for (let attempt = 1; ; attempt++) {
      const entry = await unlessAborted(
        this.#inTurn(() => this.#begin(call, signal)),
        signal,
      );
      if ("succeeded" in entry) return entry;
      const end = await unlessAborted(entry.end, signal);
      if (end !== "lost" && purposeIn(entry, end.hash) !== call.purpose) {
        throw new NeuraError(
          "sender.void",
          `The transaction for ${call.purpose} was stuck until it was of no use, and was made void.`,
        );
      }
      if (end !== "lost" && end.succeeded) return end;
      if (attempt === ATTEMPTS) {
        const hash = end === "lost" ? (entry.transactions.at(-1)?.hash ?? "") : end.hash;
        throw new NeuraError("chain.reverted", `The transaction ${hash} for ${call.purpose} failed.`, {
          details: { hash, error: "unknown" },
        });
      }
    }
  }

  /** Takes up again what was mined in this block or later, after a reorganisation; says for which purposes that was. */
  reopen(fromBlock: number): readonly string[] {
    const transactions = this.#options.store.reopen(fromBlock);
    this.#takeUp(transactions);
    return transactions.map(({ purpose }) => purpose);
  }

  /** Ends the waiting. What is on its way stays on record. */
  async close(): Promise<void> {
    this.#closing.abort(new NeuraError("sender.closed", "The sender is closed."));
    await this.#queue.catch(() => undefined);
    await this.#watching;
  }

  // ---- Beginning ----

  /** One after the other: a nonce is given out when the one before it is with the chain's node. */
  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(work, work);
    this.#queue = turn.catch(() => undefined);
    return await turn;
  }

  /** The entry of the call's purpose, a new one if there is none; or its end if it has been served. */
  async #begin(call: Call, signal: AbortSignal): Promise<Entry | Mined> {
    for (;;) {
      signal.throwIfAborted();
      const served = this.#options.store.succeeded(call.purpose);
      if (served) return served;
      const onItsWay = [...this.#entries.values()].find(({ purpose }) => purpose === call.purpose);
      if (onItsWay) return onItsWay;
      const gasLimit = await this.#estimate(call);
      const fees = await this.#fees();
      await this.#checkMeans(call, gasLimit, fees);
      await this.#checkNonce();
      const { to, data, valueWei: value = 0n } = call;
      const entry = newEntry(this.#nextNonce, call.purpose);
      const { purpose, maxSpendWei, untilSeconds } = call;
      await this.#sign(entry, { to, data, value, gasLimit, ...fees }, { purpose, maxSpendWei, untilSeconds });
      this.#entries.set(entry.nonce, entry);
      this.#nextNonce += 1;
      if ((await this.#broadcast(entry)) === "sent") {
        this.#watch();
        return entry;
      }
      // The nonce is a stranger's.
      this.#end(entry, "lost");
    }
  }

  async #estimate({ to, data, valueWei = 0n }: Call): Promise<bigint> {
    const { provider, explain } = this.#options;
    try {
      const gas = await provider.estimateGas({ from: this.address, to, data, value: valueWei });
      return (gas * GAS_PERCENT) / 100n;
    } catch (error) {
      const explained = explain(error);
      if (isNeuraError(explained)) throw explained;
      if (!isError(error, "CALL_EXCEPTION")) throw unavailable(error);
      throw new NeuraError("chain.reverted", `The contract refuses: ${error.shortMessage}.`, {
        cause: error,
      });
    }
  }

  /** Right too where there is no base fee, or one of zero. */
  async #fees(): Promise<Fees> {
    const { provider } = this.#options;
    const [block, data] = await ask(() => Promise.all([provider.getBlock("latest"), provider.getFeeData()]));
    const baseFee = block?.baseFeePerGas ?? null;
    const gasPrice = data.gasPrice ?? 0n;
    if (baseFee === null) return { gasPrice };
    // Some nodes refuse a tip of zero.
    const tip = atLeast(data.maxPriorityFeePerGas ?? gasPrice - baseFee, 1n);
    return { maxPriorityFeePerGas: tip, maxFeePerGas: atLeast(2n * baseFee + tip, gasPrice) };
  }

  async #checkMeans({ purpose, maxSpendWei, valueWei = 0n }: Call, gas: bigint, fees: Fees): Promise<void> {
    const costWei = gas * dearest(fees);
    if (costWei > maxSpendWei) {
      throw new NeuraError(
        "sender.too-expensive",
        `Gas for ${purpose} costs up to ${costWei} wei; at most ${maxSpendWei} wei may be spent on it.`,
        { details: { costWei, maxSpendWei } },
      );
    }
    const balanceWei = await ask(() => this.#options.provider.getBalance(this.address));
    const missingWei = costWei + valueWei - balanceWei;
    if (missingWei <= 0n) return;
    throw new NeuraError(
      "sender.insufficient-funds",
      `${this.address} has ${balanceWei} wei; ${purpose} takes up to ${costWei + valueWei} wei.`,
      {
        next: `Send at least ${missingWei} wei of the chain's native coin to ${this.address}.`,
        details: { account: this.address, balanceWei, missingWei },
      },
    );
  }

  /** While nothing of ours is on its way, everything that the chain knows of the account beyond ours is a stranger's. */
  async #checkNonce(): Promise<void> {
    if (this.#entries.size > 0) return;
    const { provider } = this.#options;
    const known = await ask(() => provider.getTransactionCount(this.address, "pending"));
    if (known <= this.#nextNonce) return;
    this.#alertForeign(this.#nextNonce);
    this.#nextNonce = known;
  }

  // ---- Signing and sending ----

  async #sign(
    entry: Entry,
    transaction: TransactionLike,
    bounds: Pick<SignedTransaction, "purpose" | "maxSpendWei" | "untilSeconds">,
  ): Promise<void> {
    const { signer, chainId, store, onStep } = this.#options;
    const type = "gasPrice" in transaction ? 0 : 2;
    const raw = await signer.signTransaction({ ...transaction, type, chainId, nonce: entry.nonce });
    const hash = Transaction.from(raw).hash ?? "";
    const signed = { hash, nonce: entry.nonce, raw, ...bounds };
    store.record(signed);
    entry.transactions.push(signed);
    entry.signedAt = performance.now();
    onStep?.("signed", entry.purpose);
  }

  /**
   * Hands the newest transaction of the entry to the chain's node. Throws when the node refuses it for good; when
   * it does not answer, the transaction may be there, and the watch goes on sending it.
   */
  async #broadcast(entry: Entry): Promise<"sent" | "foreign"> {
    const { provider, onStep } = this.#options;
    const newest = newestOf(entry);
    entry.sentAt = performance.now();
    try {
      await provider.broadcastTransaction(newest.raw);
    } catch (error) {
      const verdict = verdictOn(error);
      if (verdict === "unknown") return "sent";
      // Some nodes report an error for what they have mined all the same.
      const isMined = await this.#receiptOf(entry).catch(() => undefined);
      if (verdict !== "known" && !isMined) {
        if (entry.transactions.length > 1) return "sent";
        if (verdict === "nonce") {
          this.#alertForeign(entry.nonce);
          return "foreign";
        }
        this.#nextNonce = entry.nonce;
        this.#end(entry, "lost");
        throw new NeuraError(
          "sender.refused",
          `The chain's node refuses the transaction: ${messageOf(error)}.`,
          {
            cause: error,
          },
        );
      }
    }
    onStep?.("sent", entry.purpose);
    return "sent";
  }

  // ---- Watching ----

  #takeUp(transactions: readonly SignedTransaction[]): void {
    for (const transaction of transactions) {
      const { nonce, purpose } = transaction;
      const entry = this.#entries.get(nonce) ?? newEntry(nonce, purpose);
      entry.transactions.push(transaction);
      this.#entries.set(nonce, entry);
      this.#nextNonce = Math.max(this.#nextNonce, nonce + 1);
    }
    this.#watch();
  }

  /** Looks at the chain for as long as something is on its way. */
  #watch(): void {
    this.#pause = FIRST_POLL_MS;
    if (this.#entries.size === 0 || this.#closing.signal.aborted) return;
    this.#watching ??= this.#look().finally(() => {
      this.#watching = undefined;
    });
  }

  async #look(): Promise<void> {
    const { pollMs = 250 } = this.#options;
    let isTold = false;
    while (this.#entries.size > 0 && !this.#closing.signal.aborted) {
      try {
        await this.#lookOnce();
        isTold = false;
      } catch (error) {
        if (!isTold) this.#options.onAlert?.(unavailable(error));
        isTold = true;
      }
      await sleep(this.#pause, undefined, { signal: this.#closing.signal }).catch(() => undefined);
      this.#pause = Math.min(1.5 * this.#pause, pollMs);
    }
  }

  async #lookOnce(): Promise<void> {
    const { provider, bumpAfterMs = 30_000 } = this.#options;
    const mined = await provider.getTransactionCount(this.address, "latest");
    const entries = [...this.#entries.values()].sort((one, other) => one.nonce - other.nonce);
    for (const entry of entries) {
      if (entry.nonce < mined) {
        await this.#conclude(entry);
        continue;
      }
      const now = performance.now();
      if (entry.nonce === mined && now - entry.signedAt > bumpAfterMs) await this.#replace(entry);
      else if (now - entry.sentAt > RESEND_MS) await this.#broadcast(entry);
    }
  }

  async #conclude(entry: Entry): Promise<void> {
    const { provider, confirmations = 0, foreignAfterMs = 30_000 } = this.#options;
    const receipt = await this.#receiptOf(entry);
    if (receipt) {
      const isDeep =
        confirmations === 0 || (await provider.getBlockNumber()) >= receipt.blockNumber + confirmations;
      if (isDeep) this.#end(entry, receipt);
      return;
    }
    entry.missingSince ??= performance.now();
    if (performance.now() - entry.missingSince < foreignAfterMs) return;
    this.#alertForeign(entry.nonce);
    this.#end(entry, "lost");
  }

  async #receiptOf({ transactions }: Entry): Promise<Mined | undefined> {
    for (const { hash } of transactions) {
      const receipt = await this.#options.provider.getTransactionReceipt(hash);
      if (receipt) {
        const { blockNumber, gasUsed, status } = receipt;
        return { hash, blockNumber, gasUsed, spentWei: receipt.fee, succeeded: status !== 0 };
      }
    }
    return undefined;
  }

  #end(entry: Entry, end: Mined | "lost"): void {
    this.#options.store.settle(entry.nonce, end);
    this.#entries.delete(entry.nonce);
    entry.resolve(end);
  }

  // ---- Replacing ----

  /** Raises the fee under the same nonce; after the call's last second, sends nothing to oneself in its place. */
  async #replace(entry: Entry): Promise<void> {
    const newest = newestOf(entry);
    const { maxSpendWei, untilSeconds } = newest;
    const before = Transaction.from(newest.raw);
    const block = await this.#options.provider.getBlock("latest");
    const isLate = untilSeconds !== undefined && block !== null && block.timestamp > untilSeconds;
    const fees = raised(before, await this.#fees());
    const { to, data, value, gasLimit } = isLate
      ? { to: this.address, data: "0x", value: 0n, gasLimit: 21_000n }
      : before;
    if (gasLimit * dearest(fees) > maxSpendWei) {
      if (!entry.capped) {
        entry.capped = true;
        this.#options.onAlert?.(
          new NeuraError(
            "sender.stuck",
            `The transaction ${newest.hash} for ${entry.purpose} is stuck, and a higher fee would cost more than ${maxSpendWei} wei.`,
            {
              next: "Wait until the chain's fees fall, or raise the node's gas limit.",
              details: { hash: newest.hash },
            },
          ),
        );
      }
      return;
    }
    const purpose = isLate ? voidOf(entry.purpose) : newest.purpose;
    await this.#sign(entry, { to, data, value, gasLimit, ...fees }, { purpose, maxSpendWei, untilSeconds });
    await this.#broadcast(entry);
  }

  #alertForeign(nonce: number): void {
    this.#options.onAlert?.(
      new NeuraError(
        "sender.foreign-transaction",
        `Nonce ${nonce} of ${this.address} was used by a transaction that this node did not make.`,
        {
          next: "Use this account in one place only, or give the node an operator account of its own.",
          details: { nonce },
        },
      ),
    );
  }
}

function newEntry(nonce: number, purpose: string): Entry {
  let resolve: Entry["resolve"] = () => undefined;
  const end = new Promise<Mined | "lost">((settle) => (resolve = settle));
  return {
    nonce,
    purpose,
    transactions: [],
    end,
    resolve,
    signedAt: performance.now(),
    sentAt: -Infinity,
    missingSince: undefined,
    capped: false,
  };
}

function newestOf({ transactions, nonce }: Entry): SignedTransaction {
  const newest = transactions.at(-1);
  if (newest === undefined) throw new Error(`nonce ${nonce} has no transaction`);
  return newest;
}

/** The purpose of what is sent in place of a transaction that is of no use any more. */
export function voidOf(purpose: string): string {
  return `void:${purpose}`;
}

function purposeIn({ transactions }: Entry, hash: string): string | undefined {
  return transactions.find((each) => each.hash === hash)?.purpose;
}

/** Fees of today, yet enough above those before to replace them. */
function raised(before: Transaction, now: Fees): Fees {
  const raise = (fee: bigint | null): bigint => ((fee ?? 0n) * BUMP_PERCENT) / 100n + 1n;
  if ("gasPrice" in now) return { gasPrice: atLeast(now.gasPrice, raise(before.gasPrice)) };
  return {
    maxFeePerGas: atLeast(now.maxFeePerGas, raise(before.maxFeePerGas)),
    maxPriorityFeePerGas: atLeast(now.maxPriorityFeePerGas, raise(before.maxPriorityFeePerGas)),
  };
}

function dearest(fees: Fees): bigint {
  return "gasPrice" in fees ? fees.gasPrice : fees.maxFeePerGas;
}

function atLeast(value: bigint, floor: bigint): bigint {
  return value > floor ? value : floor;
}

/** What a node's refusal of a transaction means. The texts are those of geth, Cosmos, anvil, Besu and Hardhat. */
function verdictOn(error: unknown): "known" | "nonce" | "refused" | "unknown" {
  const text = messageOf(error).toLowerCase();
  if (/already known|already imported|already in mempool|known transaction|already in cache/.test(text))
    return "known";
  if (isError(error, "NONCE_EXPIRED") || /nonce too low|invalid nonce|invalid sequence/.test(text))
    return "nonce";
  if (isError(error, "REPLACEMENT_UNDERPRICED") || /replacement transaction underpriced/.test(text))
    return "nonce";
  const isUnreachable =
    isError(error, "NETWORK_ERROR") || isError(error, "SERVER_ERROR") || isError(error, "TIMEOUT");
  return isUnreachable || /econnre|enotfound|socket|timeout|fetch failed/.test(text) ? "unknown" : "refused";
}

async function ask<T>(question: () => Promise<T>): Promise<T> {
  try {
    return await question();
  } catch (error) {
    throw unavailable(error);
  }
}

function unavailable(cause: unknown): NeuraError {
  if (cause instanceof NeuraError) return cause;
  return new NeuraError("chain.unavailable", `The chain's node does not answer: ${messageOf(cause)}.`, {
    next: "Check the node's URL and that it runs, then try again.",
    cause,
  });
}
