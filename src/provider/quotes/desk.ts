import type { Signer } from "ethers";

import { isNeuraError } from "../../errors.ts";
import {
  type QuoteAnswer,
  type QuoteDecline,
  type QuotedPrice,
  signDecline,
  signQuote,
} from "../../market/quotes.ts";
import { isLease, type Task } from "../../market/terms.ts";
import { parseDecimal, rateWeiOf } from "../../market/usd.ts";
import type { ChainView, Registration } from "../chain-view.ts";
import type { NodeEvent } from "../log.ts";
import { judgeTerms, type Policy, type Refusal } from "../policy.ts";
import type { Places } from "./places.ts";
import { PriceFeed } from "./price.ts";
import type { QuotePolicy } from "./settings.ts";

export interface DeskParts {
  /** The provider. */
  readonly account: string;
  readonly chain: ChainView;
  readonly signer: Signer;
  readonly policy: Policy & { readonly quotes: QuotePolicy };
  readonly places: Places;
  /** The chain's time [Unix s]. */
  readonly now: () => number;
  /** Tasks that could begin now. */
  readonly free: () => number;
  /** Why the node takes nothing new, if so. */
  readonly hold: () => string | undefined;
  readonly emit: (event: NodeEvent) => void;
}

/** What the chain says of the provider and its costs; the same for all requests of a few seconds. */
interface Conditions {
  readonly registration: Registration;
  readonly feeBps: number;
  /** Unknown where tasks are paid in a token. */
  readonly gasPriceWei: bigint | undefined;
}

const CONDITIONS_MS = 5_000;

/** Judges tasks before they are paid for, and promises places: what stands behind the node's server for quotes. */
export class QuoteDesk {
  readonly #parts: DeskParts;
  readonly #prices: PriceFeed | undefined;
  #trouble: string | undefined;
  #conditions: { readonly value: Promise<Conditions>; readonly at: number } | undefined;

  constructor(parts: DeskParts) {
    const { usd } = parts.policy.quotes;
    this.#parts = parts;
    this.#prices = usd && new PriceFeed(usd);
  }

  /** A signed quote for this task, or a signed reason why there is none. Error: `chain.unavailable`. */
  async answer(task: Task): Promise<QuoteAnswer> {
    const { chain, places, policy, signer, now } = this.#parts;
    const { chainId, contracts } = chain.deployment;
    const domain = { chainId: BigInt(chainId), market: contracts.TaskMarket };
    const conditions = await this.#read();
    const price = await this.#price(conditions);
    const refusal =
      "rateWei" in price ? await this.#judge(task, { ...conditions, rateWei: price.rateWei }) : price;
    const priced = "rateWei" in price ? { price } : {};
    const [nowSeconds, free] = [now(), this.#parts.free()];
    if (refusal === undefined) {
      const { startBySeconds } = task.terms.conditions;
      const untilSeconds = Math.min(nowSeconds + policy.quotes.validSeconds, startBySeconds);
      const nonce = await places.promise(task.id, { free, nowSeconds, untilSeconds });
      if (nonce !== undefined) {
        const promise = { nonce, expiresAtSeconds: untilSeconds };
        const signature = await signQuote(domain, task.id, promise, signer);
        return { ...priced, quote: { ...promise, signature } };
      }
    }
    const decline: QuoteDecline = { ...(refusal ?? noPlace(free)), declinedAtSeconds: nowSeconds };
    return { ...priced, decline, signature: await signDecline(domain, task.id, decline, signer) };
  }

  /** What the node asks now, or why it cannot say. */
  async #price({ registration }: Conditions): Promise<QuotedPrice | Refusal> {
    const { chain, policy } = this.#parts;
    const { usd } = policy.quotes;
    if (usd === undefined || this.#prices === undefined)
      return { rateWei: policy.minRateWei ?? registration.offer.rateWei };
    try {
      const { usdPerCoin, pricedAtSeconds } = await this.#prices.read();
      this.#note(undefined);
      const [hour, coin] = [parseDecimal(usd.usdPerHour), parseDecimal(usdPerCoin)];
      if (hour === undefined || coin === undefined) throw new Error("the prices were checked before");
      const { decimals } = chain.deployment.currency;
      const rateWei = rateWeiOf({ usdPerHour: hour, usdPerCoin: coin, decimals });
      return { rateWei, usd: { usdPerHour: usd.usdPerHour, usdPerCoin, pricedAtSeconds } };
    } catch (error) {
      if (!isNeuraError(error, "price.unavailable")) throw error;
      // Why is the provider's business.
      this.#note(error.message);
      const message = "There is no fresh price of the coin, so none is made up.";
      return { reason: "InfrastructureFault", message };
    }
  }

  /** Tells the node's log about the price, once for each change. */
  #note(trouble: string | undefined): void {
    if (trouble === this.#trouble) return;
    this.#trouble = trouble;
    if (trouble === undefined) return;
    this.#parts.emit({ level: "warn", event: "trouble", code: "price.unavailable", message: trouble });
  }

  async #judge(
    task: Task,
    { registration, feeBps, gasPriceWei, rateWei }: Conditions & { rateWei: bigint },
  ): Promise<Refusal | undefined> {
    const { account, chain, policy, now, hold } = this.#parts;
    const { owner, provider, conditions } = task.terms;
    if (provider !== account) {
      const message = `It is for the provider ${provider}; this is ${account}.`;
      return { reason: "RequirementsUnmet", message, needed: provider, offered: account };
    }
    const why = hold() ?? (registration.isActive ? undefined : "the provider is paused");
    if (why !== undefined) return { reason: "NoCapacity", message: `Nothing new is taken now: ${why}.` };
    const left = conditions.completeBySeconds - now();
    const least = (isLease(task.terms) ? 0 : conditions.durationSeconds) + policy.marginSeconds;
    if (left < least || conditions.startBySeconds <= now()) {
      const message = `It needs ${least} s until it is complete; there are ${left} s.`;
      return { reason: "NoCapacity", message, needed: `${least} s`, offered: `${left} s` };
    }
    const terms = {
      policy: { ...policy, minRateWei: rateWei },
      offer: registration.offer,
      feeBps,
      gasPriceWei,
    };
    const refusal = judgeTerms(task, terms);
    if (refusal !== undefined || conditions.keyEpoch === 0) return refusal;
    const key = await chain.keyAt(owner, conditions.keyEpoch);
    if (key && !key.isRevoked) return undefined;
    const message = `The owner's key ${conditions.keyEpoch} is ${key ? "revoked" : "not published"}.`;
    return { reason: "KeyRevoked", message };
  }

  async #read(): Promise<Conditions> {
    const last = this.#conditions;
    if (last !== undefined && performance.now() - last.at < CONDITIONS_MS) return await last.value;
    const value = this.#ask();
    this.#conditions = { value, at: performance.now() };
    // One that fails is asked again at once.
    value.catch(() => (this.#conditions = undefined));
    return await value;
  }

  async #ask(): Promise<Conditions> {
    const { account, chain } = this.#parts;
    const [registration, feeBps, gasPriceWei] = await Promise.all([
      chain.registrationOf(account),
      chain.feeBps(),
      chain.isNative ? chain.gasPriceWei() : undefined,
    ]);
    return { registration, feeBps, gasPriceWei };
  }
}

function noPlace(free: number): Refusal {
  const message = `It needs a free place; there are ${free}.`;
  return { reason: "NoCapacity", message, needed: "1 free place", offered: `${free} free places` };
}
