import type { Deployment } from "../../src/deployment.ts";
import { NeuraError } from "../../src/errors.ts";
import { juryAddress } from "../../src/jury/case.ts";
import type { TaskRequest } from "../../src/market/prepare.ts";
import { parseAddress } from "../address.ts";
import { action } from "../context.ts";
import { parseDuration } from "../duration.ts";
import { type MirrorPlanArguments, mirrorPlanner } from "../mirror/plan.ts";
import { openClient, type OrderArguments, parseOrderRequest } from "./request.ts";
import { submitOrSign } from "./send.ts";
import { parseVerificationOption } from "./verification.ts";

interface SubmitArguments extends OrderArguments, MirrorPlanArguments {
  readonly completeWithin: string | undefined;
  readonly challenge: string | undefined;
  readonly arbiter: string | undefined;
  readonly verification: string | undefined;
  readonly checker: string | undefined;
  readonly publicResult: boolean;
}

export default action("neura/task-submit/1", async (given: SubmitArguments, context) => {
  const { client, deployment } = await openClient(context, { signing: true });
  const { completeWithin, publicResult } = given;
  const request: TaskRequest = {
    ...(await parseOrderRequest(given, deployment, context)),
    completeWithinSeconds:
      completeWithin === undefined ? undefined : parseDuration(completeWithin, "time to complete"),
    challenge: parseChallenge(given, deployment),
    verification: await parseVerificationOption(given),
    publicResult,
  };
  const mirror = mirrorPlanner(given, deployment, context);
  return await submitOrSign(context, { client, deployment, given, request, mirror });
});

function parseChallenge(
  { challenge, arbiter }: SubmitArguments,
  deployment: Deployment,
): TaskRequest["challenge"] {
  if (challenge === undefined && arbiter === undefined) return undefined;
  if (challenge !== undefined && arbiter !== undefined) {
    return {
      periodSeconds: parseDuration(challenge, "challenge period"),
      arbiter: arbiter === "jury" ? juryAddress(deployment) : parseAddress(arbiter, "arbiter"),
    };
  }
  throw new NeuraError("usage.challenge", "A challenge period needs an arbiter, and an arbiter a period.", {
    next: "Give both --challenge and --arbiter, or neither.",
  });
}
