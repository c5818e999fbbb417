import { getAddress, Signature, type Provider, type Signer, verifyTypedData } from "ethers";

import { IQuorumGateway__factory } from "../../types/factories/interfaces/IQuorumGateway__factory.ts";
import type { Abortable } from "../abort.ts";
import { NeuraError } from "../errors.ts";
import type { NodeEvent } from "../provider/log.ts";
import { type Attestation, isDelivered, quorumOf } from "./attestations.ts";
import { Attempts, type Rounds, rounds } from "./attempts.ts";
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
  /** So many messages are signed, and looked for where they go, at a time. Default: 50. */
  readonly atOnce?: number;
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
  readonly attempts: Attempts;
  isAttester: boolean;
  /** How many of its messages were looked for at the destination since it began with the first. */
  lookedFor: number;
}

const AT_ONCE = 50;

/**
 * Signs what is final on one chain for the other, in both directions: what two endpoints say alike, and for each number of a
 * gateway one message, ever. It trusts no relayer and sends no transaction.
 */
export class Attester {
  readonly address: string;
  readonly #options: AttesterOptions;
  readonly #directions: readonly Direction[];

  private constructor(options: AttesterOptions, address: string) {
    const { bridge, witnesses, store, stallMs, onEvent } = options;
    this.#options = options;
    this.address = address;
    this.#directions = SIDES.map((side) => {
      const source = bridge[side];
      const destination = peerOf(bridge, source);
      const chains = { from: source.chainId, to: destination.chainId };
      return {
        ...{ source, destination, isAttester: false, lookedFor: 0 },
        reader: new SourceReader({ bridge, source, witness: witnesses[side], store, stallMs }),
        attempts: new Attempts(chains, (event) => onEvent?.(event)),
      };
    });
  }

  static async open(options: AttesterOptions): Promise<Attester> {
    return new Attester(options, getAddress(await options.signer.getAddress()));
  }

  /** Looks at both chains once; what goes wrong with one of them is an event, and in its health. */
  async round(signal?: AbortSignal): Promise<void> {
    await Promise.all(this.#directions.map((each) => this.#look(each, signal)));
  }

  /** Looks at each of them again and again until the signal aborts; neither waits for the other. */
  async run(often: Rounds): Promise<void> {
    await Promise.all(this.#directions.map((each) => rounds(often, (signal) => this.#look(each, signal))));
  }

  get health(): RouteHealth[] {
    return this.#directions.map(({ destination, reader, isAttester, attempts }) => ({
      ...reader.health,
      ...{ destination: destination.chainId, isAttester },
      trouble: reader.health.trouble ?? attempts.trouble,
      open: this.#options.store.count(reader.route, "sent"),
    }));
  }

  /** What it has signed of a message. */
  attestationsOf(id: string): Attestation[] {
    return this.#options.store.attestationsOf(id);
  }

  async #look(direction: Direction, signal: AbortSignal | undefined): Promise<void> {
    await direction.attempts.attempt(() => this.#attest(direction, { signal }), { signal });
  }

  async #attest(direction: Direction, { signal }: Abortable): Promise<void> {
    const { store, atOnce: limit = AT_ONCE } = this.#options;
    const { reader, destination } = direction;
    await reader.read(signal);
    const { epoch, attesters, isDistrusted } = await quorumOf(destination);
    direction.isAttester = attesters.includes(this.address) && !isDistrusted;
    while (direction.isAttester) {
      const unsigned = store.unsigned(reader.route, { epoch, signer: this.address, limit });
      if (unsigned.length === 0) break;
      for (const sent of unsigned) {
        signal?.throwIfAborted();
        await this.#sign(sent, epoch);
      }
    }
    await this.#putAside(direction);
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

  /**
   * What has arrived for good, as both endpoints say, needs no further word. Some may never arrive: all are looked for in
   * turn.
   */
  async #putAside(direction: Direction): Promise<void> {
    const { store, witnesses, atOnce: limit = AT_ONCE } = this.#options;
    const { reader, destination, lookedFor: offset } = direction;
    const open = store.messages(reader.route, "sent", { limit, offset });
    direction.lookedFor = 0;
    if (open.length === 0) return;
    const { final } = await headsOf(destination);
    if (final === undefined) return;
    const witness = IQuorumGateway__factory.connect(destination.gateway, witnesses[destination.side]);
    let left = 0;
    for (const { id } of open) {
      const places = [destination, { gatewayContract: witness }];
      const told = await Promise.all(places.map((each) => isDelivered(each, id, final.number)));
      if (told.every(Boolean)) store.setState(id, "done");
      else left += 1;
    }
    if (open.length === limit) direction.lookedFor = offset + left;
  }

  #emit(event: NodeEvent): void {
    this.#options.onEvent?.(event);
  }
}
