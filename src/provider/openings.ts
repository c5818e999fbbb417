import { createReadStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { payloadContext, readHeader } from "../envelope/index.ts";
import { isNeuraError } from "../errors.ts";
import { createPrivateFile } from "../files.ts";
import { encodeOpenings, showCompartments } from "../market/opening.ts";
import type { MarketDomain, Task } from "../market/terms.ts";
import { keyFor, type OwnKey } from "./payload.ts";

/**
 * Keeps, in a file of its own below `directory`, what shows everybody that the payload in the file `path` cannot be read,
 * and gives the file's name: see docs/envelope.md. Whoever has it can read what can be read of the payload, as the node
 * itself; it is for the owner, and for whoever is to decide between them.
 */
export async function keepOpening(
  { id, terms }: Task,
  {
    path,
    header: detached,
    keys,
    account,
    domain,
    directory,
  }: {
    path: string;
    /** The one that the owner published, in place of the one in the file. */
    header: Uint8Array | undefined;
    keys: readonly OwnKey[];
    account: string;
    domain: MarketDomain;
    directory: string;
  },
): Promise<string> {
  const context = payloadContext({ ...domain, owner: terms.owner, salt: terms.salt });
  const show = async (): Promise<ReturnType<typeof showCompartments>> => {
    const header = await readHeader(detached ? [detached] : createReadStream(path));
    return showCompartments(header, { context, secretKey: keyFor(header, keys).secretKey });
  };
  const { openings } = await show().catch((error: unknown) => {
    // Where there is nothing to show, the envelope itself shows why.
    if (isNeuraError(error)) return { openings: [] };
    throw error;
  });
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const file = join(directory, `${id}.json`);
  await createPrivateFile(file, encodeOpenings({ task: id, of: "payload", account, openings }));
  return file;
}
