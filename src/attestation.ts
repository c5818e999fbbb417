import { AbiCoder, isHexString, keccak256 } from "ethers";

import { unlessAborted } from "./abort.ts";
import { isNeuraError, messageOf, NeuraError } from "./errors.ts";
import { Fields } from "./fields.ts";
import { type Attestation, MAX_EVIDENCE_BYTES } from "./provider/metadata.ts";
import { momentText, printable } from "./text.ts";

/** A provider's encryption key, as the key registry of a chain has it. */
export interface AttestedKey {
  readonly chainId: bigint;
  readonly keyRegistry: string;
  readonly provider: string;
  readonly epoch: number;
  /** 33 bytes as hex. */
  readonly publicKey: string;
}

/** What a verifier has found in evidence that holds. */
export interface VerifiedEvidence {
  /** What ran, as the platform measures it: 32 bytes as hex. */
  readonly measurement: string;
  /** What the machine put under its signature: 32 bytes as hex. */
  readonly reportData: string;
  /** Its kind; one that the verifier has dropped is rejected. */
  readonly platform: string;
  /** Unix seconds, at most 30 days from now. */
  readonly validUntilSeconds: number;
}

/** What checks the evidence of a platform: a program of the owner's, since trust in a platform is nobody else's decision. */
export interface AttestationVerifier {
  /** Rejects where the evidence does not hold. */
  verify(evidence: Uint8Array, options: { readonly signal: AbortSignal }): Promise<VerifiedEvidence>;
}

/** A platform that an owner takes, and what may run on it. */
export interface TrustedPlatform {
  readonly platform: string;
  readonly verifier: AttestationVerifier;
  /** 32 bytes as hex each. */
  readonly measurements: readonly string[];
}

/** What the keys that a payload is encrypted to must show. A platform that is not named is not taken. */
export interface AttestationPolicy {
  readonly platforms: readonly TrustedPlatform[];
}

/** What evidence was found to say of a key. */
export interface Attested {
  readonly platform: string;
  readonly measurement: string;
  readonly validUntilSeconds: number;
}

export const MAX_VALIDITY_SECONDS = 30 * 24 * 3600;

/** How long a verifier may take [ms]. */
const VERIFYING_MS = 30_000;

/**
 * What a machine has to put under its platform's signature for a key: keccak256(abi.encode(chain id, key registry, provider,
 * key epoch, public key)), as `IAttestationVerifier` has it.
 */
export function reportDataOf({ chainId, keyRegistry, provider, epoch, publicKey }: AttestedKey): string {
  const types = ["uint256", "address", "address", "uint32", "bytes"];
  return keccak256(
    AbiCoder.defaultAbiCoder().encode(types, [chainId, keyRegistry, provider, epoch, publicKey]),
  );
}

/**
 * Whether a provider's evidence is of exactly this key, of something that may run, and not too old. Of several the first
 * that holds counts.
 *
 * Errors: `attestation.missing`, `attestation.platform`, `attestation.other-key`, `attestation.too-long`,
 * `attestation.not-verified`, `attestation.measurement`, `attestation.expired`, `attestation.valid-too-long`.
 */
export async function checkAttestation(
  attestations: readonly Attestation[],
  {
    key,
    policy,
    nowSeconds = Date.now() / 1000,
    signal,
  }: {
    key: AttestedKey;
    policy: AttestationPolicy;
    nowSeconds?: number;
    signal?: AbortSignal | undefined;
  },
): Promise<Attested> {
  if (attestations.length === 0) throw missing(key.provider, "its document has no evidence");
  const failures: NeuraError[] = [];
  for (const attestation of attestations) {
    const trusted = policy.platforms.find(({ platform }) => platform === attestation.platform);
    if (trusted === undefined) continue;
    try {
      return await checkOne(attestation, { key, trusted, nowSeconds, signal });
    } catch (error) {
      signal?.throwIfAborted();
      if (!isNeuraError(error)) throw error;
      failures.push(error);
    }
  }
  const [first] = failures;
  if (first !== undefined) throw first;
  throw otherPlatform(
    attestations.map(({ platform }) => platform),
    policy.platforms.map(({ platform }) => platform),
  );
}

/** Nothing of a provider is evidence. */
export function missing(provider: string, why: string): NeuraError {
  return new NeuraError("attestation.missing", `${provider} is not attested: ${why.replace(/\.$/, "")}.`, {
    next: "Choose a provider that publishes evidence (`provider list --attested FILE`), or order without.",
  });
}

