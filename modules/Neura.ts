import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";

/**
 * The whole of Neura on one chain. Parameters: `currency` (zero address: the chain's native coin), `unbondingSeconds`,
 * `declineWindowSeconds`, `feeBps`, `treasury`, `admin`. The registry is handed to another admin in the deploy task.
 */
export default buildModule("Neura", (m) => {
  const deployer = m.getAccount(0);
  const currency = m.getParameter<string>("currency");

  const keyRegistry = m.contract("KeyRegistry");
  const providerRegistry = m.contract("ProviderRegistry", [
    currency,
    m.getParameter<number>("unbondingSeconds"),
    deployer,
  ]);
  const taskMarket = m.contract("TaskMarket", [
    currency,
    providerRegistry,
    m.getParameter<number>("declineWindowSeconds"),
    m.getParameter<string>("admin"),
    m.getParameter<string>("treasury"),
    m.getParameter<number>("feeBps"),
  ]);
  // The first market may lock stake at once; later ones after the unbonding period.
  m.call(providerRegistry, "authorizeMarket", [taskMarket]);

  return { keyRegistry, providerRegistry, taskMarket };
});
