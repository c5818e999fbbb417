// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IEscrow} from "../interfaces/IEscrow.sol";
import {IProviderRegistry} from "../interfaces/IProviderRegistry.sol";
import {Currency} from "../libraries/Currency.sol";
import {Resources} from "../libraries/Resources.sol";

/// @title Providers: who they are, what they offer, what they have at stake; see {IProviderRegistry}.
contract ProviderRegistry is IProviderRegistry, Ownable2Step, ReentrancyGuardTransient {
    using SafeCast for uint256;

    // ---- Types ----

    /// @dev A {Provider} in five words and its metadata, by what is used together: acting for it reads the first
    /// alone, locking its stake the fourth alone.
    struct StoredProvider {
        // Word 0
        address operator;
        uint40 registeredAt;
        uint16 slots;
        // Word 1
        address payout;
        uint96 rateWei;
        // Word 2
        Resources shape;
        // Word 3: `bonded` is the stake without what is unbonding; locked <= bonded.
        uint96 bonded;
        uint96 locked;
        uint40 unbondsAt;
        ProviderStatus status;
        uint16 assigned;
        // Word 4
        uint96 unbonding;
        uint32 declined;
        uint32 abandoned;
        uint32 failed;
        uint32 disputed;
        // Word 5 and those that follow
        string metadata;
    }

    // ---- Constants ----

    uint256 private constant MAX_METADATA = 256;

    // ---- Immutables ----

    /// @inheritdoc IProviderRegistry
    Currency public immutable override currency;
    /// @inheritdoc IProviderRegistry
    uint40 public immutable override unbondingPeriod;

    // ---- Storage ----

    mapping(address account => StoredProvider) private _providers;
    /// @dev In order of registration.
    address[] private _accounts;
    /// @dev What each market has locked of a provider's stake [wei]; their sum is its `locked`.
    mapping(address provider => mapping(address market => uint256)) private _lockedBy;
    /// @inheritdoc IProviderRegistry
    mapping(address market => uint40) public override marketEffectiveAt;
    /// @dev In order of authorisation.
    address[] private _markets;

    constructor(Currency currency_, uint40 unbondingPeriod_, address admin) Ownable(admin) {
        currency_.assertUsable();
        currency = currency_;
        unbondingPeriod = unbondingPeriod_;
    }

    // ---- Registration ----

    /// @inheritdoc IProviderRegistry
    function register(address operator, address payout, Offer calldata offer) external override {
        StoredProvider storage provider = _providers[msg.sender];
        if (provider.status != ProviderStatus.None) revert ProviderRegistry_AlreadyRegistered(msg.sender);
        if (operator == address(0)) revert ProviderRegistry_ZeroAddress("operator");
        if (payout == address(0)) revert ProviderRegistry_ZeroAddress("payout");
        provider.operator = operator;
        provider.registeredAt = block.timestamp.toUint40();
        provider.payout = payout;
        provider.status = ProviderStatus.Active;
        _accounts.push(msg.sender);
        emit ProviderRegistered(msg.sender, operator, payout);
        _setOffer(provider, offer);
    }

    /// @inheritdoc IProviderRegistry
    function updateOffer(Offer calldata offer) external override {
        _setOffer(_registered(msg.sender), offer);
    }

    function _setOffer(StoredProvider storage provider, Offer calldata offer) private {
        offer.shape.assertWellFormed();
        if (offer.slots == 0) revert ProviderRegistry_NoSlots();
        if (offer.rateWei == 0) revert ProviderRegistry_ZeroRate();
        uint256 length = bytes(offer.metadata).length;
        if (length > MAX_METADATA) revert ProviderRegistry_MetadataTooLong(length, MAX_METADATA);
        provider.shape = offer.shape;
        provider.rateWei = offer.rateWei;
        provider.slots = offer.slots;
        provider.metadata = offer.metadata;
        emit OfferUpdated(msg.sender, offer.shape, offer.rateWei, offer.slots, offer.metadata);
    }

    /// @inheritdoc IProviderRegistry
    function setOperator(address operator) external override {
        if (operator == address(0)) revert ProviderRegistry_ZeroAddress("operator");
        _registered(msg.sender).operator = operator;
        emit OperatorChanged(msg.sender, operator);
    }

    /// @inheritdoc IProviderRegistry
    function setPayout(address payout) external override {
        if (payout == address(0)) revert ProviderRegistry_ZeroAddress("payout");
        _registered(msg.sender).payout = payout;
        emit PayoutChanged(msg.sender, payout);
    }

    /// @inheritdoc IProviderRegistry
    function setStatus(ProviderStatus status) external override {
        if (status == ProviderStatus.None) revert ProviderRegistry_InvalidStatus();
        _registered(msg.sender).status = status;
        emit StatusChanged(msg.sender, status);
    }

    // ---- Stake ----

    /// @inheritdoc IProviderRegistry
    function stake(uint256 amount) external payable override nonReentrant {
        if (amount == 0) revert ProviderRegistry_ZeroAmount();
        StoredProvider storage provider = _registered(msg.sender);
        // Interaction: before the effect, since only what arrived counts; the guard holds meanwhile.
        currency.pull(msg.sender, amount);
        // Effect: all the stake fits 96 bits, not each part of it alone.
        provider.bonded =
            (uint256(provider.bonded) + provider.unbonding + amount).toUint96() - provider.unbonding;
        emit Staked(msg.sender, amount);
    }

    /// @inheritdoc IProviderRegistry
    function unstake(uint256 amount) external override {
        if (amount == 0) revert ProviderRegistry_ZeroAmount();
        StoredProvider storage provider = _registered(msg.sender);
        uint256 free = _free(provider);
        if (amount > free) revert ProviderRegistry_InsufficientFreeStake(msg.sender, free, amount);
        uint40 unbondsAt = (block.timestamp + unbondingPeriod).toUint40();
        provider.bonded -= amount.toUint96();
        provider.unbonding += amount.toUint96();
        provider.unbondsAt = unbondsAt;
        emit UnstakeStarted(msg.sender, amount, unbondsAt);
    }

    /// @inheritdoc IProviderRegistry
    function cancelUnstake() external override {
        StoredProvider storage provider = _registered(msg.sender);
        uint96 amount = provider.unbonding;
        if (amount == 0) revert ProviderRegistry_NothingUnbonding(msg.sender);
        provider.unbonding = 0;
        provider.unbondsAt = 0;
        provider.bonded += amount;
        emit UnstakeCancelled(msg.sender, amount);
    }

    /// @inheritdoc IProviderRegistry
    function withdrawStake(address to) external override nonReentrant returns (uint256 amount) {
        // Check
        if (to == address(0)) revert ProviderRegistry_ZeroAddress("to");
        if (to == address(this) || marketEffectiveAt[to] != 0) revert ProviderRegistry_ToContract(to);
        StoredProvider storage provider = _registered(msg.sender);
        amount = provider.unbonding;
        if (amount == 0) revert ProviderRegistry_NothingUnbonding(msg.sender);
        uint40 unbondsAt = provider.unbondsAt;
        if (block.timestamp < unbondsAt) revert ProviderRegistry_StillUnbonding(msg.sender, unbondsAt);
        // Effect
        provider.unbonding = 0;
        provider.unbondsAt = 0;
        emit Unstaked(msg.sender, to, amount);
        // Interaction
        currency.push(to, amount);
    }

    // ---- Markets ----

    /// @inheritdoc IProviderRegistry
    function authorizeMarket(address market) external override onlyOwner {
        if (market == address(0)) revert ProviderRegistry_ZeroAddress("market");
        uint40 known = marketEffectiveAt[market];
        if (known != 0) revert ProviderRegistry_MarketKnown(market, known);
        // Where nobody is registered, nobody's stake has to be able to leave first.
        bool isFirst = _markets.length == 0 || _accounts.length == 0;
        uint40 effectiveAt = (block.timestamp + (isFirst ? 0 : unbondingPeriod)).toUint40();
        _markets.push(market);
        marketEffectiveAt[market] = effectiveAt;
        emit MarketAuthorized(market, effectiveAt);
    }

    /// @inheritdoc IProviderRegistry
    function lock(address account, uint256 amount) external override {
        _lock(account, amount);
    }

    /// @inheritdoc IProviderRegistry
    function assign(address account, Resources need, uint256 amount) external override {
        StoredProvider storage provider = _lock(account, amount);
        if (!need.fits(provider.shape)) revert ProviderRegistry_DoesNotFit(account, need, provider.shape);
        uint16 slots = provider.slots;
        if (provider.assigned >= slots) revert ProviderRegistry_NoFreeSlot(account, slots);
        ++provider.assigned;
    }

    function _lock(address account, uint256 amount) private returns (StoredProvider storage provider) {
        // Check
        if (!_isMarket(msg.sender)) revert ProviderRegistry_NotAMarket(msg.sender);
        provider = _registered(account);
        if (provider.status != ProviderStatus.Active) revert ProviderRegistry_NotActive(account);
        uint256 free = _free(provider);
        if (amount > free) revert ProviderRegistry_InsufficientFreeStake(account, free, amount);
        // Effect
        provider.locked += amount.toUint96();
        _lockedBy[account][msg.sender] += amount;
        emit StakeLocked(account, msg.sender, amount);
    }

    /// @inheritdoc IProviderRegistry
    function release(
        address account,
        uint256 unlocked,
        uint256 slashed,
        Record counted,
        bool assigned
    ) external override nonReentrant {
        // Check: a market that may not lock has nothing to release, and what it says of a provider does not count;
        // but it must not fail, or its owners' money would wait with it.
        StoredProvider storage provider = _providers[account];
        bool known = provider.status != ProviderStatus.None && _isMarket(msg.sender);
        if (unlocked == 0 && slashed == 0 && !known) return;
        uint256 lockedHere = _lockedBy[account][msg.sender];
        if (unlocked > lockedHere)
            revert ProviderRegistry_BeyondLock(account, msg.sender, lockedHere, unlocked);
        if (slashed > unlocked) revert ProviderRegistry_BeyondLock(account, msg.sender, unlocked, slashed);
        // Effect
        if (counted == Record.Declined) ++provider.declined;
        else if (counted == Record.Abandoned) ++provider.abandoned;
        else if (counted == Record.Failed) ++provider.failed;
        else if (counted == Record.Disputed) ++provider.disputed;
        if (counted != Record.None) emit ProviderRecorded(account, msg.sender, counted);
        if (unlocked == 0) return;
        _lockedBy[account][msg.sender] = lockedHere - unlocked;
        provider.locked -= unlocked.toUint96();
        if (assigned) --provider.assigned;
        emit StakeUnlocked(account, msg.sender, unlocked);
        if (slashed == 0) return;
        provider.bonded -= slashed.toUint96();
        emit StakeSlashed(account, msg.sender, slashed);
        // Interaction
        currency.push(msg.sender, slashed);
    }

    function _isMarket(address account) private view returns (bool) {
        uint40 effectiveAt = marketEffectiveAt[account];
        return effectiveAt != 0 && effectiveAt <= block.timestamp;
    }

    // ---- Views ----

    /// @inheritdoc IProviderRegistry
    function operatorOf(address account) external view override returns (address) {
        return _providers[account].operator;
    }

    /// @inheritdoc IProviderRegistry
    function payoutOf(address account) external view override returns (address) {
        return _providers[account].payout;
    }

    /// @inheritdoc IProviderRegistry
    function freeStakeOf(address account) external view override returns (uint256) {
        return _free(_providers[account]);
    }

    /// @inheritdoc IProviderRegistry
    function markets() external view override returns (address[] memory) {
        return _markets;
    }

    /// @inheritdoc IProviderRegistry
    function recordOf(
        address account
    ) external view override returns (uint256 completed, uint256 secondsSold) {
        for (uint256 i = 0; i < _markets.length; ++i) {
            if (!_isMarket(_markets[i])) continue;
            (uint256 tasks, uint256 sold) = IEscrow(_markets[i]).recordOf(account);
            completed += tasks;
            secondsSold += sold;
        }
    }

    /// @inheritdoc IProviderRegistry
    function providerOf(address account) external view override returns (Provider memory) {
        _registered(account);
        return _load(account);
    }

    /// @inheritdoc IProviderRegistry
    function providerCount() external view override returns (uint256) {
        return _accounts.length;
    }

    /// @inheritdoc IProviderRegistry
    function providers(
        uint256 cursor,
        uint256 limit
    ) external view override returns (Provider[] memory page, uint256 next) {
        uint256 end;
        (end, next) = _range(cursor, limit);
        page = new Provider[](end > cursor ? end - cursor : 0);
        for (uint256 i = 0; i < page.length; ++i) page[i] = _load(_accounts[cursor + i]);
    }

    /// @inheritdoc IProviderRegistry
    function eligible(
        Resources need,
        uint256 maxRateWei,
        uint256 minFreeStake,
        uint256 cursor,
        uint256 limit
    ) external view override returns (Provider[] memory page, uint256 next) {
        uint256 end;
        (end, next) = _range(cursor, limit);
        page = new Provider[](end > cursor ? end - cursor : 0);
        uint256 found = 0;
        for (uint256 i = cursor; i < end; ++i) {
            address account = _accounts[i];
            StoredProvider storage provider = _providers[account];
            if (
                provider.status == ProviderStatus.Active &&
                provider.rateWei <= maxRateWei &&
                need.fits(provider.shape) &&
                _free(provider) >= minFreeStake
            ) page[found++] = _load(account);
        }
        // Cuts the array to what was found.
        assembly ("memory-safe") {
            mstore(page, found)
        }
    }

    /// @dev Where a page ends, and where the next begins (0: nowhere).
    function _range(uint256 cursor, uint256 limit) private view returns (uint256 end, uint256 next) {
        uint256 count = _accounts.length;
        end = cursor >= count || limit >= count - cursor ? count : cursor + limit;
        next = end < count ? end : 0;
    }

    function _free(StoredProvider storage provider) private view returns (uint256) {
        return provider.bonded - provider.locked;
    }

    function _load(address account) private view returns (Provider memory) {
        StoredProvider storage provider = _providers[account];
        return
            Provider({
                account: account,
                operator: provider.operator,
                payout: provider.payout,
                status: provider.status,
                registeredAt: provider.registeredAt,
                declined: provider.declined,
                abandoned: provider.abandoned,
                failed: provider.failed,
                disputed: provider.disputed,
                assigned: provider.assigned,
                stake: provider.bonded + provider.unbonding,
                locked: provider.locked,
                unbonding: provider.unbonding,
                unbondsAt: provider.unbondsAt,
                offer: Offer({
                    shape: provider.shape,
                    rateWei: provider.rateWei,
                    slots: provider.slots,
                    metadata: provider.metadata
                })
            });
    }

    function _registered(address account) private view returns (StoredProvider storage provider) {
        provider = _providers[account];
        if (provider.status == ProviderStatus.None) revert ProviderRegistry_NotRegistered(account);
    }
}
