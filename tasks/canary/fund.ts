import { fundAction } from "../mirror/funding.ts";

export default fundAction("neura/canary-fund/1", { collectFees: true });
