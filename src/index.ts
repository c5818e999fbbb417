/**
 * The package's main entry: what an app needs to buy and open work. `neura/envelope` is the encryption alone (it runs in
 * a browser too), `neura/verify` what checks results (so does it), `neura/provider` sells work, `neura/contracts` are the
 * typed contract factories, `neura/abi/<name>` and `neura/bytecode/<name>` single contracts,
 * `neura/deployments/chain-<id>.json` what is deployed where.
 */
export { formatAmount, parseAmount, type Unit } from "./amount.ts";
export { loadAttestationPolicy } from "./attestation/policy.ts";
export {
  type AttestationPolicy,
  type AttestationVerifier,
  type Attested,
  type AttestedKey,
  checkAttestation,
  reportDataOf,
  type TrustedPlatform,
  type VerifiedEvidence,
} from "./attestation.ts";
export { claimCredit, deliverTransfer, type Payout, releaseTransfer } from "./bridge/claim.ts";
export {
  type Bridge,
  type BridgeOptions,
  type End as BridgeEnd,
  type Finality,
  openBridge,
} from "./bridge/context.ts";
export {
  type BridgeDeployment,
  type Side as BridgeSide,
  parseBridge,
  readBridge,
  verifyBridge,
} from "./bridge/deployment.ts";
export { findTransfer, type FoundTransfer } from "./bridge/find.ts";
export { type BridgeSupply, type SupplyBreach, SupplyMonitor } from "./bridge/monitor.ts";
export {
  type PreparedTransfer,
  prepareTransfer,
  type SentTransfer,
  sendTransfer,
  type TransferRequest,
  type TransferWarning,
} from "./bridge/send.ts";
export { type TransferPhase, transferStatus, type TransferStatus } from "./bridge/status.ts";
export {
  type ContractName,
  CONTRACTS,
  type CurrencyInfo,
  type Deployment,
  deploymentPath,
  loadDeployment,
  parseDeployment,
  verifyDeployment,
} from "./deployment.ts";
export { isNeuraError, messageOf, NeuraError } from "./errors.ts";
export { type JuryCase, type JuryContext, type Move as JuryMove, movesOf, readCase } from "./jury/case.ts";
export { type AppealPlan, type JuryStep, type Pursued, type PursueOptions } from "./jury/owner.ts";
export { verdictOf } from "./jury/verdict.ts";
export { loadArweaveKey } from "./keys/arweave.ts";
export { backUpKeys, restoreKeys } from "./keys/backup.ts";
export { provePossession } from "./keys/possession.ts";
export { publishedKeys, publishKey } from "./keys/publish.ts";
export { findKey, homeDirectory, listKeys, saveKey, type StoredKey } from "./keystore.ts";
export { AlarmFeed } from "./market/alarm-feed.ts";
export {
  type Alarm,
  type AlarmKind,
  alarmsOf,
  type AlarmSettings,
  DEFAULT_ALARM_SETTINGS,
  type Watched,
  type WatchedLease,
  type WatchedTask,
} from "./market/alarms.ts";
export { type AlarmConfig, loadAlarms, openSink, type SinkConfig } from "./market/alarms/config.ts";
export {
  type Delivery,
  Notifier,
  testSinks,
  type Undelivered,
  watchAlarms,
  type WatchReport,
} from "./market/alarms/notifier.ts";
export type { Sink } from "./market/alarms/sink.ts";
export { verifyWebhook } from "./market/alarms/webhook.ts";
export type { BatchedCall, BatchedResult, BatchResult } from "./market/batch.ts";
export type { AttestationStanding } from "./market/attested.ts";
export { MarketClient } from "./market/client.ts";
export { type ClosedTask, type Closing, closeTask } from "./market/close.ts";
export { type Compass, readCompass, shapeBucket, type ShapePrice } from "./market/compass.ts";
export {
  type ChainContext,
  connectContracts,
  type MarketContext,
  type MarketOptions,
  openChain,
  openMarket,
} from "./market/context.ts";
export {
  type ArbiterTerms,
  createArbiter,
  type DisputeOptions,
  type DisputePlan,
  readArbiter,
  withdrawArbiter,
} from "./market/dispute.ts";
export { decodeTaskEvent, TASK_TOPICS, type TaskEvent } from "./market/events.ts";
export {
  connectLease,
  type LeaseChange,
  type LeaseClient,
  type LeaseRequest,
  monitorLease,
  type Probe,
} from "./market/lease.ts";
export {
  encodeOpenings,
  type OpeningFile,
  type OpeningFinding,
  parseOpenings,
  type Sealed,
} from "./market/opening.ts";
export type { LeaseReport, LeaseWatchOptions } from "./market/leasing.ts";
export {
  defaultLimits,
  type Limits,
  loadLimits,
  lowerLimits,
  type Reservation,
  saveLimits,
  SpendingLedger,
  type Usage,
} from "./market/limits.ts";
export {
  orderText,
  parseOrder,
  readOrder,
  type SentOrder,
  type SignedOrder,
  writeOrder,
} from "./market/order.ts";
export {
  Fault,
  faultName,
  faultOf,
  Kind,
  Outcome,
  outcomeName,
  outcomeOf,
  Status,
  statusName,
  statusOf,
} from "./market/outcome.ts";
export { type MeasuredSpeed, measuredSpeed } from "./market/measurements.ts";
export { type Claims, fetchMetadata, readClaims } from "./market/metadata.ts";
export { prepareTask, type PreparedTask, type TaskRequest } from "./market/prepare.ts";
export {
  checkProvider,
  findProviders,
  type ProviderQuery,
  type ProviderReport,
  type Requirement,
} from "./market/providers.ts";
export { type Quote, type QuoteOptions, type ReceivedQuote, requestQuote } from "./market/quotes.ts";
export { rankProviders, type RankOptions } from "./market/ranking.ts";
export { fits, GPU_CLASSES, NO_RESOURCES, type Resources } from "./market/resources.ts";
export { fetchResult, type ResultOptions, type TaskResult } from "./market/result.ts";
export {
  IDLE_STOP_SECONDS,
  idleDecision,
  type IdleDecision,
  runway,
  type Runway,
  type TopUp,
  topUpPlan,
  type TopUpRule,
} from "./market/runway.ts";
export {
  type Action,
  type LeaseStatus,
  type Milestone,
  type NextStep,
  type Payment,
  type Phase,
  taskStatus,
  type TaskStatus,
  waitForTask,
  type WatchOptions,
  watchTask,
} from "./market/status.ts";
export { type SignedTask, type SubmitOptions, type SubmittedTask, submitTask } from "./market/submit.ts";
export {
  decodeSubmitted,
  decodeTerms,
  encodeTerms,
  encodeWork,
  maximumCostWei,
  taskId,
  type Terms,
  type Work,
  workHash,
} from "./market/terms.ts";
export { type AccessTicket, openTicket } from "./market/ticket.ts";
export type { Uptime } from "./market/uptime.ts";
export {
  createPoolAccount,
  type Funded,
  fundAccounts,
  type Funding,
  listPoolAccounts,
  type MirrorContext,
  type PoolAccount,
  type PoolState,
  readPool,
  sweepAccounts,
} from "./mirror/accounts.ts";
export {
  type Canary,
  type CanaryOrder,
  type CanarySource,
  type CanaryTally,
  checkCanary,
  createCanary,
  listCanaries,
  sendCanary,
  tallyOf,
} from "./mirror/canary.ts";
export {
  compareMirror,
  compareMirrors,
  type CompareOptions,
  type MirrorComparison,
} from "./mirror/compare.ts";
export {
  listPlans,
  type Mirror,
  type MirrorOptions,
  type MirrorPlan,
  type MirrorRun,
  mirrorTask,
  planMirror,
  type PlanOptions,
  runMirrors,
} from "./mirror/mirror.ts";
export type { ChangedStanding } from "./ownership/change.ts";
export {
  findOwnership,
  type FoundOwnership,
  type OwnershipName,
  type OwnershipReference,
} from "./ownership/context.ts";
export {
  estimateIssue,
  type IssueCost,
  type IssuedOwnership,
  issueOwnership,
  nameOwnership,
  type OwnershipSettings,
} from "./ownership/create.ts";
export { type DeedsMoved, materialiseDeeds, releaseDeeds, releaseUncovered } from "./ownership/deeds.ts";
export {
  decodeOwnershipEvent,
  type OwnershipEvent,
  type PlacedOwnershipEvent,
  readOwnershipEvents,
} from "./ownership/events.ts";
export { type ModelOwner, type OwnersView, readOwners } from "./ownership/owners.ts";
export {
  type DeedPicture,
  parseDeedUri,
  type Picture,
  readDeedPicture,
  writePicture,
} from "./ownership/picture.ts";
export { delegateVotes, mintUnits, setExempt } from "./ownership/rights.ts";
export { type OwnershipView, readOwnership } from "./ownership/show.ts";
export { type DeedPage, type OwnershipStanding, readStanding } from "./ownership/standing.ts";
export {
  planTransfer,
  transferDeed,
  type TransferPlan,
  type TransferResult,
  transferUnits,
} from "./ownership/transfer.ts";
export { explainDeeds, type OwnCall, type WhyCode, type WhyReason, type WhyReport } from "./ownership/why.ts";
export type { Attestation, Benchmark, Capacity, ProviderMetadata } from "./provider/metadata.ts";
export { createReceipt, type MadeReceipt, type ReceiptOptions } from "./receipt/create.ts";
export { parseReceipt, type Receipt } from "./receipt/receipt.ts";
export { type ReceiptReport, verifyReceipt, type VerifyOptions } from "./receipt/verify.ts";
export type { AuditReport, DeliveredUnit, Finding } from "./verify/audit.ts";
export type { KeptAudit } from "./verify/audits.ts";
export type { AuditTaskOptions, DisputeOutlook, TaskAudit } from "./verify/task.ts";
export type { DeliveredWork, Redo } from "./verify/work.ts";
export { parseVerification, type Verification } from "./verify/verification.ts";
export { Secret } from "./secret.ts";
export { type BurnPreview, burnShares, previewBurn } from "./share/burn.ts";
export {
  type ClaimLine,
  type ClaimReport,
  type ClaimRequest,
  type ClaimResult,
  claimRevenue,
  type ClaimSum,
  explainClaims,
  readPosition,
  type SharePayment,
  type SharePosition,
} from "./share/claims.ts";
export { isRevenueShare } from "./share/context.ts";
export { type CreatedShare, createShare, type ShareSettings } from "./share/create.ts";
export { decodeShareEvent, readShareEvents, type ShareEvent } from "./share/events.ts";
export { type HoldersView, readHolders, type ShareHolder } from "./share/holders.ts";
export { type Portfolio, type PortfolioEntry, readPortfolio } from "./share/portfolio.ts";
export {
  recomputeShare,
  type ShareDifference,
  ShareRecomputation,
  type ShareReport,
} from "./share/recompute.ts";
export {
  checkModelRevenue,
  collectRoyalties,
  depositRevenue,
  type DividedRevenue,
  type ReceivedRevenue,
  syncRevenue,
  takeSnapshot,
} from "./share/revenue.ts";
export {
  type ChangedPosition,
  mintShares,
  refuseClaimFor,
  setRecipient,
  setSharing,
  withdrawCredits,
} from "./share/rights.ts";
export { readShare, type ShareFunds, type ShareView } from "./share/show.ts";
export type { RevenueAmount, RevenueToken, ShareName } from "./share/tokens.ts";
export { openStorage, type StorageConfig, storageConfigFrom } from "./storage/open.ts";
export type { Storage, Stored } from "./storage/storage.ts";
export { balanceOf, deposit, depositWithPermit, setDelegate, withdraw } from "./wallet.ts";