async function checkOne(
  { keyEpoch, evidence: encoded, platform }: Attestation,
  {
    key,
    trusted,
    nowSeconds,
    signal,
  }: { key: AttestedKey; trusted: TrustedPlatform; nowSeconds: number; signal: AbortSignal | undefined },
): Promise<Attested> {
  if (keyEpoch !== key.epoch) {
    throw otherKey(`key epoch ${keyEpoch} of ${key.provider}, whose key is now epoch ${key.epoch}`);
  }
  const evidence = Uint8Array.from(Buffer.from(encoded, "base64"));
  if (evidence.length > MAX_EVIDENCE_BYTES) {
    throw new NeuraError(
      "attestation.too-long",
      `The evidence has ${evidence.length} bytes, more than ${MAX_EVIDENCE_BYTES}.`,
      { next: "The provider has to publish shorter evidence; choose another one." },
    );
  }
  const found = await verified(trusted, evidence, signal);
  const wanted = reportDataOf(key);
  if (found.reportData !== wanted) {
    throw otherKey(
      `report data ${found.reportData}, where ${wanted} is that of key epoch ${key.epoch} of ${key.provider}`,
    );
  }
  if (found.platform !== platform) throw otherPlatform([found.platform], [platform]);
  const { measurement, validUntilSeconds } = found;
  if (trusted.measurements.every((each) => each.toLowerCase() !== measurement)) {
    throw new NeuraError(
      "attestation.measurement",
      `What runs there measures ${measurement}, which is none of the ${trusted.measurements.length} that may run on ${platform}.`,
      { next: "Take it in only if you know what it is; otherwise choose another provider." },
    );
  }
  if (validUntilSeconds <= nowSeconds) {
    throw new NeuraError(
      "attestation.expired",
      `The evidence was valid until ${momentText(validUntilSeconds)}.`,
      { next: "The provider has to attest its key again; choose another one." },
    );
  }
  if (validUntilSeconds > nowSeconds + MAX_VALIDITY_SECONDS) {
    throw new NeuraError(
      "attestation.valid-too-long",
      `The evidence is valid until ${momentText(validUntilSeconds)}, more than 30 days from now.`,
      { next: "A verifier has to bound how long it takes a machine for unbroken: correct it, or the clock." },
    );
  }
  return { platform, measurement, validUntilSeconds };
}

/** What the verifier says; it is somebody's program, and what it reads was written by a stranger. */
async function verified(
  { platform, verifier }: TrustedPlatform,
  evidence: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<VerifiedEvidence> {
  const timeout = AbortSignal.timeout(VERIFYING_MS);
  const limit = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
  let answer: unknown;
  try {
    // In a promise of its own: what throws at once rejects.
    answer = await unlessAborted(
      Promise.resolve().then(() => verifier.verify(evidence, { signal: limit })),
      limit,
    );
  } catch (error) {
    signal?.throwIfAborted();
    throw notVerified(platform, messageOf(error), error);
  }
  return readVerified(answer, platform);
}

function readVerified(answer: unknown, platform: string): VerifiedEvidence {
  const faults: string[] = [];
  const fields = new Fields(answer ?? null, "", faults);
  const word = (name: string): string =>
    fields.text(name, "is no 32 bytes as hex", hashIn, { required: true }) ?? "";
  const found = {
    measurement: word("measurement"),
    reportData: word("reportData"),
    platform: fields.text("platform", "is no text", (text) => text, { required: true }) ?? "",
    // Beyond that no date is.
    validUntilSeconds: fields.number("validUntilSeconds", { to: 8.64e12 }) ?? 0,
  };
  if (found.validUntilSeconds === 0) fields.fault("says no time until which it holds");
  if (faults.length === 0) return found;
  throw notVerified(platform, `its verifier's answer cannot be used: ${faults.join("; ")}`);
}

/** 32 bytes as hex, in lower case. */
export function hashIn(text: string): string | undefined {
  return isHexString(text, 32) ? text.toLowerCase() : undefined;
}

function notVerified(platform: string, why: string, cause?: unknown): NeuraError {
  const reason = printable(why).replace(/\.$/, "");
  return new NeuraError("attestation.not-verified", `The evidence of ${platform} does not hold: ${reason}.`, {
    next: "Choose another provider, or see whether your verifier works.",
    ...(cause === undefined ? {} : { cause }),
  });
}

function otherKey(found: string): NeuraError {
  return new NeuraError("attestation.other-key", `The evidence is of another key: ${found}.`, {
    next: "The provider has to attest the key that it uses now; choose another one.",
  });
}

function otherPlatform(found: readonly string[], taken: readonly string[]): NeuraError {
  const [has, wanted] = [found, taken].map((names) => printable(names.join(", ")) || "none");
  return new NeuraError("attestation.platform", `The evidence is of ${has}, and taken is ${wanted}.`, {
    next: "Choose another provider, or take that platform in if you trust it and have its verifier.",
  });
}
