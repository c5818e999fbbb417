import { isNeuraError, type Limits, MarketClient, type MarketOptions, saveLimits } from "../src/index.ts";
import type { SubmittedTask, TaskRequest } from "../src/index.ts";

/**
 * What a program with a bug, or a stolen file of tasks, can spend at most on this machine. The limits are checked before
 * anything is stored or paid, and hold over all programs that share the home directory.
 */
export async function orderWithinLimits({
  options,
  limits,
  requests,
}: {
  options: MarketOptions;
  /** For one task, an hour and a month [wei]. */
  limits: Limits;
  requests: readonly TaskRequest[];
}): Promise<{ sent: SubmittedTask[]; refused: string[] }> {
  await saveLimits(options.home, limits, options.deployment.currency);
  const client = new MarketClient(options);
  const [sent, refused]: [SubmittedTask[], string[]] = [[], []];
  for (const request of requests) {
    try {
      // A task can have stricter limits of its own: `spending`.
      sent.push(await client.submit(request));
    } catch (error) {
      if (!isNeuraError(error) || !error.code.startsWith("limit.")) throw error;
      refused.push(error.code);
    }
  }
  return { sent, refused };
}
