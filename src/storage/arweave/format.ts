import { constants, createHash, createPublicKey, verify } from "node:crypto";
import Arweave from "arweave";
import * as merkle from "arweave/node/lib/merkle.js";

/** A transaction of format 2 without its data, as it travels in JSON; byte strings are base64url. */
export interface TransactionHeader {
  format: 2;
  id: string;
  last_tx: string;
  owner: string;
  tags: { name: string; value: string }[];
  target: string;
  quantity: string;
  data_size: string;
  data_root: string;
  reward: string;
  signature: string;
}

/** The leaves of the data's Merkle tree in order, its root, and a proof for each leaf that holds bytes. */
export interface DataTree {
  sizeBytes: number;
  /** base64url */
  root: string;
  chunks: { minByteRange: number; maxByteRange: number; proof: Uint8Array }[];
}

/** Wallets of the network are RSA-4096; nothing else is accepted, see {@link faultOf}. */
export const KEY_BYTES = 512;

const arweave = Arweave.init({});
const LOOKAHEAD = merkle.MAX_CHUNK_SIZE + merkle.MIN_CHUNK_SIZE;

/**
 * Cuts a stream as arweave-js cuts data: 256 KiB each, the last two evened out so that none is below 32 KiB, and
 * an empty last chunk after data that is a multiple of 256 KiB. It needs 288 KiB of memory, whatever the size:
 * a chunk is valid only until the next one is asked for.
 */
export async function* cutChunks(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(LOOKAHEAD);
  let filled = 0;
  for await (const piece of bytes) {
    for (let at = 0; at < piece.length;) {
      const taken = Math.min(piece.length - at, LOOKAHEAD - filled);
      buffer.set(piece.subarray(at, at + taken), filled);
      at += taken;
      filled += taken;
      if (filled < LOOKAHEAD) continue;
      yield buffer.subarray(0, merkle.MAX_CHUNK_SIZE);
      buffer.copyWithin(0, merkle.MAX_CHUNK_SIZE);
      filled = merkle.MIN_CHUNK_SIZE;
    }
  }
  if (filled >= merkle.MAX_CHUNK_SIZE) {
    const cut = filled === merkle.MAX_CHUNK_SIZE ? filled : Math.ceil(filled / 2);
    yield buffer.subarray(0, cut);
    yield buffer.subarray(cut, filled);
  } else {
    yield buffer.subarray(0, filled);
  }
}

/** Collects the chunks of {@link cutChunks} into the tree whose root a transaction signs. */
export class TreeBuilder {
  readonly #chunks: merkle.Chunk[] = [];
  #sizeBytes = 0;

  add(chunk: Uint8Array): void {
    const minByteRange = this.#sizeBytes;
    this.#sizeBytes += chunk.length;
    const dataHash = createHash("sha256").update(chunk).digest();
    this.#chunks.push({ dataHash, minByteRange, maxByteRange: this.#sizeBytes });
  }

  async build(): Promise<DataTree> {
    const root = await merkle.buildLayers(await merkle.generateLeaves(this.#chunks));
    const proofs = merkle.generateProofs(root);
    return {
      sizeBytes: this.#sizeBytes,
      root: Buffer.from(root.id).toString("base64url"),
      chunks: this.#chunks.flatMap(({ minByteRange, maxByteRange }, index) => {
        const proof = proofs[index]?.proof;
        return proof === undefined || minByteRange === maxByteRange
          ? []
          : [{ minByteRange, maxByteRange, proof }];
      }),
    };
  }
}

/** The header in parsed JSON from outside, or `undefined` if that is not a transaction of format 2. */
export function parseHeader(value: unknown): TransactionHeader | undefined {
  if (!isRecord(value) || value["format"] !== 2) return undefined;
  const { id, last_tx, owner, tags, target, quantity, data_size, data_root, reward, signature } = value;
  if (!isBase64Url(id) || !isBase64Url(last_tx) || !isBase64Url(owner) || !isBase64Url(target))
    return undefined;
  if (!isBase64Url(data_root) || !isBase64Url(signature)) return undefined;
  if (!isAmount(quantity) || !isAmount(data_size) || !isAmount(reward)) return undefined;
  if (!Array.isArray(tags) || tags.length > 128) return undefined;
  const parsedTags: TransactionHeader["tags"] = [];
  for (const tag of tags as unknown[]) {
    if (!isRecord(tag) || !isBase64Url(tag["name"]) || !isBase64Url(tag["value"])) return undefined;
    parsedTags.push({ name: tag["name"], value: tag["value"] });
  }
  return {
    ...{ format: 2, id, last_tx, owner, tags: parsedTags, target },
    ...{ quantity, data_size, data_root, reward, signature },
  };
}

/**
 * What is wrong with a transaction, or `undefined`: its id must be the SHA-256 of its signature, and the signature
 * (RSA-PSS over the deep hash of every other field) must be its owner's.
 *
 * The key must be RSA-4096. With a short modulus of their own choice, somebody could make the signature of
 * another's transaction, and so its id, fit other content.
 */
export async function faultOf(header: TransactionHeader): Promise<string | undefined> {
  const signature = Buffer.from(header.signature, "base64url");
  if (createHash("sha256").update(signature).digest("base64url") !== header.id) {
    return "its id is not the hash of its signature";
  }
  if (Buffer.from(header.owner, "base64url").length !== KEY_BYTES || signature.length !== KEY_BYTES) {
    return "its owner's key is not RSA-4096";
  }
  const key = createPublicKey({ key: { kty: "RSA", n: header.owner, e: "AQAB" }, format: "jwk" });
  if (key.asymmetricKeyDetails?.modulusLength !== KEY_BYTES * 8) return "its owner's key is not RSA-4096";
  const signed = await arweave.transactions.fromRaw({ ...header, data: new Uint8Array() }).getSignatureData();
  const padding = {
    key,
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: constants.RSA_PSS_SALTLEN_AUTO,
  };
  return verify("sha256", signed, padding, signature) ? undefined : "its signature does not fit its content";
}

/** The address of a wallet: SHA-256 of its public modulus, base64url. */
export function addressOf(owner: string): string {
  return createHash("sha256").update(Buffer.from(owner, "base64url")).digest("base64url");
}

/** Whether `value` is base64url in its one canonical spelling, without padding. The empty string is. */
export function isBase64Url(value: unknown): value is string {
  return typeof value === "string" && Buffer.from(value, "base64url").toString("base64url") === value;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isAmount(value: unknown): value is string {
  return typeof value === "string" && /^\d{1,32}$/.test(value);
}
