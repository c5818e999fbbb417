import { createCipheriv, createDecipheriv, createHash } from "node:crypto";

import type { Primitives } from "./primitives.ts";

const CIPHER = "aes-256-gcm";
const TAG = { authTagLength: 16 };

export const primitives: Primitives = {
  sha256() {
    const hash = createHash("sha256");
    return {
      update: (bytes) => void hash.update(bytes),
      digest: () => new Uint8Array(hash.digest()),
    };
  },

  encryptInto({ key, nonce, plaintext, target }) {
    const cipher = createCipheriv(CIPHER, key, nonce, TAG);
    target.set(cipher.update(plaintext));
    cipher.final();
    target.set(cipher.getAuthTag(), plaintext.length);
  },

  decrypt({ key, nonce, sealed }) {
    const decipher = createDecipheriv(CIPHER, key, nonce, TAG);
    decipher.setAuthTag(sealed.subarray(sealed.length - 16));
    const plaintext = decipher.update(sealed.subarray(0, sealed.length - 16));
    decipher.final();
    return new Uint8Array(plaintext.buffer, plaintext.byteOffset, plaintext.length);
  },
};
