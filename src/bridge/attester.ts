import { getAddress, Signature, type Provider, type Signer, verifyTypedData } from "ethers";

import { isNeuraError, messageOf, NeuraError } from "../errors.ts";
import type { NodeEvent } from "../provider/log.ts";
import { type Attestation, isDelivered, quorumOf } from "./attestations.ts";
import { type Bridge, type End, headsOf, peerOf } from "./context.ts";
import { type Side, SIDES } from "./deployment.ts";
import { attestationOf, type SentMessage } from "./message.ts";
import { type SourceHealth, SourceReader } from "./reader.ts";
import type { BridgeStore } from "./store.ts";

/** What signs attestations: a wallet, or something elsewhere that holds its key. */
export type AttestationSigner = Pick<Signer, "getAddress" | "signTypedData">;

export interface AttesterOptions {
  readonly bridge: Bridge;
  /** Of each chain a second endpoint, of another operator or software than the first. */
  readonly witnesses: Readonly<Record<Side, Provider>>;
  readonly signer: AttestationSigner;
  readonly store: BridgeStore;
  /** An endpoint that shows no new block for so long counts as down [ms]; 0: never. Default: 10 minutes. */
  readonly stallMs?: number;
  readonly onEvent?: (event: NodeEvent) => void;
}

/** How a direction stands. */
export interface RouteHealth extends SourceHealth {
  readonly destination: number;
  /** Whether the attester's word counts at the destination now. */
  readonly isAttester: boolean;
  /** Messages that have not arrived for good. */
  readonly open: number;
}

interface Direction {
  readonly source: End;
  readonly destination: End;
  readonly reader: SourceReader;
  isAttester: boolean;
  trouble: string | undefined;
}

const STALL_MS = 600_000;
/** So many messages are looked for at the destination at a time. */
const LOOKED_FOR = 50;

/**
 * Signs what is final on one chain for the other, in both directions: what two endpoints say alike, and for each number of a
 * gateway one message, ever. It trusts no relayer and sends no transaction.
 */
export class Attester {
  readonly address: string;
  readonly #options: AttesterOptions;
  readonly #directions: readonly Direction[];

  private constructor(options: AttesterOptions, address: string) {
    const { bridge, witnesses, store, stallMs = STALL_MS } = options;
    this.#options = options;
    this.address = address;
    this.#directions = SIDES.map((side) => {
      const source = bridge[side];
      const reader = new SourceReader({ bridge, source, witness: witnesses[side], store, stallMs });
      return { source, destination: peerOf(bridge, source), reader, isAttester: false, trouble: undefined };
    });
  }

  static async open(options: AttesterOptions): Promise<Attester> {
    return new Attester(options, getAddress(await options.signer.getAddress()));
  }

  /** Looks at both chains once; what goes wrong with one of them is an event, and in its health. */
  async round(signal?: AbortSignal): Promise<void> {
    await Promise.all(this.#directions.map((each) => this.#attempt(each, signal)));
  }

  get health(): RouteHealth[] {
    return this.#directions.map(({ destination, reader, isAttester, trouble }) => ({
      ...reader.health,
      ...{ destination: destination.chainId, isAttester },
      trouble: reader.health.trouble ?? trouble,
      open: this.#options.store.count(reader.route, "sent"),
    }));
  }

  /** What it has signed of a message. */
  attestationsOf(id: string): Attestation[] {
    return this.#options.store.attestationsOf(id);
  }

  async #attempt(direction: Direction, signal: AbortSignal | undefined): Promise<void> {
    const { source, destination } = direction;
    const chains = { from: source.chainId, to: destination.chainId };
    try {
      await this.#attest(direction, signal);
      if (direction.trouble !== undefined) this.#emit({ level: "info", event: "recovered", ...chains });
      direction.trouble = undefined;
    } catch (error) {
      if (signal?.aborted === true) return;
      const code = isNeuraError(error) ? error.code : "unexpected";
      if (direction.trouble !== code)
        this.#emit({ level: "error", event: "trouble", ...chains, code, message: messageOf(error) });
      direction.trouble = code;
    }
  }

  async #attest(direction: Direction, signal: AbortSignal | undefined): Promise<void> {
    const { store } = this.#options;
    const { reader, destination } = direction;
    await reader.read(signal);
    const { epoch, attesters, isDistrusted } = await quorumOf(destination);
    direction.isAttester = attesters.includes(this.address) && !isDistrusted;
    const open = store.messages(reader.route, "sent");
    for (const sent of direction.isAttester ? open : []) {
      signal?.throwIfAborted();
      const known = store.attestationsOf(sent.id);
      if (known.some((each) => each.epoch === epoch && each.signer === this.address)) continue;
      await this.#sign(sent, epoch);
    }
    await this.#putAside(destination, open);
  }

  async #sign({ id, message, block }: SentMessage, epoch: bigint): Promise<void> {
    const { signer, store } = this.#options;
    const { domain, types, value } = attestationOf(message, id, epoch);
    const signature = Signature.from(await signer.signTypedData(domain, types, value)).serialized;
    const by = verifyTypedData(domain, types, value, signature);
    if (by !== this.address) {
      throw new NeuraError("bridge.wrong-signature", `The signer of ${this.address} signs as ${by}.`, {
        next: "Check which key the signer uses.",
      });
    }
    store.attest(id, { epoch, signer: this.address, signature });
    const { sourceChain: from, destinationChain: to, nonce } = message;
    const fields = { message: id, from, to, nonce, block: block.number, epoch };
    this.#emit({ level: "info", event: "attested", ...fields });
  }

  /** What has arrived for good needs no further word. */
  async #putAside(destination: End, open: readonly SentMessage[]): Promise<void> {
    if (open.length === 0) return;
    const { final } = await headsOf(destination);
    if (final === undefined) return;
    for (const { id } of open.slice(0, LOOKED_FOR)) {
      if (await isDelivered(destination, id, final.number)) this.#options.store.setState(id, "done");
    }
  }

  #emit(event: NodeEvent): void {
    this.#options.onEvent?.(event);
  }
}
