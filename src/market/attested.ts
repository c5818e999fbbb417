import { type Attested, type AttestationPolicy, checkAttestation, missing } from "../attestation.ts";
import { isNeuraError, NeuraError } from "../errors.ts";
import { asking, type MarketContext } from "./context.ts";
import { type Claims, type MetadataSource, readClaims } from "./metadata.ts";

/** Where a provider stands with its attestation. Only `verified` says anything: the rest is its own word, or nothing. */
export type AttestationStanding =
  | ({ readonly state: "verified" } & Attested)
  /** Nobody here has looked at the evidence. */
  | { readonly state: "claimed"; readonly platforms: readonly string[] }
  /** It does not count, by the code of the error that says why. */
  | {
      readonly state: "refused";
      readonly code: string;
      readonly reason: string;
      readonly next?: string | undefined;
    };

/** A key that a payload would be encrypted to, with its epoch. */
export interface CurrentKey {
  readonly epoch: number;
  readonly publicKey: string;
}

/** What a document claims, as long as nobody checks it; nothing where it claims nothing. */
export function claimedStanding({ document }: Claims): AttestationStanding | undefined {
  const platforms = (document?.attestations ?? []).map(({ platform }) => platform);
  return platforms.length === 0 ? undefined : { state: "claimed", platforms };
}

/** As {@link checkAttested}, but what does not hold becomes the standing: a provider's mistakes are its own. */
export async function judgeAttestation(
  context: MarketContext,
  subject: Parameters<typeof checkAttested>[1],
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<AttestationStanding> {
  try {
    return { state: "verified", ...(await checkAttested(context, subject, { signal })) };
  } catch (error) {
    signal?.throwIfAborted();
    if (!isNeuraError(error)) throw error;
    const { code, message, next } = error;
    return { state: "refused", code, reason: message, next };
  }
}

/** The error of a standing that does not count. */
export function refusalOf(standing: AttestationStanding | undefined): NeuraError | undefined {
  if (standing?.state !== "refused") return undefined;
  const { code, reason, next } = standing;
  return new NeuraError(code, reason, next === undefined ? {} : { next });
}

/** What the evidence in a provider's document says of its key. Errors: `key.not-published`, those of `checkAttestation`. */
async function checkAttested(
  { domain, deployment }: MarketContext,
  {
    account,
    key,
    claims,
    policy,
  }: {
    account: string;
    key: CurrentKey | undefined;
    claims: Claims;
    policy: AttestationPolicy;
  },
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<Attested> {
  if (key === undefined) throw noKey(account);
  const { document, reason } = claims;
  if (document === undefined) throw missing(account, reason);
  const { chainId } = domain;
  const keyRegistry = deployment.contracts.KeyRegistry;
  return await checkAttestation(document.attestations ?? [], {
    key: { chainId, keyRegistry, provider: account, ...key },
    policy,
    signal,
  });
}

/**
 * Checks, right before a payload is encrypted, that each key is still its account's and attested: a key that was rotated
 * meanwhile is refused.
 *
 * Errors: `key.not-published`, `attestation.other-key`, the others of `checkAttestation`.
 */
export async function requireAttested(
  context: MarketContext,
  readers: readonly { readonly account: string; readonly publicKey: string }[],
  { policy, signal }: { policy: AttestationPolicy; signal?: AbortSignal | undefined },
): Promise<void> {
  const { keys } = context.contracts;
  for (const { account, publicKey } of readers) {
    const claims = await readClaims(context, await sourceOf(context, account), { signal });
    // The key last: that is what may change.
    const { key, epoch } = await asking(keys.currentKey(account));
    if (epoch > 0n && key.publicKey !== publicKey) {
      throw new NeuraError(
        "attestation.other-key",
        `${account} has a new key, epoch ${epoch} (${key.publicKey}): the payload would be encrypted to ${publicKey}.`,
        { next: "Do it again: the new key is taken if it is attested." },
      );
    }
    const current = epoch > 0n ? { epoch: Number(epoch), publicKey } : undefined;
    await checkAttested(context, { account, key: current, claims, policy }, { signal });
  }
}

/**
 * Where a registered provider stands with its attestation: by the policy, or, without one, by its own word. Missing where it
 * claims none.
 */
export async function readAttestation(
  context: MarketContext,
  account: string,
  { policy, signal }: { policy?: AttestationPolicy | undefined; signal?: AbortSignal | undefined } = {},
): Promise<AttestationStanding | undefined> {
  const claims = await readClaims(context, await sourceOf(context, account), { signal });
  if (policy === undefined) return claimedStanding(claims);
  const { key, epoch } = await asking(context.contracts.keys.currentKey(account));
  const current = epoch > 0n ? { epoch: Number(epoch), publicKey: key.publicKey } : undefined;
  return await judgeAttestation(context, { account, key: current, claims, policy }, { signal });
}

/** Where the document of a registered provider is. */
async function sourceOf({ contracts }: MarketContext, account: string): Promise<MetadataSource> {
  const { operator, offer } = await asking(contracts.registry.providerOf(account));
  return { account, operator, uri: offer.metadata };
}

function noKey(account: string): NeuraError {
  return new NeuraError("key.not-published", `${account} has no valid encryption key.`, {
    next: "Choose another provider, or wait until it has published one.",
  });
}
