// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC7802} from "@openzeppelin/contracts/interfaces/draft-IERC7802.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";

import {IERC7641, IERC7641AltRevToken} from "./IERC7641.sol";
import {IEscrow} from "./IEscrow.sol";

/// @title A token whose holders share revenue (ERC-7641)
/// @notice Time is cut into periods on a grid that nobody chooses. What comes in during a period is divided when it is
/// over: {claimBps} of it among the holders at the end of the period, in proportion, claimable once each and for ever;
/// the rest stays here for whoever burns tokens. Snapshot `n` is the end of the `n`-th period: its id says when.
/// The first deposit, claim or burn of a later period closes it; nobody has to.
/// @dev Assumptions and rules:
/// - Holder of record is who held tokens after the last transaction before the period's end. What is borrowed,
///   bought or burned and given back within a block changes no record.
/// - Sums owed to holders are rounded down, by less than one of the smallest unit for each claim; what is left stays.
/// - Redeemable is what closed periods left, divided by every token that is, is away over the bridge or may still be
///   minted: neither minting nor bridging takes from anybody.
/// - An account that cannot call (a pool, a locker) is excluded: its tokens take no part from the period on in which
///   that is said, and what they would have got is the others'. The owner of this contract can say it of contracts only,
///   and of none that has spoken for itself. That is all that the owner can do.
/// - Whoever is paid and refuses, or whose token refuses, is credited instead, and stops nobody.
/// - Revenue tokens are fixed when this is made. One that takes a fee, rebases or lies harms its own payments alone.
/// - Revenue of a period at whose end no token took part, and what nobody is left to redeem, is {beneficiary}'s.
/// - A transfer of coins or tokens to this contract without a call is revenue from the next {sync} or deposit on.
/// - After 65,535 periods (179 years or more) no period ends any more.
interface IRevenueShareToken is IERC7641, IERC7641AltRevToken, IERC20Metadata, IERC20Permit, IERC7802 {
    /// @notice An amount of tokens for an account at the beginning.
    struct Allocation {
        address account;
        uint256 amount;
    }

    /// @notice What is fixed when a token is made.
    struct Settings {
        string name;
        string symbol;
        /// Length of a period [s], 1 to 366 days.
        uint32 periodSeconds;
        /// Part of a period's revenue that is claimable [1/10,000]; the rest is redeemable by burning.
        uint16 claimBps;
        /// Whoever may mint up to `cap` in all until `mintUntil`; zero: nobody.
        address minter;
        /// Last second of minting [s].
        uint40 mintUntil;
        /// How many tokens may be made in all, below 2^90, those of `allocations` included.
        uint256 cap;
        /// Revenue that nobody has a part in is credited to this account.
        address beneficiary;
        /// Whoever may exclude contracts that cannot claim.
        address owner;
        /// The token bridge (ERC-7802); zero: none.
        address bridge;
        /// ERC-20 tokens that count as revenue besides the native coin, at most {MAX_TOKENS}.
        address[] tokens;
        /// Excluded from the beginning.
        address[] excluded;
        Allocation[] allocations;
    }

    /// @notice What this contract holds of a revenue token, in its smallest unit.
    struct Funds {
        /// All that is accounted for: pending, redeemable, claimable and credited.
        uint256 held;
        /// Revenue of the period that is not closed yet.
        uint256 pending;
        /// What burning all tokens would pay.
        uint256 redeemable;
    }

    /// @notice Where an account stands.
    struct Position {
        uint256 balance;
        /// Whether its tokens do not take part.
        bool excluded;
        /// Whether it has said so, or the opposite, itself.
        bool spoken;
        /// Whether only the account itself may claim.
        bool refusesClaimFor;
        /// Who is paid what it claims.
        address recipient;
        /// Snapshots up to this one are claimed.
        uint256 claimedThrough;
        /// What {claimAll} would pay, token by token as in {tokens}.
        uint256[] claimable;
        /// What burning the whole balance would pay, likewise.
        uint256[] redeemable;
        /// What could not be paid and waits for {withdrawCredit}, likewise.
        uint256[] credit;
    }

    /// @notice `amount` of `token` came in for period `period`; `from`: whose call brought it.
    event RevenueReceived(address indexed token, address indexed from, uint256 amount, uint256 period);
    /// @notice Snapshot `id` divides `revenue` of `token`: `claimable` among `eligibleSupply` tokens, `redeemable` for
    /// whoever burns tokens, what is left for the beneficiary.
    event SnapshotTaken(
        uint256 indexed id,
        address indexed token,
        uint256 revenue,
        uint256 claimable,
        uint256 redeemable,
        uint256 eligibleSupply
    );
    /// @notice `account` has claimed its part of the snapshots from `fromId` to `throughId`, less those that it had
    /// claimed before; once for each token that it paid, of nothing once with 0 of the native coin.
    event Claimed(
        address indexed account,
        address indexed token,
        uint256 fromId,
        uint256 throughId,
        uint256 amount,
        address recipient
    );
    /// @notice `account` burned `burned` tokens; of `token` that paid `amount`.
    event Redeemed(address indexed account, address indexed token, uint256 burned, uint256 amount);
    /// @notice `amount` of `token` waits for `account`: it could not be paid, or nobody else has a part in it.
    event Credited(address indexed account, address indexed token, uint256 amount);
    event CreditWithdrawn(address indexed account, address indexed token, uint256 amount, address to);
    /// @notice From period `period` on the tokens of `account` take part in revenue, or not. `bySelf`: it has said so itself.
    event SharingSet(address indexed account, bool shares, bool bySelf, uint256 period);
    event RecipientSet(address indexed account, address recipient);
    event ClaimForRefused(address indexed account, bool refused);
    /// @notice An element of a batch could not be done; `reason` is its error.
    event ClaimSkipped(address indexed account, uint256 id, bytes reason);

