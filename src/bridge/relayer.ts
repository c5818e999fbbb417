import { join } from "node:path";
import type { Signer } from "ethers";

import { Sender } from "../chain/sender.ts";
import { isNeuraError, messageOf, NeuraError } from "../errors.ts";
import { explainRefusal } from "../market/context.ts";
import { Journal } from "../provider/journal.ts";
import type { NodeEvent } from "../provider/log.ts";
import { collectAttestations, isDelivered, type Quorum, quorumOf } from "./attestations.ts";
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
  /** How often a transaction on its way is looked for [ms]. */
  readonly pollMs?: number;
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
  skipped: Record<string, number>;
  trouble: string | undefined;
}

const STALL_MS = 600_000;
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

  private constructor(options: RelayerOptions, directions: readonly Direction[]) {
    this.#options = options;
    this.#directions = directions;
  }

  /** Takes up its transactions of before. Errors: `chain.unavailable`, `store.version`. */
  static async open(options: RelayerOptions): Promise<Relayer> {
    const { bridge, signers, store, directory, stallMs = STALL_MS, pollMs, onEvent } = options;
    const directions: Direction[] = [];
    for (const side of SIDES) {
      const source = bridge[side];
      const destination = peerOf(bridge, source);
      const domain = { chainId: BigInt(destination.chainId), market: destination.gateway };
      const journal = await Journal.open(join(directory, `journal-${destination.side}.sqlite`), domain);
      const sender = await Sender.open({
        ...{ provider: destination.provider, signer: signers[destination.side] },
        ...{ chainId: domain.chainId, store: journal, explain: explainRefusal },
        ...(pollMs === undefined ? {} : { pollMs }),
        onAlert: ({ code, message }) => onEvent?.({ level: "warn", event: "alert", code, message }),
      });
      const reader = new SourceReader({ bridge, source, store, stallMs });
      directions.push({ source, destination, reader, sender, journal, skipped: {}, trouble: undefined });
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
    return this.#directions.map(({ destination, reader, skipped, trouble }) => ({
      ...reader.health,
      ...{ destination: destination.chainId, skipped },
      trouble: reader.health.trouble ?? trouble,
      open: store.count(reader.route, "sent"),
      waiting: store.count(reader.route, "delivered"),
    }));
  }

  /** Brings on whatever can be, in both directions; what goes wrong is an event, and in its health. */
  async round(signal?: AbortSignal): Promise<void> {
    await Promise.all(this.#directions.map((each) => this.#attempt(each, signal)));
  }

  async #attempt(direction: Direction, signal: AbortSignal | undefined): Promise<void> {
    const chains = { from: direction.source.chainId, to: direction.destination.chainId };
    try {
      await this.#relay(direction, signal);
      direction.trouble = undefined;
    } catch (error) {
      if (signal?.aborted === true) return;
      const code = isNeuraError(error) ? error.code : "unexpected";
      if (direction.trouble !== code)
        this.#emit({ level: "error", event: "trouble", ...chains, code, message: messageOf(error) });
      direction.trouble = code;
    }
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
    const { bridge, store, attesters } = this.#options;
    const { source, destination, reader, sender, journal } = direction;
    const { id } = sent;
    const transfer = transferIn(bridge, source, sent);
    if (transfer === undefined) {
      // Others may use the gateways too; they deliver their own.
      store.setState(id, "done");
      return;
    }
    const purpose = `deliver:${id}`;
    if (await isDelivered(destination, id)) {
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
    const { quorum } = now;
    const found = await collectAttestations(destination, reader.route, id, {
      ...{ urls: attesters, quorum, signal },
    });
    if (quorum.isDistrusted || found.attestations.length < quorum.threshold) {
      const what = `${found.attestations.length} of ${quorum.threshold}`;
      this.#skip(direction, sent, "bridge.too-few-attestations", `Attestations: ${what}.`);
      return;
    }
    const call = await deliveryOf(destination, sent.message, found.attestations.slice(0, quorum.threshold));
    const mined = await this.#send(sender, purpose, call, signal);
    this.#done("delivered", direction, sent, {
      transfer: transfer.id,
      hash: mined.hash,
      gasUsed: mined.gasUsed,
    });
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
    const mined = await this.#send(sender, purpose, call, signal);
    this.#done("released", direction, sent, {
      transfer: transfer.id,
      hash: mined.hash,
      gasUsed: mined.gasUsed,
    });
  }

  async #send(
    sender: Sender,
    purpose: string,
    { to, data }: { to: string; data: string },
    signal: AbortSignal | undefined,
  ) {
    return await sender.send({ purpose, to, data, maxSpendWei: this.#options.policy.maxCostWei }, { signal });
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
    fields: { transfer: string; hash: string; gasUsed: bigint },
  ): void {
    this.#said.delete(id);
    const chains = { from: source.chainId, to: destination.chainId };
    this.#emit({ level: "info", event, message: id, ...chains, ...fields });
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

/** Error: `bridge.no-attesters`. */
export function requireAttesters(urls: readonly string[]): readonly string[] {
  if (urls.length > 0 && urls.every((url) => /^https?:\/\//.test(url) && URL.canParse(url))) return urls;
  throw new NeuraError(
    "bridge.no-attesters",
    "No attesters are named, or one of them by something that is no URL.",
    {
      next: "Name them with --attesters https://…,https://… or in NEURA_ATTESTERS.",
    },
  );
}
