import { fundAction } from "./funding.ts";

export default fundAction("neura/mirror-account-fund/1");
