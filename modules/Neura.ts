import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";
import { keccak256 } from "ethers";

import { RevenueShareToken__factory } from "../types/factories/model/RevenueShareToken__factory.ts";

/**
 * The whole of Neura on one chain. Parameters: `currency` (zero address: the chain's native coin), `unbondingSeconds`,
 * `declineWindowSeconds`, `keyWindowSeconds`, `takeOverWindowSeconds`, `concessionWindowSeconds`, `feeBps`, `treasury`,
 * `admin`, of the rewards `epochSeconds`, `budgetWei`, `capBps`, and of the jury `seatWei`, `juryFeeBps`,
 * `juryMinimumFeeWei`, `stepSeconds`, `seasoningSeconds`. The registry is handed to another admin in the deploy task.
 */
export default buildModule("Neura", (m) => {
  const deployer = m.getAccount(0);
  const currency = m.getParameter<string>("currency");

  const keyRegistry = m.contract("KeyRegistry");
  const modelRegistry = m.contract("ModelRegistry");
  const providerRegistry = m.contract("ProviderRegistry", [
    currency,
    m.getParameter<number>("unbondingSeconds"),
    deployer,
  ]);
  const settings = {
    currency,
    registry: providerRegistry,
    models: modelRegistry,
    declineWindow: m.getParameter<number>("declineWindowSeconds"),
    keyWindow: m.getParameter<number>("keyWindowSeconds"),
    takeOverWindow: m.getParameter<number>("takeOverWindowSeconds"),
    concessionWindow: m.getParameter<number>("concessionWindowSeconds"),
    admin: m.getParameter<string>("admin"),
    treasury: m.getParameter<string>("treasury"),
    feeBps: m.getParameter<number>("feeBps"),
  };
  // The market runs the extension's code for what its own has no room for, and checks that both were made alike.
  const extension = m.contract("TaskMarketExtension", [settings]);
  const taskMarket = m.contract("TaskMarket", [settings, extension]);
  // While nobody is registered, whoever is authorised may lock stake at once; later ones after the unbonding period.
  const authorized = m.call(providerRegistry, "authorizeMarket", [taskMarket]);
  // Its seats are stake, too.
  const jury = m.contract(
    "Jury",
    [
      taskMarket,
      m.getParameter<bigint>("seatWei"),
      m.getParameter<number>("juryFeeBps"),
      m.getParameter<bigint>("juryMinimumFeeWei"),
      m.getParameter<number>("stepSeconds"),
      m.getParameter<number>("seasoningSeconds"),
    ],
    { after: [authorized] },
  );
  m.call(providerRegistry, "authorizeMarket", [jury], { id: "authorizeJury" });
  const providerRewards = m.contract(
    "ProviderRewards",
    [
      taskMarket,
      m.getParameter<number>("epochSeconds"),
      m.getParameter<bigint>("budgetWei"),
      m.getParameter<number>("capBps"),
    ],
    { after: [authorized] },
  );

  // Shares have this code and no other; it comes with the call that makes one.
  const shareFactory = m.contract("RevenueShareFactory", [keccak256(RevenueShareToken__factory.bytecode)]);
  // What deeds of models look like where their owner chooses nothing else.
  const deedCertificate = m.contract("DeedCertificate");

  return {
    keyRegistry,
    modelRegistry,
    providerRegistry,
    extension,
    taskMarket,
    providerRewards,
    shareFactory,
    deedCertificate,
    jury,
  };
});
