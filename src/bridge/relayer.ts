import { join } from "node:path";
import type { Signer } from "ethers";

import type { Abortable } from "../abort.ts";
import { type Mined, Sender } from "../chain/sender.ts";
import { isNeuraError, messageOf, NeuraError } from "../errors.ts";
import { explainRefusal } from "../market/context.ts";
import { Journal } from "../provider/journal.ts";
import type { NodeEvent } from "../provider/log.ts";
import { type Attestation, collectAttestations, isDelivered, type Quorum, quorumOf } from "./attestations.ts";
import { Attempts, type Rounds, rounds } from "./attempts.ts";
import { type Bridge, type End, headsOf, peerOf } from "./context.ts";
import { deliveryOf } from "./claim.ts";
import { type Side, SIDES } from "./deployment.ts";
import { transferIn } from "./find.ts";
import type { SentMessage } from "./message.ts";
import { type SourceHealth, SourceReader } from "./reader.ts";
import type { BridgeStore } from "./store.ts";

/** What a relayer pays for. */
export interface RelayPolicy {
  /** Nothing is sent while gas costs more [wei]. */
  readonly maxGasPriceWei: bigint;
  /** What costs more than this to deliver or to release is left to others [wei]. */
  readonly maxCostWei: bigint;
  /** Smaller transfers are left to others [wei]. */
  readonly minAmountWei: bigint;
}

export interface RelayerOptions {
  readonly bridge: Bridge;
  /** Signs on each chain; nobody else may send from these accounts. */
  readonly signers: Readonly<Record<Side, Signer>>;
  /** URLs of attesters. */
  readonly attesters: readonly string[];
  readonly store: BridgeStore;
  /** Where the journals of its transactions are. */
  readonly directory: string;
  readonly policy: RelayPolicy;
  /** An endpoint that shows no new block for so long counts as down [ms]; 0: never. Default: 10 minutes. */
  readonly stallMs?: number;
  /** How often a transaction on its way is looked for, and the first pause before attesters are asked again [ms]. */
  readonly pollMs?: number;
  /** A transaction is waited for so long, then looked for again in the next round [ms]. Default: 60,000. */
  readonly waitMs?: number;
  readonly onEvent?: (event: NodeEvent) => void;
}

/** How a direction stands. */
export interface RelayHealth extends SourceHealth {
  readonly destination: number;
  /** Transfers that are not delivered for good, and that wait where they arrived. */
  readonly open: number;
  readonly waiting: number;
  /** Why transfers were left alone in the last round. */
  readonly skipped: Readonly<Record<string, number>>;
}

interface Direction {
  readonly source: End;
  readonly destination: End;
  readonly reader: SourceReader;
  readonly sender: Sender;
  readonly journal: Journal;
  readonly attempts: Attempts;
  skipped: Record<string, number>;
}

const ON_ITS_WAY = "bridge.on-its-way";
const POLL_MS = 250;
const WAIT_MS = 60_000;
/** The longest pause before attesters are asked again for a transfer [ms]. */
const MAX_PAUSE_MS = 60_000;
/** So many transfers are brought on at a time. */
const AT_ONCE = 16;

/**
 * Delivers transfers that enough attesters have signed for, and has paid what waited where it arrived. It needs nobody's
 * leave and is believed by nobody; of several, each leaves alone what another has done.
 */
export class Relayer {
  readonly #options: RelayerOptions;
  readonly #directions: readonly Direction[];
  /** What was last said of each transfer, so that it is said once. */
  readonly #said = new Map<string, string>();
  /** When attesters may be asked again for each that they have not signed [ms of the monotonic clock]. */
  readonly #asked = new Map<string, { readonly fromMs: number; readonly pauseMs: number }>();

  private constructor(options: RelayerOptions, directions: readonly Direction[]) {
    this.#options = options;
    this.#directions = directions;
  }

  /** Takes up its transactions of before. Errors: `chain.unavailable`, `store.version`. */
  static async open(options: RelayerOptions): Promise<Relayer> {
    const { bridge, signers, store, directory, stallMs, pollMs = POLL_MS, onEvent } = options;
    const directions: Direction[] = [];
    for (const side of SIDES) {
      const source = bridge[side];
      const destination = peerOf(bridge, source);
      const domain = { chainId: BigInt(destination.chainId), market: destination.gateway };
      const journal = await Journal.open(join(directory, `journal-${destination.side}.sqlite`), domain);
      const sender = await Sender.open({
        ...{ provider: destination.provider, signer: signers[destination.side] },
        ...{ chainId: domain.chainId, store: journal, explain: explainRefusal },
        pollMs,
        onAlert: ({ code, message }) => onEvent?.({ level: "warn", event: "alert", code, message }),
      });
      const reader = new SourceReader({ bridge, source, store, stallMs });
      const chains = { from: source.chainId, to: destination.chainId };
      const attempts = new Attempts(chains, (event) => onEvent?.(event));
      directions.push({ source, destination, reader, sender, journal, attempts, skipped: {} });
    }
    return new Relayer(options, directions);
  }

