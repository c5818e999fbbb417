/**
 * Where the bytes of payloads and results live. One interface, one file per network beside this one; which of
 * them serves a reference is decided by its scheme in `open.ts`.
 */

/**
 * Bytes to store, readable more than once: a file's path, bytes in memory, or a function that starts the stream
 * anew on each call.
 */
export type Source = string | Uint8Array | (() => AsyncIterable<Uint8Array>);

/** How far a transfer has come. `totalBytes` is missing while it is not known. */
export interface Progress {
  phase: "hash" | "upload" | "download" | "read-back";
  doneBytes: number;
  totalBytes?: number;
}

export interface TransferOptions {
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
}

export interface PutOptions extends TransferOptions {
  /** MIME type under which gateways serve the bytes. Default: `application/octet-stream`. */
  contentType?: string;
  /** Public labels beside the data. Anyone can read them. */
  tags?: Readonly<Record<string, string>>;
  /**
   * Path of a small file that remembers this upload. With it, a call that was cut off goes on where it stopped
   * and never pays twice. It belongs to the caller, who deletes it when the reference is safe elsewhere.
   */
  resume?: string;
}

export interface GetOptions extends TransferOptions {
  /** The most bytes that the caller will take. */
  maxBytes: number;
  /**
   * Folder in which the bytes lie until they are verified, so it needs room for all of them. Default: the one that the
   * storage was opened with, else the system's for temporary files, which often is memory: name one on a disk for
   * anything large.
   */
  spoolDirectory?: string | undefined;
}

/** What was stored, at whose cost. */
export interface Stored {
  /** The reference, for example `ar://<43 characters>`. */
  uri: string;
  sizeBytes: number;
  /** Paid to the network, in its smallest unit (see {@link Price.unit}). */
  costAtomic: bigint;
  /** The storage network's account that paid. */
  account: string;
  /** The origin of the server that took the upload: scheme, host and port, without what may be secret in its URL. */
  gateway: string;
}

export interface Price {
  /** What storing would cost, head room included, in the network's smallest unit. */
  costAtomic: bigint;
  /** Name of that smallest unit, for example `winston`. */
  unit: string;
  /** Symbol of the network's coin, and how many decimals lie between it and the smallest unit. */
  symbol: string;
  decimals: number;
  /** The account that would pay, and what it has. Missing without a key. */
  account?: string;
  balanceAtomic?: bigint;
}

export interface Status {
  /** `unknown`: no configured gateway has heard of it. `pending`: accepted, not yet in a block. */
  state: "unknown" | "pending" | "confirmed";
  /** Blocks that contain or follow it. 0 unless confirmed. */
  confirmations: number;
  /** Size of the data, from the signed header. Known once confirmed. */
  sizeBytes?: number;
}

export interface ReadBackOptions extends TransferOptions {
  /** How long to wait for the network to serve it [s]. */
  timeoutSeconds?: number;
}

export interface Storage {
  /** Scheme of this network's references, without the colon: `ar`. */
  readonly scheme: string;

  /**
   * Stores the bytes of `source` and returns their reference. The source is read twice.
   *
   * Errors: `storage.empty`, `storage.no-account`, `storage.insufficient-credit`, `storage.refused`,
   * `storage.unavailable`, `storage.timeout`, `storage.resume-mismatch`.
   */
  put(source: Source, options?: PutOptions): Promise<Stored>;

  /**
   * The bytes behind a reference. Every byte that is yielded has been verified against the reference before;
   * a server that answers wrongly is passed over for the next one.
   *
   * Errors: `storage.bad-reference`, `storage.not-found`, `storage.pending`, `storage.too-large`,
   * `storage.mismatch`, `storage.timeout`, `storage.unavailable`.
   */
  get(uri: string, options: GetOptions): AsyncIterable<Uint8Array>;

  /** Whether the network has it. Errors: `storage.bad-reference`, `storage.unavailable`, `storage.timeout`. */
  status(uri: string, options?: { signal?: AbortSignal }): Promise<Status>;

  /** What storing so many bytes costs now. Errors: `storage.unavailable`, `storage.timeout`. */
  price(sizeBytes: number, options?: { signal?: AbortSignal }): Promise<Price>;

  /**
   * Reads an upload back and verifies it, through another gateway than the one that took it where more than one
   * is configured; waits while it is still pending. Nothing that costs money should refer to an upload before
   * this has returned. Resolves to the gateway that served it.
   *
   * Errors: those of {@link Storage.get}, the last one seen when the time is over.
   */
  readBack(stored: Pick<Stored, "uri" | "gateway">, options?: ReadBackOptions): Promise<{ gateway: string }>;
}
