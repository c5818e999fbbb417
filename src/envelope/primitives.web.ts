import { gcm } from "@noble/ciphers/aes";
import { sha256 } from "@noble/hashes/sha2.js";

import type { Primitives } from "./primitives.ts";

export const primitives: Primitives = {
  sha256() {
    const hash = sha256.create();
    return {
      update: (bytes) => void hash.update(bytes),
      digest: () => hash.digest(),
    };
  },

  encryptInto({ key, nonce, plaintext, target }) {
    target.set(gcm(key, nonce).encrypt(plaintext));
  },

  decrypt({ key, nonce, sealed }) {
    return gcm(key, nonce).decrypt(sealed);
  },
};
