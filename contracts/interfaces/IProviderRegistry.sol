// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Currency} from "../libraries/Currency.sol";
import {Resources} from "../libraries/Resources.sol";

/// @title Providers: who they are, what they offer, what they have at stake
/// @notice A provider is the account that registered (its owner key). The operator is a hot key that may act for
/// it on tasks and never touches stake; the payout address receives earnings. Registration is open to everybody,
/// happens once, and the record of faults stays with the account for good.
/// @dev Assumptions:
/// - Stake is in the registry's immutable currency, which is the markets' too; amounts fit 96 bits.
/// - The currency moves exactly what it is asked to move. A token that takes a fee on transfer is refused; one that
///   rebases downwards later breaks the stakes' cover and must not be used. What arrives without a call (mined,
///   self-destructed, sent as tokens) belongs to nobody and changes no stake.
/// - Markets lock, unlock and penalise; a market never touches more than it locked itself.
/// - The first market, and those before the first provider, are authorised by the admin at once; every later one only
///   after {unbondingPeriod}, so that who does not trust it can leave with the whole free stake first. The admin can do
///   nothing else.
interface IProviderRegistry {
    enum ProviderStatus {
        None,
        /// Takes tasks.
        Active,
        /// Takes no new tasks for now.
        Paused
    }

    /// @notice Why a market unlocks, and what is counted for it.
    enum Record {
        /// A regular end: nothing is counted.
        None,
        Declined,
        Abandoned,
        Failed,
        /// A dispute that it lost or conceded.
        Disputed
    }

    /// @notice What a provider offers; all of it is the provider's to change.
    struct Offer {
        /// The largest single task that fits on one of its machines.
        Resources shape;
        /// Lowest price it accepts [wei per second].
        uint96 rateWei;
        /// How many tasks it runs at the same time.
        uint16 slots;
        /// Where more is said about it (URI of a JSON document), at most 256 bytes.
        string metadata;
    }

    struct Provider {
        address account;
        address operator;
        address payout;
        ProviderStatus status;
        /// Time of registration [s].
        uint40 registeredAt;
        uint32 declined;
        uint32 abandoned;
        uint32 failed;
        uint32 disputed;
        /// Open tasks that it has now, at most its slots.
        uint16 assigned;
        /// All it has in here [wei], unbonding and locked included.
        uint96 stake;
        /// Locked by live tasks [wei].
        uint96 locked;
        /// On its way out [wei].
        uint96 unbonding;
        /// When `unbonding` can be withdrawn [s].
        uint40 unbondsAt;
        Offer offer;
    }

    event ProviderRegistered(address indexed provider, address operator, address payout);
    event OfferUpdated(
        address indexed provider,
        Resources shape,
        uint96 rateWei,
        uint16 slots,
        string metadata
    );
    event OperatorChanged(address indexed provider, address operator);
    event PayoutChanged(address indexed provider, address payout);
    event StatusChanged(address indexed provider, ProviderStatus status);
    event Staked(address indexed provider, uint256 amount);
    event UnstakeStarted(address indexed provider, uint256 amount, uint40 unbondsAt);
    event UnstakeCancelled(address indexed provider, uint256 amount);
    event Unstaked(address indexed provider, address indexed to, uint256 amount);
    event StakeLocked(address indexed provider, address indexed market, uint256 amount);
    event StakeUnlocked(address indexed provider, address indexed market, uint256 amount);
    event StakeSlashed(address indexed provider, address indexed market, uint256 amount);
    event ProviderRecorded(address indexed provider, address indexed market, Record record);
    event MarketAuthorized(address indexed market, uint40 effectiveAt);

    error ProviderRegistry_AlreadyRegistered(address account);
    error ProviderRegistry_NotRegistered(address account);
    /// @notice The provider is paused.
    error ProviderRegistry_NotActive(address account);
    error ProviderRegistry_ZeroAddress(string what);
    error ProviderRegistry_NoSlots();
    /// @notice Nothing is free: a task of price 0 cannot be submitted.
    error ProviderRegistry_ZeroRate();
    /// @notice Neither the registry nor a market can be the receiver of stake: it would be nobody's there.
    error ProviderRegistry_ToContract(address to);
    error ProviderRegistry_MetadataTooLong(uint256 length, uint256 maximum);
    /// @notice The status cannot be chosen (`None`).
    error ProviderRegistry_InvalidStatus();
    /// @notice The free stake does not suffice [wei].
    error ProviderRegistry_InsufficientFreeStake(address provider, uint256 free, uint256 needed);
    /// @notice A task needs more than the provider offers.
    error ProviderRegistry_DoesNotFit(address provider, Resources need, Resources offer);
    /// @notice The provider has as many open tasks as it has slots.
    error ProviderRegistry_NoFreeSlot(address provider, uint256 slots);
    error ProviderRegistry_ZeroAmount();
    error ProviderRegistry_NothingUnbonding(address provider);
    error ProviderRegistry_StillUnbonding(address provider, uint40 unbondsAt);
    error ProviderRegistry_NotAMarket(address caller);
    error ProviderRegistry_MarketKnown(address market, uint40 effectiveAt);
    /// @notice The market wants to release or slash more than it has locked [wei].
    error ProviderRegistry_BeyondLock(address provider, address market, uint256 locked, uint256 asked);

