import { generateKeyPair } from "node:crypto";
import { promisify } from "node:util";
import { NeuraError } from "../../errors.ts";
import { Secret } from "../../secret.ts";
import { isBase64Url, isRecord, KEY_BYTES } from "./format.ts";

/** An Arweave wallet: an RSA-4096 private key as JSON Web Key (RFC 7517, RFC 7518 section 6.3). */
export interface ArweaveJwk {
  kty: "RSA";
  n: string;
  e: string;
  d: string;
  p: string;
  q: string;
  dp: string;
  dq: string;
  qi: string;
}

/** Makes a new wallet. Takes seconds: RSA-4096. */
export async function createArweaveKey(): Promise<Secret<ArweaveJwk>> {
  const { privateKey } = await promisify(generateKeyPair)("rsa", { modulusLength: KEY_BYTES * 8 });
  return parseArweaveKey(new Secret(JSON.stringify(privateKey.export({ format: "jwk" }))));
}

/**
 * Reads a wallet from the text of its key file.
 *
 * Errors: `storage.bad-key`, which never repeats the text.
 */
export function parseArweaveKey(text: Secret<string>): Secret<ArweaveJwk> {
  const jwk = decode(text.reveal());
  if (jwk === undefined) {
    throw new NeuraError("storage.bad-key", "The Arweave key is not an RSA-4096 private key in JWK form.", {
      next: "Give the whole content of the wallet's key file, the JSON from { to }.",
    });
  }
  return new Secret(jwk);
}

function decode(text: string): ArweaveJwk | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRecord(value) || value["kty"] !== "RSA" || value["e"] !== "AQAB") return undefined;
  const { n, e, d, p, q, dp, dq, qi } = value;
  if (!isBase64Url(n) || !isBase64Url(e) || !isBase64Url(d) || !isBase64Url(p) || !isBase64Url(q))
    return undefined;
  if (!isBase64Url(dp) || !isBase64Url(dq) || !isBase64Url(qi)) return undefined;
  if (Buffer.from(n, "base64url").length !== KEY_BYTES) return undefined;
  return { kty: "RSA", n, e, d, p, q, dp, dq, qi };
}
