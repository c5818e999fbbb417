import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { messageOf, NeuraError } from "../errors.ts";
import { parseFields } from "../fields.ts";
import { writeJson } from "../market/records.ts";
import { type Attestation, readAttestations } from "./metadata.ts";

const SCHEMA = "neura/attestation/1";
const CODE = "attestation.invalid";

/** The file of the evidence in a node's folder, for each document that it signs. */
export function attestationPath(directory: string): string {
  return join(directory, "attestation.json");
}

/** The evidence that the node's documents carry, if there is any. Error: `attestation.invalid`. */
export async function loadAttestations(directory: string): Promise<readonly Attestation[] | undefined> {
  const source = attestationPath(directory);
  const text = await readFile(source, "utf8").catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  });
  return text === undefined ? undefined : parse(text, source);
}

/**
 * Takes a file of evidence into the node's folder. Whoever rotated its key has to attest the new one: evidence of another
 * epoch than `keyEpoch` is refused. Errors: `attestation.invalid`, `attestation.other-key`.
 */
export async function takeAttestations(
  source: string,
  { directory, keyEpoch }: { directory: string; keyEpoch: number },
): Promise<void> {
  const text = await readFile(source, "utf8").catch((error: unknown) => {
    throw new NeuraError(CODE, `${source} cannot be read: ${messageOf(error)}.`, {
      next: NEXT,
      cause: error,
    });
  });
  const attestations = parse(text, source);
  const other = attestations.find((each) => each.keyEpoch !== keyEpoch);
  if (other !== undefined) {
    throw new NeuraError(
      "attestation.other-key",
      `The evidence of ${other.platform} is of key epoch ${other.keyEpoch}, and the key is now epoch ${keyEpoch}.`,
      { next: "Attest the key that owners encrypt to; `provider metadata` shows its report data." },
    );
  }
  await writeJson(attestationPath(directory), { schema: SCHEMA, attestations });
}

const NEXT = "docs/provider.md shows such a file.";

function parse(text: string, source: string): Attestation[] {
  return parseFields(text, { schema: SCHEMA, source, code: CODE, next: NEXT }, (file) =>
    file.required("attestations", readAttestations(file), []),
  );
}
