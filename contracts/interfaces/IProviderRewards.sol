// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Currency} from "../libraries/Currency.sol";
import {IEscrow} from "./IEscrow.sol";
import {IProviderRegistry} from "./IProviderRegistry.sol";

/// @title Rewards for providers, in proportion to the fees that they paid
/// @notice Time is cut into epochs of one length. Whatever fees a provider is recorded to have paid in an epoch earn it
/// the same share of that epoch's budget. A budget is the least of three amounts as they are when the epoch ends:
/// {budgetWei}; what is in the pot; {capBps} of all fees of the epoch. Nobody is needed: anyone funds, records, claims
/// for anyone.
/// @dev Why dealing with oneself does not pay:
/// - Of an epoch's fees `F` a provider with the fees `f` gets `floor(budget * f / F)`, and the budget is at most
///   `F * capBps / 10,000`; so it gets at most `f * capBps / 10,000`, whatever the others do and whatever is in the
///   pot. Who pays itself through the market pays `f` to the treasury for that, and loses at least
///   `f * (10,000 - capBps) / 10,000` and the gas.
/// - Each wei of fees counts once: what is recorded is by how much {IEscrow.feesPaidOf} has risen since it was last
///   recorded. So the bound holds over any number of tasks, epochs and accounts. Copying another's tasks or results
///   earns nothing either: what counts is a fee that was paid.
/// - Rewards do not depend on how fees are split over tasks or accounts, but for rounding, which is down.
/// @dev Which epoch fees count in:
/// - A provider takes part from its first {record} on. All that it paid before, fees not yet collected included, is its
///   baseline and earns nothing: the market tells what was paid in all and not when, so counting from zero would pay
///   for the time before this contract began. Whoever wants to take part records itself once before it works; it
///   costs nothing but gas, and nobody can take it back or make it later.
/// - Later fees count in the epoch in which they are recorded, late or not. That is harmless: they count once, under
///   that epoch's budget and its cap. Nobody can save fees up for a thin epoch against the others' will, since anyone
///   records anyone; nobody can push another's into a wrong epoch, since only what is already paid is recorded.
/// @dev Why an epoch's budget cannot be gamed: it is reckoned as of the end of the epoch, whenever it is written down.
/// The pot falls only by such budgets; it rises by {fund}, and, once all rewards of an epoch are claimed, by what
/// rounding left of its budget. What is funded after the end is for later epochs.
/// @dev Assumptions:
/// - The market's and the registry's words are true. Amounts fit 128 bits.
/// - The treasury that receives the fees is nobody who provides: its own fees come back to it, and it could draw the
///   budget for nothing. Who funds this contract trusts the treasury for that.
/// - The currency moves exactly what it is asked to move. A token that takes a fee on transfer is refused; one that
///   rebases downwards later breaks the rewards' cover and must not be used. What arrives without {fund} belongs to
///   nobody.
/// @dev Warning: with {capBps} at 10,000 dealing with oneself costs gas alone. It still gains nothing, but it takes
/// the others' share; leave a distance to it.
interface IProviderRewards {
    struct Epoch {
        /// Fees recorded in it [wei].
        uint128 feesWei;
        /// What is handed out for them [wei]; while the epoch is open, what it would be if it ended now.
        uint128 budgetWei;
        /// Fees whose rewards are claimed, and those rewards [wei].
        uint128 claimedFeesWei;
        uint128 paidWei;
    }

    event Funded(address indexed payer, uint256 amount);
    /// @notice `provider` takes part from now on; `feesWei` [wei] that it paid before do not count.
    event ProviderJoined(address indexed provider, uint256 feesWei);
    /// @notice `feesWei` [wei] more of `provider` count in `epoch`.
    event FeesRecorded(address indexed provider, uint256 indexed epoch, uint256 feesWei);
    /// @notice An epoch with fees is over: `budgetWei` [wei] of the pot are handed out for `feesWei` [wei]. Comes with
    /// the first call after its end.
    event EpochClosed(uint256 indexed epoch, uint256 feesWei, uint256 budgetWei);
    event RewardClaimed(address indexed provider, uint256 indexed epoch, address to, uint256 amount);

    error ProviderRewards_ZeroAmount();
    /// @notice The share of fees is zero, or more than there are [bps].
    error ProviderRewards_UnfitCap(uint256 capBps, uint256 maximum);
    /// @notice Epochs are shorter than they may be [s].
    error ProviderRewards_UnfitEpoch(uint256 epochSeconds, uint256 minimum);
    /// @notice The epoch is not over.
    error ProviderRewards_NotOver(uint256 epoch, uint256 current);
    /// @notice The provider has no fees in this epoch.
    error ProviderRewards_NoFees(address provider, uint256 epoch);
    error ProviderRewards_AlreadyClaimed(address provider, uint256 epoch);
    /// @notice Neither this contract nor the market can be the receiver: it would be nobody's there.
    error ProviderRewards_ToContract(address to);

    // ---- Anyone ----

    /// @notice Puts `amount` [wei] of the caller's into the pot, for good; native: `msg.value` equals it.
    function fund(uint256 amount) external payable;

    /// @notice Collects the fees of `providers`, and counts what is new of them in the current epoch. Who is named
    /// twice, or paid nothing since, is passed over.
    function record(address[] calldata providers) external;

    /// @notice Sends the reward of `provider` for an `epoch` that is over to its payout address; to the provider
    /// itself where it is not registered. Once for each of them.
    /// @dev A reward that cannot be received stays claimable, and concerns nobody else. One that rounds down to
    /// nothing can be claimed like others; nothing is sent.
    /// @return amount [wei]
    function claim(address provider, uint256 epoch) external returns (uint256 amount);

    // ---- Views ----

    /// @notice Whose fees count.
    function market() external view returns (IEscrow);

    /// @notice Knows the payout addresses; the market's.
    function registry() external view returns (IProviderRegistry);

    /// @notice What is handed out; the market's.
    function currency() external view returns (Currency);

    /// @notice How long an epoch is [s], at least {MIN_EPOCH}.
    function epochSeconds() external view returns (uint256);

    /// @notice The most that is handed out for an epoch [wei].
    function budgetWei() external view returns (uint256);

    /// @notice The most that is handed out, as a share of an epoch's fees [bps].
    function capBps() external view returns (uint256);

    /// @notice [s]
    function MIN_EPOCH() external view returns (uint256);

    /// @notice When epoch 0 began [s].
    function startedAt() external view returns (uint256);

    /// @notice The number of the epoch that is open.
    function currentEpoch() external view returns (uint256);

    /// @notice What is not promised to any epoch that is over [wei].
    function pot() external view returns (uint256);

    function epochOf(uint256 epoch) external view returns (Epoch memory);

    /// @notice What `provider` paid in `epoch` [wei], what it gets or got for that [wei] (of the open epoch: would get
    /// if it ended now), and whether it has been claimed.
    function rewardOf(
        address provider,
        uint256 epoch
    ) external view returns (uint256 feesWei, uint256 rewardWei, bool claimed);

    /// @notice Up to which sum [wei] the fees of `provider` are counted, its baseline included, and when it joined
    /// [s]; 0: not yet.
    function recordedOf(address provider) external view returns (uint256 feesWei, uint256 joinedAt);
}
