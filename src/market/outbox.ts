import { join } from "node:path";
import { sha256, toUtf8Bytes } from "ethers";

import type { Secret } from "../secret.ts";
import type { MarketContext } from "./context.ts";
import type { PreparedTask } from "./prepare.ts";
import { readJson } from "./records.ts";

/** What makes two calls ask for the same. */
export type Wanted = Pick<
  PreparedTask,
  | "owner"
  | "provider"
  | "payload"
  | "resources"
  | "price"
  | "ownerKey"
  | "secrets"
  | "durationSeconds"
  | "startWithinSeconds"
  | "completeWithinSeconds"
  | "collateralWei"
  | "readers"
  | "features"
>;

/** Where attempts are kept until their tasks are on the chain. */
export function outboxOf(home: string): string {
  return join(home, "outbox");
}

/** The folder of an attempt: the same for two calls that want the same. */
export function attemptDirectory({ domain, home }: MarketContext, wanted: Wanted): string {
  const { owner, provider, payload, resources, price, ownerKey, secrets } = wanted;
  const { durationSeconds, startWithinSeconds, completeWithinSeconds, collateralWei, readers, features } =
    wanted;
  const parts = {
    ...domain,
    owner,
    provider: provider?.account,
    providerKey: provider?.key.publicKey,
    // The best ones of an open task may be others the next time; its first choice stands.
    readers: provider === undefined ? undefined : readers.slice(1),
    features,
    payload: { manifest: payload.manifest, files: payload.files },
    resources,
    price,
    ownerKey,
    secrets: sha256(secretsText(secrets)),
    times: [durationSeconds, startWithinSeconds, completeWithinSeconds],
    collateralWei,
  };
  const text = JSON.stringify(parts, (_, each: unknown) =>
    typeof each === "bigint" ? each.toString() : each,
  );
  return join(outboxOf(home), sha256(toUtf8Bytes(text)).slice(2, 34));
}

/** How far an earlier call that wanted the same had come when it was cut off; `sent`: it may have paid. */
export async function attemptOf(context: MarketContext, wanted: Wanted): Promise<"none" | "begun" | "sent"> {
  const draft = await readJson(draftPath(attemptDirectory(context, wanted)));
  if (draft === undefined) return "none";
  return typeof draft["id"] === "string" ? "sent" : "begun";
}

/** The file that says how far an attempt has come. */
export function draftPath(directory: string): string {
  return join(directory, "draft.json");
}

/** The plaintext of the compartment `secrets`. */
export function secretsText(secrets: Readonly<Record<string, Secret<string>>>): Uint8Array {
  const values = Object.entries(secrets).map(([name, value]) => [name, value.reveal()]);
  return toUtf8Bytes(JSON.stringify(Object.fromEntries(values)));
}
