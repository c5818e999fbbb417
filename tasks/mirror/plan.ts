import { parseAmount } from "../../src/amount.ts";
import type { Deployment } from "../../src/deployment.ts";
import { messageOf, NeuraError } from "../../src/errors.ts";
import { DEFAULT_DELAY, planMirror } from "../../src/mirror/mirror.ts";
import type { Context } from "../context.ts";
import { parseDuration } from "../duration.ts";
import { parseProbability } from "./open.ts";

/** The options of `task submit` that are about its mirror. */
export interface MirrorPlanArguments {
  readonly mirror: string | undefined;
  readonly mirrorMaxPrice: string | undefined;
  readonly mirrorDelay: string | undefined;
  readonly startWithin: string;
  readonly challenge: string | undefined;
  readonly signOnly: string | undefined;
}

/**
 * What decides about the mirror of a task that was sent, and says nothing of what it decided. The task is on the chain by
 * then: what goes wrong here is a warning. Errors: `usage.*`.
 */
export function mirrorPlanner(
  { mirror, mirrorMaxPrice, mirrorDelay, startWithin, challenge, signOnly }: MirrorPlanArguments,
  { currency }: Deployment,
  { home, out }: Context,
): ((task: string) => Promise<void>) | undefined {
  if (mirror === undefined) {
    if (mirrorMaxPrice === undefined && mirrorDelay === undefined) return undefined;
    throw new NeuraError("usage.mirror", "--mirror-max-price and --mirror-delay are for a mirror.", {
      next: "Add --mirror with a probability like 0.1, or leave them out.",
    });
  }
  if (signOnly !== undefined) {
    throw new NeuraError("usage.mirror", "A task that somebody else sends is not mirrored from here.", {
      next: "Leave --mirror out, and mirror it with `task mirror` once it is sent.",
    });
  }
  const options = {
    probability: parseProbability(mirror),
    maxCostWei: mirrorMaxPrice === undefined ? undefined : parseAmount(mirrorMaxPrice, currency, "price"),
    maxDelaySeconds: mirrorDelay === undefined ? undefined : parseDuration(mirrorDelay, "delay"),
    startWithinSeconds: parseDuration(startWithin, "time to start"),
  };
  const { maxDelaySeconds = DEFAULT_DELAY } = options;
  if (challenge === undefined)
    out.note("Warning: without --challenge a mirror can show who fakes, and brings nothing back.");
  else if (parseDuration(challenge, "challenge period") <= maxDelaySeconds)
    out.note("Warning: its challenge period may be over before a mirror is ordered: see --mirror-delay.");
  return async (task) => {
    try {
      await planMirror(home, task, { ...options, nowSeconds: Math.floor(Date.now() / 1000) });
      out.note("Whether it is mirrored is decided, in NEURA_HOME alone; `mirror run` orders what is due.");
    } catch (error) {
      out.note(`Warning: the task is sent, but nothing was decided about its mirror: ${messageOf(error)}`);
    }
  };
}