    // ---- Registration: by the provider ----

    /// @notice Registers the caller, once. `operator` and `payout` may be the caller itself. Stake follows by
    /// {stake}.
    function register(address operator, address payout, Offer calldata offer) external;

    function updateOffer(Offer calldata offer) external;

    /// @notice Replaces the hot key at once; the old one can do nothing more.
    function setOperator(address operator) external;

    function setPayout(address payout) external;

    function setStatus(ProviderStatus status) external;

    // ---- Stake: by the provider ----

    /// @notice Adds `amount` [wei]; native: `msg.value` equals it.
    function stake(uint256 amount) external payable;

    /// @notice Starts to take `amount` [wei] of free stake out. One unbonding at a time: a second call adds to the
    /// amount and starts the period anew.
    function unstake(uint256 amount) external;

    /// @notice Puts all that is unbonding back to free stake.
    function cancelUnstake() external;

    /// @notice Sends what has unbonded to `to`.
    function withdrawStake(address to) external returns (uint256 amount);

    // ---- Markets ----

    /// @notice Locks `amount` [wei] of the provider's free stake. Only an authorised market, only for a registered
    /// provider that is {ProviderStatus.Active}.
    function lock(address provider, uint256 amount) external;

    /// @notice As {lock}, for an open task: only for a provider whose offer it fits, and that has a slot free.
    function assign(address provider, Resources need, uint256 amount) external;

    /// @notice Releases `unlocked` [wei] that the calling market had locked, sends `slashed` [wei] of it to that
    /// market, frees a slot where it was locked by {assign}, and counts `counted`. Where nothing is to be released it never fails: for an account that never
    /// registered, or from a caller that may not lock, it then does nothing.
    function release(
        address provider,
        uint256 unlocked,
        uint256 slashed,
        Record counted,
        bool assigned
    ) external;

    /// @notice By the admin: lets `market` lock stake, at once if it is the first, else after
    /// {unbondingPeriod}.
    function authorizeMarket(address market) external;

    // ---- Views ----

    function currency() external view returns (Currency);

    /// @notice How long stake takes to leave [s].
    function unbondingPeriod() external view returns (uint40);

    /// @notice From when on `market` may lock stake [s]; 0: never.
    function marketEffectiveAt(address market) external view returns (uint40);

    /// @notice The hot key of `provider`; the zero address when it is not registered.
    function operatorOf(address provider) external view returns (address);

    /// @notice Where `provider` wants its earnings; the zero address when it is not registered.
    function payoutOf(address provider) external view returns (address);

    function freeStakeOf(address provider) external view returns (uint256);

    /// @notice The markets that were authorised, also those that may not lock yet, in that order.
    function markets() external view returns (address[] memory);

    /// @notice Tasks that `account` was paid for, and the seconds it sold with them, in all markets.
    function recordOf(address account) external view returns (uint256 completed, uint256 secondsSold);

    /// @notice Everything about `account`; reverts with {ProviderRegistry_NotRegistered}.
    function providerOf(address account) external view returns (Provider memory);

    /// @notice How many providers ever registered.
    function providerCount() external view returns (uint256);

    /// @notice The `limit` providers from number `cursor` on, counted from 0, in order of registration.
    /// @return page Those in the range.
    /// @return next The cursor to go on with, 0 at the end.
    function providers(
        uint256 cursor,
        uint256 limit
    ) external view returns (Provider[] memory page, uint256 next);

    /// @notice As {providers}, of the `limit` looked at only those that are active, fit `need`, ask at most
    /// `maxRateWei` [wei per second] and have `minFreeStake` [wei] free.
    /// @dev Warning: a page may be empty and not be the last; go on until `next` is 0.
    function eligible(
        Resources need,
        uint256 maxRateWei,
        uint256 minFreeStake,
        uint256 cursor,
        uint256 limit
    ) external view returns (Provider[] memory page, uint256 next);
}
