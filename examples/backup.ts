import type { MarketClient, TaskRequest, TaskStatus } from "../src/index.ts";

/**
 * Two providers for one task: when the first one declines, fails or never starts, the second one takes it at the same
 * terms. The payload is encrypted to both from the start, so the owner need not be there.
 */
export async function taskWithBackup({
  owner,
  request,
  provider,
  backup,
}: {
  owner: MarketClient;
  request: TaskRequest;
  /** Accounts of providers. */
  provider: string;
  backup: string;
}): Promise<{ status: TaskStatus; seen: string[] }> {
  const { id } = await owner.submit({ ...request, provider, backup });
  const seen: string[] = [];
  const status = await owner.wait(id, {
    for: "delivered",
    intervalMs: 200,
    onStatus: ({ status: name, provider: who = "nobody" }) => void seen.push(`${name}: ${who}`),
  });
  return { status, seen };
}
