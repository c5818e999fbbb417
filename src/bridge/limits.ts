import type { IAnkrBridge } from "../../types/interfaces/IAnkrBridge.ts";
import { chainTime } from "../market/context.ts";
import type { End } from "./context.ts";

/** How an end stands: what can pass now, and what keeps it from that. */
export interface EndState {
  readonly settings: IAnkrBridge.SettingsStructOutput;
  readonly books: IAnkrBridge.BooksStructOutput;
  readonly canSendWei: bigint;
  readonly canPayWei: bigint;
  /** Until then it is paused; nothing: it is not [Unix s]. */
  readonly pausedUntilSeconds: number | undefined;
  /** The time of its chain [Unix s]. */
  readonly nowSeconds: number;
}

/** How an end stands at its chain's newest block. */
export async function readEnd({ contract, provider }: End): Promise<EndState> {
  const [nowSeconds, settings, books, [canSendWei, canPayWei], paused] = await Promise.all([
    chainTime(provider),
    contract.settings(),
    contract.books(),
    contract.available(),
    contract.pausedUntil(),
  ]);
  const pausedUntilSeconds = Number(paused) > nowSeconds ? Number(paused) : undefined;
  return { settings, books, canSendWei, canPayWei, pausedUntilSeconds, nowSeconds };
}

/**
 * How long it takes until a limit lets `amountWei` pass, or as much as it ever lets pass at once [s]; nothing: never. What
 * goes the other way makes it shorter.
 */
export function secondsUntil(
  amountWei: bigint,
  { availableWei, capacityWei, periodSeconds }: Limit,
): number | undefined {
  const wanted = amountWei < capacityWei ? amountWei : capacityWei;
  if (capacityWei === 0n) return undefined;
  if (wanted <= availableWei) return 0;
  const missing = (wanted - availableWei) * BigInt(periodSeconds);
  return Number((missing + capacityWei - 1n) / capacityWei);
}

export interface Limit {
  readonly availableWei: bigint;
  readonly capacityWei: bigint;
  readonly periodSeconds: number;
}

export function payLimitOf({ settings, canPayWei }: EndState): Limit {
  return {
    availableWei: canPayWei,
    capacityWei: settings.payCapacity,
    periodSeconds: Number(settings.payPeriod),
  };
}

export function sendLimitOf({ settings, canSendWei }: EndState): Limit {
  return {
    availableWei: canSendWei,
    capacityWei: settings.sendCapacity,
    periodSeconds: Number(settings.sendPeriod),
  };
}
