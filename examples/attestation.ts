import { AbiCoder, getBytes, keccak256, recoverAddress, type SigningKey, toUtf8Bytes } from "ethers";

import type {
  AttestationPolicy,
  AttestationVerifier,
  AttestedKey,
  MarketClient,
  SubmittedTask,
  TaskRequest,
} from "../src/index.ts";
import { reportDataOf } from "../src/index.ts";

/**
 * A platform of software, for tests and development: a key stands for the hardware's. It proves nothing about any machine,
 * since whoever has the key vouches for what it likes; no policy names it unless somebody writes it there.
 */
export const PLATFORM = "software";

const STATEMENT = ["bytes32", "bytes32", "bytes32", "uint64"];
/** So that its signatures are good for nothing else. */
const PURPOSE = keccak256(toUtf8Bytes("neura software platform"));

interface Statement {
  /** Of what runs. */
  readonly measurement: string;
  readonly reportData: string;
  readonly validUntilSeconds: number;
}

/** What a provider's machine does: has its platform vouch for a key. The evidence, in base64. */
export function attest(
  platformKey: SigningKey,
  { measurement, validUntilSeconds, ...key }: AttestedKey & Omit<Statement, "reportData">,
): string {
  const statement = { measurement, reportData: reportDataOf(key), validUntilSeconds };
  const { serialized } = platformKey.sign(digestOf(statement));
  const evidence = AbiCoder.defaultAbiCoder().encode(
    ["bytes32", "bytes32", "uint64", "bytes"],
    [measurement, statement.reportData, validUntilSeconds, serialized],
  );
  return Buffer.from(getBytes(evidence)).toString("base64");
}

/** What an owner that trusts this platform key has. */
export function softwareVerifier(platform: string): AttestationVerifier {
  return {
    // Whatever is wrong with the evidence rejects.
    verify: async (evidence) => {
      const types = ["bytes32", "bytes32", "uint64", "bytes"];
      const [measurement, reportData, validUntil, signature] = AbiCoder.defaultAbiCoder().decode(
        types,
        evidence,
      );
      const statement = {
        measurement: String(measurement),
        reportData: String(reportData),
        validUntilSeconds: Number(validUntil),
      };
      const signer = recoverAddress(digestOf(statement), String(signature));
      if (signer !== platform) throw new Error(`signed by ${signer}, not by the platform ${platform}`);
      return await Promise.resolve({ ...statement, platform: PLATFORM });
    },
  };
}

/** An owner that sends its files to nobody but a machine that runs what it knows. */
export async function submitAttested({
  owner,
  request,
  platform,
  measurement,
}: {
  owner: MarketClient;
  request: TaskRequest;
  /** Address of the platform's key. */
  platform: string;
  measurement: string;
}): Promise<SubmittedTask> {
  const attestation: AttestationPolicy = {
    platforms: [{ platform: PLATFORM, verifier: softwareVerifier(platform), measurements: [measurement] }],
  };
  return await owner.submit({ ...request, attestation });
}

function digestOf({ measurement, reportData, validUntilSeconds }: Statement): string {
  const values = [PURPOSE, measurement, reportData, validUntilSeconds];
  return keccak256(AbiCoder.defaultAbiCoder().encode(STATEMENT, values));
}