  /** Ends the waiting for transactions; they stay on record. */
  async close(): Promise<void> {
    for (const { sender, journal } of this.#directions) {
      await sender.close();
      journal.close();
    }
  }

  get health(): RelayHealth[] {
    const { store } = this.#options;
    return this.#directions.map(({ destination, reader, skipped, attempts }) => ({
      ...reader.health,
      ...{ destination: destination.chainId, skipped },
      trouble: reader.health.trouble ?? attempts.trouble,
      open: store.count(reader.route, "sent"),
      waiting: store.count(reader.route, "delivered"),
    }));
  }

  /** Brings on whatever can be, in both directions; what goes wrong is an event, and in its health. */
  async round(signal?: AbortSignal): Promise<void> {
    await Promise.all(this.#directions.map((each) => this.#look(each, signal)));
  }

  /** The same again and again until the signal aborts; neither direction waits for the other. */
  async run(often: Rounds): Promise<void> {
    await Promise.all(this.#directions.map((each) => rounds(often, (signal) => this.#look(each, signal))));
  }

  async #look(direction: Direction, signal: AbortSignal | undefined): Promise<void> {
    await direction.attempts.attempt(() => this.#relay(direction, signal), { signal });
  }

  async #relay(direction: Direction, signal: AbortSignal | undefined): Promise<void> {
    const { store } = this.#options;
    const { reader, destination } = direction;
    await reader.read(signal);
    const open = store.messages(reader.route, "sent");
    direction.skipped = {};
    if (open.length + store.count(reader.route, "delivered") === 0) return;
    const [quorum, { head, final }, { gasPrice }] = await Promise.all([
      quorumOf(destination),
      headsOf(destination),
      destination.provider.getFeeData(),
    ]);
    const now = {
      quorum,
      finalBlock: final?.number,
      headSeconds: head.timestamp,
      gasPriceWei: gasPrice ?? 0n,
    };
    await this.#each(direction, open, signal, (sent) => this.#deliver(direction, sent, now, signal));
    const waiting = store.messages(reader.route, "delivered");
    await this.#each(direction, waiting, signal, (sent) => this.#release(direction, sent, now, signal));
  }

  /** So many at once; one that cannot be brought on keeps none of the others. */
  async #each(
    direction: Direction,
    messages: readonly SentMessage[],
    signal: AbortSignal | undefined,
    work: (sent: SentMessage) => Promise<void>,
  ): Promise<void> {
    for (let start = 0; start < messages.length; start += AT_ONCE) {
      await Promise.all(
        messages.slice(start, start + AT_ONCE).map(async (sent) => {
          try {
            await work(sent);
          } catch (error) {
            signal?.throwIfAborted();
            this.#skip(direction, sent, isNeuraError(error) ? error.code : "unexpected", messageOf(error));
          }
        }),
      );
    }
  }

  async #deliver(
    direction: Direction,
    sent: SentMessage,
    now: Now,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { bridge, store } = this.#options;
    const { source, destination, sender, journal } = direction;
    const { id } = sent;
    const transfer = transferIn(bridge, source, sent);
    if (transfer === undefined) {
      // Others may use the gateways too; they deliver their own.
      store.setState(id, "done");
      return;
    }
    const purpose = `deliver:${id}`;
    if (await isDelivered(destination, id)) {
      const own = journal.succeeded(purpose);
      // It took longer than it was waited for.
      if (own !== undefined && this.#said.get(id) === ON_ITS_WAY)
        this.#done("delivered", direction, sent, transfer.id, own);
      this.#said.delete(id);
      this.#asked.delete(id);
      const isFinal = now.finalBlock !== undefined && (await isDelivered(destination, id, now.finalBlock));
      if (isFinal) store.setState(id, "delivered");
      return;
    }
    const served = journal.succeeded(purpose);
    // A reorganisation has taken it back.
    if (served !== undefined) sender.reopen(served.blockNumber);
    if (transfer.amountWei < this.#options.policy.minAmountWei) {
      this.#skip(
        direction,
        sent,
        "bridge.too-small",
        `${transfer.amountWei} wei is less than what is relayed.`,
      );
      return;
    }
    if (this.#isTooDear(direction, sent, now)) return;
    const attestations = await this.#attestationsOf(direction, sent, now.quorum, { signal });
    if (attestations === undefined) return;
    const call = await deliveryOf(destination, sent.message, attestations);
    this.#done(
      "delivered",
      direction,
      sent,
      transfer.id,
      await this.#send(sender, purpose, call, { signal }),
    );
  }

  /** Enough attestations of a message; what was found good before is not asked for again, nor all of it all the time. */
  async #attestationsOf(
    direction: Direction,
    sent: SentMessage,
    quorum: Quorum,
    { signal }: Abortable,
  ): Promise<readonly Attestation[] | undefined> {
    const { store, attesters, pollMs = POLL_MS } = this.#options;
    const { destination, reader } = direction;
    const { id } = sent;
    const { fromMs, pauseMs } = this.#asked.get(id) ?? { fromMs: 0, pauseMs: pollMs / 2 };
    const urls = performance.now() < fromMs || quorum.isDistrusted ? [] : attesters;
    const known = store.attestationsOf(id);
    const found = await collectAttestations(destination, reader.route, sent, { urls, quorum, known, signal });
    for (const each of found.attestations) store.attest(id, each);
    if (found.isEnough) return found.attestations;
    if (urls.length > 0) {
      const next = Math.min(2 * pauseMs, MAX_PAUSE_MS);
      this.#asked.set(id, { fromMs: performance.now() + next, pauseMs: next });
    }
    const what = `${found.attestations.length} of ${found.needed}`;
    this.#skip(direction, sent, "bridge.too-few-attestations", `Attestations: ${what}.`);
    return undefined;
  }

  async #release(
    direction: Direction,
    sent: SentMessage,
    now: Now,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { bridge, store } = this.#options;
    const { source, destination, sender, journal } = direction;
    const transfer = transferIn(bridge, source, sent);
    const { finalBlock: blockTag } = now;
    if (transfer === undefined || blockTag === undefined) return;
    const waiting = await destination.contract.waitingOf(transfer.id);
    if (waiting.amount === 0n) {
      const final = await destination.contract.waitingOf(transfer.id, { blockTag });
      if (final.amount === 0n) store.setState(sent.id, "done");
      return;
    }
    if (waiting.vetoed) {
      this.#skip(direction, sent, "bridge.vetoed", "It was vetoed.");
      return;
    }
    if (Number(waiting.from) > now.headSeconds) {
      this.#skip(direction, sent, "bridge.early", `It waits until ${waiting.from}.`);
      return;
    }
    const [[, canPayWei], { payCapacity }] = await Promise.all([
      destination.contract.available(),
      destination.contract.settings(),
    ]);
    // Parts are worth a transaction each.
    const worthWei = payCapacity / 2n > 0n ? payCapacity / 2n : 1n;
    if (canPayWei < (waiting.amount < worthWei ? waiting.amount : worthWei)) {
      this.#skip(direction, sent, "bridge.pay-limit", `The limit lets ${canPayWei} wei pass.`);
      return;
    }
    if (this.#isTooDear(direction, sent, now)) return;
    const call = await destination.contract.release.populateTransaction(transfer.id);
    // What is left names a part: each of them is paid once, unless a reorganisation has taken it back.
    const purpose = `release:${transfer.id}:${waiting.amount}`;
    const served = journal.succeeded(purpose);
    if (served !== undefined) sender.reopen(served.blockNumber);
    this.#done("released", direction, sent, transfer.id, await this.#send(sender, purpose, call, { signal }));
  }

  /** One that is not mined soon stays on its way, and its transfer is looked at again in the next round. */
  async #send(
    sender: Sender,
    purpose: string,
    { to, data }: { to: string; data: string },
    { signal }: Abortable,
  ): Promise<Mined> {
    const { policy, waitMs = WAIT_MS } = this.#options;
    const limit = AbortSignal.timeout(waitMs);
    try {
      const call = { purpose, to, data, maxSpendWei: policy.maxCostWei };
      return await sender.send(call, {
        signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
      });
    } catch (error) {
      if (!limit.aborted || isNeuraError(error)) throw error;
      throw new NeuraError(ON_ITS_WAY, `It was not mined within ${waitMs} ms.`);
    }
  }

  #isTooDear(direction: Direction, sent: SentMessage, { gasPriceWei }: Now): boolean {
    const { maxGasPriceWei } = this.#options.policy;
    if (gasPriceWei <= maxGasPriceWei) return false;
    const message = `Gas costs ${gasPriceWei} wei; at most ${maxGasPriceWei} wei are paid for it.`;
    this.#skip(direction, sent, "bridge.gas-price", message);
    return true;
  }

  #skip(direction: Direction, { id }: SentMessage, code: string, message: string): void {
    direction.skipped[code] = (direction.skipped[code] ?? 0) + 1;
    if (this.#said.get(id) === code) return;
    this.#said.set(id, code);
    const chains = { from: direction.source.chainId, to: direction.destination.chainId };
    this.#emit({ level: "info", event: "skipped", message: id, ...chains, code, why: message });
  }

  #done(
    event: string,
    { source, destination }: Direction,
    { id }: SentMessage,
    transfer: string,
    { hash, gasUsed }: Mined,
  ): void {
    this.#said.delete(id);
    const chains = { from: source.chainId, to: destination.chainId };
    this.#emit({ level: "info", event, message: id, ...chains, transfer, hash, gasUsed });
  }

  #emit(event: NodeEvent): void {
    this.#options.onEvent?.(event);
  }
}

interface Now {
  readonly quorum: Quorum;
  readonly finalBlock: number | undefined;
  readonly headSeconds: number;
  readonly gasPriceWei: bigint;
}
