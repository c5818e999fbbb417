/** A running SHA-256. */
export interface Sha256 {
  update(bytes: Uint8Array): void;
  /** The 32-byte digest; ends the hash. */
  digest(): Uint8Array;
}

/**
 * The two heavy primitives. `primitives.node.ts` takes them from OpenSSL, `primitives.web.ts` from pure
 * JavaScript; bundlers for browsers exchange the files by the `browser` field of package.json.
 */
export interface Primitives {
  readonly sha256: () => Sha256;
  /** AES-256-GCM; writes ciphertext and 16-byte tag into `target`, which is 16 bytes longer than `plaintext`. */
  readonly encryptInto: (options: {
    key: Uint8Array;
    nonce: Uint8Array;
    plaintext: Uint8Array;
    target: Uint8Array;
  }) => void;
  /** AES-256-GCM; `sealed` is ciphertext and 16-byte tag. Throws, without plaintext, if the tag is wrong. */
  readonly decrypt: (options: { key: Uint8Array; nonce: Uint8Array; sealed: Uint8Array }) => Uint8Array;
}