    error RevenueShare_InvalidSetting(string setting);
    /// @notice The token is no revenue token of this contract.
    error RevenueShare_UnknownToken(address token);
    /// @notice The token holds so much that it could not be divided any more [smallest unit].
    error RevenueShare_TooMuch(address token, uint256 held);
    /// @notice Snapshot `id` has not been: the last one is `last`.
    error RevenueShare_NoSnapshot(uint256 id, uint256 last);
    error RevenueShare_AlreadyClaimed(address account, uint256 id);
    /// @notice `account` lets nobody claim for it.
    error RevenueShare_ClaimForRefused(address account);
    error RevenueShare_NothingCredited(address account, address token);
    error RevenueShare_NotMinter(address caller);
    error RevenueShare_MintingOver(uint256 mintUntil);
    error RevenueShare_CapExceeded(uint256 minted, uint256 amount, uint256 cap);
    error RevenueShare_NotBridge(address caller);
    /// @notice More than is away would come back over the bridge.
    error RevenueShare_NotAway(uint256 away, uint256 amount);
    /// @notice `account` is no contract: it can claim, and is excluded by nobody else.
    error RevenueShare_NotContract(address account);
    /// @notice `account` has said itself whether it takes part.
    error RevenueShare_Spoken(address account);
    /// @notice It cannot be paid: it is zero, or this contract.
    error RevenueShare_InvalidRecipient(address recipient);

    // ---- Revenue ----

    /// @notice Takes `amount` of the caller's `token` as revenue; the zero address is the native coin, and `msg.value`
    /// equals `amount`.
    /// @return received What was counted: what arrived, with whatever had come without a call before.
    function deposit(address token, uint256 amount) external payable returns (uint256 received);

    /// @notice Counts what has come of `token` without a call as revenue of the present period. Anyone.
    function sync(address token) external returns (uint256 received);

    /// @notice Takes what the tasks of a market have earned for this contract out of its balance there. Anyone.
    function collect(IEscrow market) external returns (uint256 received);

    // ---- Claims ----

    /// @notice Claims several snapshots; those that cannot be claimed are passed over with {ClaimSkipped}.
    function claimBatch(uint256[] calldata ids) external;

    /// @notice Claims everything that is claimable.
    function claimAll() external;

    /// @notice Claims every snapshot up to `id`; for an account whose balance changed in so many periods that
    /// {claimAll} takes more gas than there is.
    function claimThrough(uint256 id) external;

    /// @notice {claimAll} for `account`, which is paid, unless it refuses that. Anyone.
    function claimFor(address account) external;

    /// @notice {claimFor} several; those that refuse are passed over with {ClaimSkipped}.
    function claimForBatch(address[] calldata accounts) external;

    /// @notice Whether others may claim for the caller; they may unless it refuses.
    function refuseClaimFor(bool refused) external;

    /// @notice Pays what the caller claims from now on to `recipient`; zero: to itself.
    function setRecipient(address recipient) external;

    /// @notice Pays the caller's credit in `token` to `to`.
    function withdrawCredit(address token, address to) external;

    // ---- Who takes part ----

    /// @notice Whether the caller's tokens take part, from the present period on. From then on nobody else decides it.
    function setSharing(bool shares) external;

    /// @notice Excludes a contract that cannot claim, or takes it in again, from the present period on. The owner.
    /// @dev Warning: what it could have claimed before stays its own.
    function setExcluded(address account, bool excluded) external;

    // ---- Minting ----

    /// @notice Mints within the policy that was fixed at the beginning. The minter.
    function mint(address to, uint256 amount) external;

    // ---- Views ----

    function MAX_TOKENS() external view returns (uint256);

    /// @notice Length of a period [s].
    function periodSeconds() external view returns (uint256);

    /// @notice Part of revenue that is claimable [1/10,000].
    function claimBps() external view returns (uint256);

    function minter() external view returns (address);

    function mintUntil() external view returns (uint256);

    function cap() external view returns (uint256);

    function beneficiary() external view returns (address);

    function bridge() external view returns (address);

    /// @notice How many tokens are away over the bridge.
    function away() external view returns (uint256);

    /// @notice Every token that redeemable revenue is divided by: what is, is away, or may still be minted.
    function redemptionSupply() external view returns (uint256);

    /// @notice How many tokens take part in revenue now.
    function eligibleSupply() external view returns (uint256);

    /// @notice The newest snapshot, of the period before the present one; 0: none.
    function lastSnapshot() external view returns (uint256);

    /// @notice When the period of snapshot `id` ends or ended [s].
    function endOf(uint256 id) external view returns (uint256);

    /// @notice Revenue tokens; the first is the native coin, as the zero address.
    function tokens() external view returns (address[] memory);

    function fundsOf(address token) external view returns (Funds memory);

    function positionOf(address account) external view returns (Position memory);

    /// @notice Tokens with which `account` takes part in snapshot `id`; of what it has claimed: 0.
    function sharesOfRecord(address account, uint256 id) external view returns (uint256);

    function isClaimed(address account, uint256 id) external view returns (bool);

    function creditOf(address account, address token) external view returns (uint256);
}
