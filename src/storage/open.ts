import { NeuraError } from "../errors.ts";
import { arweaveFromEnvironment, openArweave, type ArweaveOptions } from "./arweave.ts";
import type { Storage } from "./storage.ts";

/** How to reach each network. A network without an entry is not used. */
export interface StorageConfig {
  arweave?: ArweaveOptions;
}

/** Scheme of a reference to the network that serves it. The next network is a file beside this one and a line here. */
const networks: Record<string, { open: (config: StorageConfig) => Storage | undefined; setting: string }> = {
  ar: {
    open: ({ arweave }) => arweave && openArweave(arweave),
    setting: "NEURA_ARWEAVE_GATEWAYS",
  },
};

/** Reads the configuration of every network from environment variables. Errors: `storage.bad-key`. */
export function storageConfigFrom(environment: Readonly<Record<string, string | undefined>>): StorageConfig {
  const arweave = arweaveFromEnvironment(environment);
  return arweave === undefined ? {} : { arweave };
}

/**
 * The storage that serves a reference (`ar://…`) or a scheme (`ar`).
 *
 * Errors: `storage.bad-reference` for a scheme that no network here has, `storage.not-configured`.
 *
 * @example
 * const storage = openStorage("ar", { arweave: { gateways: ["http://127.0.0.1:1984"], key } });
 * const stored = await storage.put("payload.bin");
 * await storage.readBack(stored);
 */
export function openStorage(reference: string, config: StorageConfig): Storage {
  const scheme = reference.split(":", 1)[0] ?? "";
  const network = Object.hasOwn(networks, scheme) ? networks[scheme] : undefined;
  if (network === undefined) {
    throw new NeuraError(
      "storage.bad-reference",
      `No storage network is known for ${JSON.stringify(reference)}.`,
      {
        next: `Use a reference that starts with ${schemes()}.`,
      },
    );
  }
  const storage = network.open(config);
  if (storage === undefined) {
    throw new NeuraError("storage.not-configured", `No gateway is configured for ${scheme}:// references.`, {
      next: `Set ${network.setting} to the URLs of one or more gateways.`,
    });
  }
  return storage;
}

function schemes(): string {
  return Object.keys(networks)
    .map((scheme) => `${scheme}://`)
    .join(" or ");
}
