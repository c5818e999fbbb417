import { Interface, keccak256, toUtf8Bytes } from "ethers";

import type { ReceiptReport } from "../src/index.ts";

/** ERC-8004, trustless agents: its registry of validations, in the form with `tag` as text. */
export const VALIDATIONS = new Interface([
  "function validationRequest(address validatorAddress, uint256 agentId, string requestURI, bytes32 requestHash)",
  "function validationResponse(bytes32 requestHash, uint8 response, string responseURI, bytes32 responseHash, string tag)",
]);

/** What a provider that is an agent asks its arbiter to validate: one delivery, by the hash of its evidence. */
export function requestCall(
  { receipt }: ReceiptReport,
  { agentId, validator, uri }: { agentId: bigint; validator: string; uri: string },
): string {
  const { evidenceHash } = receipt.statement.settlement;
  return VALIDATIONS.encodeFunctionData("validationRequest", [validator, agentId, uri, evidenceHash]);
}

/**
 * What the arbiter answers when a dispute has ended: the provider's share of the price, from 0 to 100. A delivery that
 * nobody disputed was validated by nobody, so there is no answer for it.
 */
export function responseCall(
  { receipt, sound, backing, summary }: ReceiptReport,
  { text, uri }: { text: string; uri: string },
): string {
  const { evidenceHash, assurance } = receipt.statement.settlement;
  const dispute = assurance.find((each) => each.kind === "dispute");
  if (!sound || backing !== "chain" || dispute === undefined)
    throw new Error(`nobody has decided about it: ${summary}`);
  // A silent arbiter has decided nothing either; who conceded needed no decision.
  if (dispute.outcome === "ArbiterSilent") throw new Error("the arbiter stayed silent");
  const response = Math.floor(dispute.providerBps / 100);
  const responseHash = keccak256(toUtf8Bytes(text));
  return VALIDATIONS.encodeFunctionData("validationResponse", [
    evidenceHash,
    response,
    uri,
    responseHash,
    `neura/${dispute.outcome}`,
  ]);
}
