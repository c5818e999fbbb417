// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IEscrow} from "../interfaces/IEscrow.sol";
import {IProviderRegistry} from "../interfaces/IProviderRegistry.sol";
import {IProviderRewards} from "../interfaces/IProviderRewards.sol";
import {ITaskMarket} from "../interfaces/ITaskMarket.sol";
import {Currency} from "../libraries/Currency.sol";

/// @title Rewards for providers; see {IProviderRewards}.
contract ProviderRewards is IProviderRewards, ReentrancyGuardTransient {
    using SafeCast for uint256;

    // ---- Types ----

    struct Share {
        uint128 feesWei;
        bool claimed;
    }

    struct Recorded {
        uint128 feesWei;
        /// 0: never recorded.
        uint40 joinedAt;
    }

    // ---- Constants ----

    /// @inheritdoc IProviderRewards
    uint256 public constant override MIN_EPOCH = 1 hours;
    uint256 private constant BPS = 10_000;

    // ---- Immutables ----

    /// @inheritdoc IProviderRewards
    IEscrow public immutable override market;
    /// @inheritdoc IProviderRewards
    IProviderRegistry public immutable override registry;
    /// @inheritdoc IProviderRewards
    Currency public immutable override currency;
    /// @inheritdoc IProviderRewards
    uint256 public immutable override epochSeconds;
    /// @inheritdoc IProviderRewards
    uint256 public immutable override budgetWei;
    /// @inheritdoc IProviderRewards
    uint256 public immutable override capBps;
    /// @inheritdoc IProviderRewards
    uint256 public immutable override startedAt;

    // ---- Storage ----

    /// @dev One word: what no closed epoch has, and the number of the only epoch that may have fees and is not closed.
    uint128 private _pot;
    uint128 private _last;
    /// @dev Two words per epoch with fees.
    mapping(uint256 epoch => Epoch) private _epochs;
    /// @dev One word each.
    mapping(uint256 epoch => mapping(address provider => Share)) private _shares;
    mapping(address provider => Recorded) private _recorded;

    /// @param market_ Whose fees count.
    /// @param epochSeconds_ At least an hour [s].
    /// @param budgetWei_ The most that is handed out for an epoch [wei].
    /// @param capBps_ The most that is handed out, as a share of an epoch's fees [bps].
    constructor(ITaskMarket market_, uint32 epochSeconds_, uint128 budgetWei_, uint16 capBps_) {
        if (epochSeconds_ < MIN_EPOCH) revert ProviderRewards_UnfitEpoch(epochSeconds_, MIN_EPOCH);
        if (budgetWei_ == 0) revert ProviderRewards_ZeroAmount();
        if (capBps_ == 0 || capBps_ > BPS) revert ProviderRewards_UnfitCap(capBps_, BPS);
        market = market_;
        registry = market_.registry();
        currency = market_.currency();
        epochSeconds = epochSeconds_;
        budgetWei = budgetWei_;
        capBps = capBps_;
        startedAt = block.timestamp;
    }

    // ---- Fund ----

    /// @inheritdoc IProviderRewards
    function fund(uint256 amount) external payable override nonReentrant {
        if (amount == 0) revert ProviderRewards_ZeroAmount();
        // Effect: what comes now is not for an epoch that is over.
        _closeEpoch();
        // Interaction: before the effect, since only what arrived counts; the guard holds meanwhile.
        currency.pull(msg.sender, amount);
        _pot = (uint256(_pot) + amount.toUint128()).toUint128();
        emit Funded(msg.sender, amount);
    }

    // ---- Record ----

    /// @inheritdoc IProviderRewards
    function record(address[] calldata providers) external override nonReentrant {
        uint256 epoch = _closeEpoch();
        // Interaction: the market, which calls nobody. What is due counts as paid, or a baseline would miss it.
        market.collectFees(providers);
        for (uint256 i = 0; i < providers.length; ++i) _record(epoch, providers[i]);
    }

    function _record(uint256 epoch, address provider) private {
        Recorded storage recorded = _recorded[provider];
        uint128 paid = market.feesPaidOf(provider).toUint128();
        uint128 fees = paid - recorded.feesWei;
        if (recorded.joinedAt == 0) {
            recorded.joinedAt = block.timestamp.toUint40();
            recorded.feesWei = paid;
            emit ProviderJoined(provider, paid);
        } else if (fees != 0) {
            recorded.feesWei = paid;
            _epochs[epoch].feesWei += fees;
            _shares[epoch][provider].feesWei += fees;
            emit FeesRecorded(provider, epoch, fees);
        }
    }

    // ---- Close ----

    /// @dev Fixes the budget of the last epoch, if it is over. The epochs between it and the current one have no fees.
    /// Called before everything that changes fees or pot, so it does not matter when it is called.
    function _closeEpoch() private returns (uint256 current) {
        current = currentEpoch();
        uint256 last = _last;
        if (last == current) return current;
        _last = current.toUint128();
        Epoch storage closed = _epochs[last];
        uint128 fees = closed.feesWei;
        if (fees == 0) return current;
        uint128 budget = _budgetFor(fees);
        closed.budgetWei = budget;
        _pot -= budget;
        emit EpochClosed(last, fees, budget);
    }

    /// @dev Rounded down, against the providers [wei].
    function _budgetFor(uint128 fees) private view returns (uint128) {
        return Math.min(Math.min(budgetWei, _pot), (fees * capBps) / BPS).toUint128();
    }

    // ---- Claim ----

    /// @inheritdoc IProviderRewards
    function claim(address provider, uint256 epoch) external override nonReentrant returns (uint256 amount) {
        // Check
        uint256 current = _closeEpoch();
        if (epoch >= current) revert ProviderRewards_NotOver(epoch, current);
        Share storage share = _shares[epoch][provider];
        uint128 fees = share.feesWei;
        if (fees == 0) revert ProviderRewards_NoFees(provider, epoch);
        if (share.claimed) revert ProviderRewards_AlreadyClaimed(provider, epoch);
        address to = registry.payoutOf(provider);
        if (to == address(0)) to = provider;
        if (to == address(this) || to == address(market)) revert ProviderRewards_ToContract(to);
        // Effect
        Epoch storage closed = _epochs[epoch];
        amount = _rewardFor(fees, closed.feesWei, closed.budgetWei);
        share.claimed = true;
        closed.claimedFeesWei += fees;
        closed.paidWei += amount.toUint128();
        // What rounding has left goes back with the last claim.
        if (closed.claimedFeesWei == closed.feesWei) _pot += closed.budgetWei - closed.paidWei;
        emit RewardClaimed(provider, epoch, to, amount);
        // Interaction
        if (amount != 0) currency.push(to, amount);
    }

    /// @dev Rounded down, against the provider [wei]; `fees` is not more than `allFees`.
    function _rewardFor(uint256 fees, uint256 allFees, uint256 budget) private pure returns (uint256) {
        // Each has at most 128 bits.
        return (budget * fees) / allFees;
    }

    // ---- Views ----

    /// @inheritdoc IProviderRewards
    function currentEpoch() public view override returns (uint256) {
        return (block.timestamp - startedAt) / epochSeconds;
    }

    /// @inheritdoc IProviderRewards
    function pot() external view override returns (uint256) {
        return _last == currentEpoch() ? _pot : _pot - _budgetFor(_epochs[_last].feesWei);
    }

    /// @inheritdoc IProviderRewards
    function epochOf(uint256 epoch) public view override returns (Epoch memory found) {
        found = _epochs[epoch];
        if (epoch == _last) found.budgetWei = _budgetFor(found.feesWei);
    }

    /// @inheritdoc IProviderRewards
    function rewardOf(
        address provider,
        uint256 epoch
    ) external view override returns (uint256 feesWei, uint256 rewardWei, bool claimed) {
        Share memory share = _shares[epoch][provider];
        if (share.feesWei == 0) return (0, 0, false);
        Epoch memory found = epochOf(epoch);
        return (share.feesWei, _rewardFor(share.feesWei, found.feesWei, found.budgetWei), share.claimed);
    }

    /// @inheritdoc IProviderRewards
    function recordedOf(address provider) external view override returns (uint256 feesWei, uint256 joinedAt) {
        Recorded memory recorded = _recorded[provider];
        return (recorded.feesWei, recorded.joinedAt);
    }
}
