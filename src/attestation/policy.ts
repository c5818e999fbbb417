import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { pathToFileURL } from "node:url";

import {
  type AttestationPolicy,
  type AttestationVerifier,
  hashIn,
  type TrustedPlatform,
} from "../attestation.ts";
import { messageOf, NeuraError } from "../errors.ts";
import { parseFields } from "../fields.ts";
import { wordIn } from "../provider/metadata.ts";

const CODE = "attestation.policy";

/**
 * Reads a file `neura/attestation-policy/1`, the platforms that an owner takes, and loads their verifiers: modules whose
 * default export is an {@link AttestationVerifier}, by a path relative to the file or by a package's name. They run with the
 * rights of this process.
 *
 * Errors: `attestation.policy`, `attestation.no-verifier`.
 */
export async function loadAttestationPolicy(path: string): Promise<AttestationPolicy> {
  const source = resolve(path);
  const next = "docs/verification.md shows such a file.";
  const text = await readFile(source, "utf8").catch((error: unknown) => {
    throw new NeuraError(CODE, `${source} cannot be read: ${messageOf(error)}.`, { next, cause: error });
  });
  const entries = parseFields(
    text,
    { schema: "neura/attestation-policy/1", source, code: CODE, next },
    (file) => {
      const platforms = file.required("platforms", file.objects("platforms", { atMost: 16 }), []);
      const read = platforms.map((each) => {
        const entry = {
          platform:
            each.text("platform", "is no word of at most 64 characters", wordIn, { required: true }) ?? "",
          verifier:
            each.text("verifier", "is no module's path or name", (name) => name || undefined, {
              required: true,
            }) ?? "",
          measurements: each.required("measurements", each.names("measurements", hashIn), []),
        };
        if (entry.measurements.length === 0) each.fault("names nothing that may run");
        each.end();
        return entry;
      });
      if (read.length === 0) file.fault("names no platform");
      if (new Set(read.map(({ platform }) => platform)).size < read.length)
        file.fault("names a platform twice");
      return read;
    },
  );
  const platforms = entries.map(async (entry): Promise<TrustedPlatform> => ({
    ...entry,
    verifier: await loadVerifier(entry.verifier, source),
  }));
  return { platforms: await Promise.all(platforms) };
}

async function loadVerifier(name: string, policy: string): Promise<AttestationVerifier> {
  const isPath = /^(\.{0,2}[\\/]|[A-Za-z]:[\\/])/.test(name);
  const specifier = isPath ? pathToFileURL(resolve(dirname(policy), name)).href : name;
  let module: unknown;
  try {
    module = await import(specifier);
  } catch (error) {
    throw noVerifier(name, messageOf(error), error);
  }
  const verifier: unknown =
    typeof module === "object" && module !== null && "default" in module ? module.default : undefined;
  if (isVerifier(verifier)) return verifier;
  throw noVerifier(name, "its default export has no function `verify`");
}

function isVerifier(value: unknown): value is AttestationVerifier {
  return (
    typeof value === "object" && value !== null && "verify" in value && typeof value.verify === "function"
  );
}

function noVerifier(name: string, why: string, cause?: unknown): NeuraError {
  return new NeuraError("attestation.no-verifier", `The verifier ${name} cannot be loaded: ${why}.`, {
    next: "Install what is missing, or correct the policy: without its verifier no evidence counts.",
    ...(cause === undefined ? {} : { cause }),
  });
}
