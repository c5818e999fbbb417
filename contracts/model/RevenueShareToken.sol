// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IERC165} from "@openzeppelin/contracts/interfaces/IERC165.sol";
import {IERC7802} from "@openzeppelin/contracts/interfaces/draft-IERC7802.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {ERC20Bridgeable} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC20Bridgeable.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {IERC7641, IERC7641AltRevToken} from "../interfaces/IERC7641.sol";
import {IEscrow} from "../interfaces/IEscrow.sol";
import {IRevenueShareToken} from "../interfaces/IRevenueShareToken.sol";
import {Currency, Currency_WrongValue} from "../libraries/Currency.sol";
import {Holder} from "./Holder.sol";
import {EXCLUDED, Holding, REDIRECTED, REFUSES_CLAIM_FOR, SPOKEN} from "./Holding.sol";

/// @title ERC-7641 with revenue of record, a cumulative index and nothing that expires; see {IRevenueShareToken}.
contract RevenueShareToken is
    IRevenueShareToken,
    ERC20Permit,
    ERC20Bridgeable,
    Ownable2Step,
    ReentrancyGuardTransient
{
    using Math for uint256;

    // ---- Types ----

    /// @dev Revenue in one token. `index` is what one token that took part has earned through a snapshot [2^-106 of the
    /// smallest unit]; it stands where `marks` has the snapshot's bit, and counts modulo 2^256.
    struct Revenue {
        uint256 held;
        uint256 pending;
        uint256 redeemable;
        mapping(uint256 word => uint256) marks;
        mapping(uint256 id => uint256) index;
    }

    // ---- Constants ----

    /// @inheritdoc IRevenueShareToken
    uint256 public constant override MAX_TOKENS = 7;
    uint256 private constant _BPS = 10_000;
    uint8 private constant _INDEX_BITS = 106;
    /// @dev With less than this held, an index step of it for a single token fits a word.
    uint256 private constant _MAX_HELD = 2 ** 150 - 1;
    uint256 private constant _MAX_PERIOD = type(uint16).max;
    /// @dev What a balance has room for.
    uint256 private constant _MAX_CAP = 2 ** 90 - 1;
    /// @dev What a payment may use [gas].
    uint256 private constant _PAYMENT_GAS = 200_000;

    // ---- Immutables ----

    /// @inheritdoc IRevenueShareToken
    uint256 public immutable override periodSeconds;
    /// @dev Number of the grid's period in which this was made.
    uint256 private immutable _firstPeriod;
    /// @inheritdoc IRevenueShareToken
    uint256 public immutable override claimBps;
    /// @inheritdoc IRevenueShareToken
    address public immutable override minter;
    /// @inheritdoc IRevenueShareToken
    uint256 public immutable override mintUntil;
    /// @inheritdoc IRevenueShareToken
    uint256 public immutable override cap;
    /// @inheritdoc IRevenueShareToken
    address public immutable override beneficiary;
    /// @inheritdoc IRevenueShareToken
    address public immutable override bridge;
    /// @dev How many revenue tokens there are, the native coin included.
    uint256 private immutable _tokenCount;

    // ---- Storage ----

    mapping(address account => Holder) private _holders;
    /// @dev Its balance is that of all who take part.
    Holder private _eligible;
    // One word: supply here, all that was minted, the period of what is pending, and of which tokens something is.
    uint104 private _supply;
    uint104 private _minted;
    uint16 private _openPeriod;
    uint8 private _pendingTokens;
    /// @inheritdoc IRevenueShareToken
    uint256 public override away;
    mapping(uint256 token => address) private _tokens;
    mapping(uint256 token => Revenue) private _revenue;
    /// @dev Snapshots that were claimed before an earlier one.
    mapping(address account => mapping(uint256 word => uint256)) private _claimedIds;
    mapping(address account => address) private _recipients;
    mapping(address account => mapping(uint256 token => uint256)) private _credits;

    // ---- Creation ----

    constructor(
        Settings memory settings
    ) ERC20(settings.name, settings.symbol) ERC20Permit(settings.name) Ownable(settings.owner) {
        if (settings.periodSeconds < 1 days || settings.periodSeconds > 366 days) {
            revert RevenueShare_InvalidSetting("periodSeconds");
        }
        if (settings.claimBps > _BPS) revert RevenueShare_InvalidSetting("claimBps");
        if (settings.cap == 0 || settings.cap > _MAX_CAP) revert RevenueShare_InvalidSetting("cap");
        if (settings.beneficiary == address(0) || settings.beneficiary == address(this)) {
            revert RevenueShare_InvalidSetting("beneficiary");
        }
        if (settings.tokens.length > MAX_TOKENS) revert RevenueShare_InvalidSetting("tokens");
        periodSeconds = settings.periodSeconds;
        _firstPeriod = block.timestamp / settings.periodSeconds;
        claimBps = settings.claimBps;
        minter = settings.minter;
        mintUntil = settings.minter == address(0) ? 0 : settings.mintUntil;
        cap = settings.cap;
        beneficiary = settings.beneficiary;
        bridge = settings.bridge;
        _tokenCount = settings.tokens.length + 1;
        for (uint256 i = 0; i < settings.tokens.length; ++i) {
            address token = settings.tokens[i];
            if (token.code.length == 0) revert RevenueShare_InvalidSetting("tokens");
            for (uint256 j = 1; j <= i; ++j) {
                if (_tokens[j] == token) revert RevenueShare_InvalidSetting("tokens");
            }
            _tokens[i + 1] = token;
        }
        for (uint256 i = 0; i < settings.excluded.length; ++i) _exclude(settings.excluded[i], true, false);
        for (uint256 i = 0; i < settings.allocations.length; ++i) {
            _mintNew(settings.allocations[i].account, settings.allocations[i].amount);
        }
    }

    // ---- Minting ----

    /// @inheritdoc IRevenueShareToken
    function mint(address to, uint256 amount) external override {
        if (msg.sender != minter) revert RevenueShare_NotMinter(msg.sender);
        if (block.timestamp > mintUntil) revert RevenueShare_MintingOver(mintUntil);
        _mintNew(to, amount);
    }

    function _mintNew(address to, uint256 amount) private {
        uint256 minted = _minted;
        if (amount > cap - minted) revert RevenueShare_CapExceeded(minted, amount, cap);
        _minted = uint104(minted + amount);
        _mint(to, amount);
    }

    // ---- Balances ----

    /// @dev The one place in which balances change, and with them the shares of record.
    function _update(address from, address to, uint256 value) internal override {
        if (to == address(this)) revert ERC20InvalidReceiver(to);
        uint256 period = _period();
        bool leaves;
        bool arrives;
        if (from != address(0)) {
            Holder storage holder = _holders[from];
            Holding word = holder.word;
            uint256 balance = word.balance();
            if (balance < value) revert ERC20InsufficientBalance(from, balance, value);
            if (from == to || value == 0) {
                emit Transfer(from, to, value);
                return;
            }
            unchecked {
                holder.change(word, word.withBalance(balance - value), period);
            }
            leaves = !word.has(EXCLUDED);
        } else {
            _supply = uint104(_supply + value);
        }
        if (to != address(0)) {
            Holder storage holder = _holders[to];
            Holding word = holder.word;
            unchecked {
                // All balances together are at most the cap.
                holder.change(word, word.withBalance(word.balance() + value), period);
            }
            arrives = !word.has(EXCLUDED);
        } else {
            _supply = uint104(_supply - value);
        }
        if (leaves != arrives) _changeEligible(value, arrives, period);
        emit Transfer(from, to, value);
    }

    function _changeEligible(uint256 value, bool more, uint256 period) private {
        Holding word = _eligible.word;
        uint256 balance = word.balance();
        _eligible.change(word, word.withBalance(more ? balance + value : balance - value), period);
    }

    /// @inheritdoc IERC20
    function balanceOf(address account) public view override(ERC20, IERC20) returns (uint256) {
        return _holders[account].word.balance();
    }

    /// @inheritdoc IERC20
    function totalSupply() public view override(ERC20, IERC20) returns (uint256) {
        return _supply;
    }

    // ---- Who takes part ----

    /// @inheritdoc IRevenueShareToken
    function setSharing(bool shares) external override {
        _exclude(msg.sender, !shares, true);
    }

    /// @inheritdoc IRevenueShareToken
    function setExcluded(address account, bool excluded) external override onlyOwner {
        if (!_isContract(account)) revert RevenueShare_NotContract(account);
        if (_holders[account].word.has(SPOKEN)) revert RevenueShare_Spoken(account);
        _exclude(account, excluded, false);
    }

    function _exclude(address account, bool excluded, bool bySelf) private {
        Holder storage holder = _holders[account];
        Holding word = holder.word;
        uint256 period = _period();
        bool changes = word.has(EXCLUDED) != excluded;
        if (!changes && (!bySelf || word.has(SPOKEN))) return;
        holder.change(word, word.with(EXCLUDED, excluded).with(SPOKEN, bySelf), period);
        uint256 balance = word.balance();
        if (changes && balance != 0) _changeEligible(balance, !excluded, period);
        emit SharingSet(account, !excluded, bySelf, period);
    }

    /// @dev An account with a delegation (EIP-7702) is a person's.
    function _isContract(address account) private view returns (bool) {
        bytes memory code = account.code;
        return code.length != 0 && !(code.length == 23 && bytes3(code) == 0xef0100);
    }

    // ---- Revenue ----

    /// @dev Counted afterwards: whoever sends coins may have no gas for it.
    receive() external payable {}

    /// @inheritdoc IRevenueShareToken
    function deposit(
        address token,
        uint256 amount
    ) external payable override nonReentrant returns (uint256 received) {
        uint256 number = _numberOf(token);
        if (token == address(0)) {
            Currency.wrap(token).pull(msg.sender, amount);
        } else {
            if (msg.value != 0) revert Currency_WrongValue(msg.value, 0);
            SafeERC20.safeTransferFrom(IERC20(token), msg.sender, address(this), amount);
        }
        return _count(number);
    }

    /// @inheritdoc IRevenueShareToken
    function sync(address token) external override nonReentrant returns (uint256 received) {
        return _count(_numberOf(token));
    }

    /// @inheritdoc IRevenueShareToken
    function collect(IEscrow market) external override nonReentrant returns (uint256 received) {
        uint256 number = _numberOf(Currency.unwrap(market.currency()));
        market.withdraw(market.balanceOf(address(this)));
        return _count(number);
    }

    /// @dev Counts all that is here of a token and is not counted yet.
    function _count(uint256 number) private returns (uint256 amount) {
        _close();
        Revenue storage revenue = _revenue[number];
        address token = _tokenOf(number);
        uint256 held = revenue.held;
        uint256 balance =
            token == address(0) ? address(this).balance : IERC20(token).balanceOf(address(this));
        if (balance <= held) return 0;
        if (balance > _MAX_HELD) revert RevenueShare_TooMuch(token, balance);
        amount = balance - held;
        uint256 period = _period();
        revenue.held = balance;
        revenue.pending += amount;
        _openPeriod = uint16(period);
        _pendingTokens |= uint8(1 << number);
        emit RevenueReceived(token, msg.sender, amount, period);
    }

    // ---- Snapshots ----

    /// @inheritdoc IERC7641
    function snapshot() external override nonReentrant returns (uint256) {
        _count(0);
        return lastSnapshot();
    }

    /// @dev Divides what is pending of a period that is over.
    function _close() private {
        uint256 open = _openPeriod;
        uint256 pendingTokens = _pendingTokens;
        uint256 period = _period();
        if (pendingTokens == 0 || open >= period) return;
        _pendingTokens = 0;
        Holding word = _eligible.word;
        uint256 eligible = _eligible.sharesAt(word, open);
        // Nothing is left that was before this period; what comes in from now on is of this one or a later one.
        _eligible.word = word.settle(period);
        bool redeemed = redemptionSupply() == 0;
        for (uint256 number = 0; number < _tokenCount; ++number) {
            if (pendingTokens & (1 << number) != 0) _divide(number, open + 1, eligible, redeemed);
        }
    }

    /// @dev Divides the pending revenue of one token as snapshot `id`; `redeemed`: nobody is left to redeem.
    function _divide(uint256 number, uint256 id, uint256 eligible, bool redeemed) private {
        Revenue storage revenue = _revenue[number];
        uint256 amount = revenue.pending;
        (uint256 step, uint256 claimable, uint256 redeemable) = _division(amount, eligible);
        revenue.pending = 0;
        if (step != 0) {
            unchecked {
                revenue.index[id] = _storedIndex(revenue, id) + step;
            }
            revenue.marks[id >> 8] |= 1 << (id & 255);
        }
        uint256 left = amount - claimable - redeemable;
        if (redeemed) {
            left += redeemable + revenue.redeemable;
            redeemable = 0;
            revenue.redeemable = 0;
        } else if (redeemable != 0) {
            revenue.redeemable += redeemable;
        }
        emit SnapshotTaken(id, _tokenOf(number), amount, claimable, redeemable, eligible);
        if (left != 0) _credit(beneficiary, number, left);
    }

    /// @dev How `amount` of a period is divided: the step of the index, what it hands out, and what is redeemable.
    function _division(
        uint256 amount,
        uint256 eligible
    ) private view returns (uint256 step, uint256 claimable, uint256 redeemable) {
        uint256 part = amount.mulDiv(claimBps, _BPS);
        redeemable = amount - part;
        if (eligible != 0) {
            // Up, so that what divides evenly is claimed to the last unit. All periods there can be exceed their parts by less
            // than one unit together, 65,535 times 2^90 / 2^106, which claims, rounded down, never reach.
            step = (part << _INDEX_BITS).ceilDiv(eligible);
            claimable = part;
        }
    }

    /// @dev The newest index of snapshot `id` or one before it.
    function _storedIndex(Revenue storage revenue, uint256 id) private view returns (uint256) {
        uint256 word = id >> 8;
        uint256 marks = revenue.marks[word] & (type(uint256).max >> (255 - (id & 255)));
        while (marks == 0) {
            if (word == 0) return 0;
            marks = revenue.marks[--word];
        }
        return revenue.index[(word << 8) | marks.log2()];
    }

    /// @dev {_storedIndex}, as it is once what is pending is divided.
    function _indexThrough(uint256 number, uint256 id) private view returns (uint256 index) {
        Revenue storage revenue = _revenue[number];
        index = _storedIndex(revenue, id);
        if (_pendingTokens & (1 << number) == 0) return index;
        uint256 open = _openPeriod;
        if (id <= open || open >= _period()) return index;
        (uint256 step, , ) = _division(revenue.pending, _eligible.sharesAt(_eligible.word, open));
        unchecked {
            index += step;
        }
    }

    // ---- Claims ----

    /// @inheritdoc IERC7641
    function claim(uint256 snapshotId) external override nonReentrant {
        _close();
        bytes memory problem = _problemOf(msg.sender, snapshotId);
        if (problem.length != 0) {
            assembly ("memory-safe") {
                revert(add(problem, 0x20), mload(problem))
            }
        }
        _claim(msg.sender, snapshotId);
    }

    /// @inheritdoc IRevenueShareToken
    function claimBatch(uint256[] calldata ids) external override nonReentrant {
        _close();
        for (uint256 i = 0; i < ids.length; ++i) {
            bytes memory problem = _problemOf(msg.sender, ids[i]);
            if (problem.length == 0) _claim(msg.sender, ids[i]);
            else emit ClaimSkipped(msg.sender, ids[i], problem);
        }
    }

    /// @inheritdoc IRevenueShareToken
    function claimAll() external override nonReentrant {
        _close();
        _claimThrough(msg.sender, lastSnapshot());
    }

    /// @inheritdoc IRevenueShareToken
    function claimThrough(uint256 id) external override nonReentrant {
        uint256 last = lastSnapshot();
        if (id > last) revert RevenueShare_NoSnapshot(id, last);
        _close();
        _claimThrough(msg.sender, id);
    }

    /// @inheritdoc IRevenueShareToken
    function claimFor(address account) external override nonReentrant {
        if (_holders[account].word.has(REFUSES_CLAIM_FOR)) revert RevenueShare_ClaimForRefused(account);
        _close();
        _claimThrough(account, lastSnapshot());
    }

    /// @inheritdoc IRevenueShareToken
    function claimForBatch(address[] calldata accounts) external override nonReentrant {
        _close();
        uint256 last = lastSnapshot();
        for (uint256 i = 0; i < accounts.length; ++i) {
            address account = accounts[i];
            if (_holders[account].word.has(REFUSES_CLAIM_FOR)) {
                emit ClaimSkipped(
                    account,
                    last,
                    abi.encodeWithSelector(RevenueShare_ClaimForRefused.selector, account)
                );
            } else {
                _claimThrough(account, last);
            }
        }
    }

    /// @dev Why snapshot `id` cannot be claimed: an error, or nothing.
    function _problemOf(address account, uint256 id) private view returns (bytes memory problem) {
        uint256 last = lastSnapshot();
        if (id == 0 || id > last) return abi.encodeWithSelector(RevenueShare_NoSnapshot.selector, id, last);
        if (isClaimed(account, id)) {
            return abi.encodeWithSelector(RevenueShare_AlreadyClaimed.selector, account, id);
        }
    }

    function _claim(address account, uint256 id) private {
        Holder storage holder = _holders[account];
        Holding word = holder.word;
        uint256[] memory amounts = new uint256[](_tokenCount);
        for (uint256 number = 0; number < amounts.length; ++number) {
            amounts[number] = _earnedOf(holder, word, number, id - 1, id);
        }
        if (id == word.settled() + 1) holder.word = word.settle(id);
        else _claimedIds[account][id >> 8] |= 1 << (id & 255);
        _payClaims(account, word, id, id, amounts);
    }

    function _claimThrough(address account, uint256 id) private {
        Holder storage holder = _holders[account];
        Holding word = holder.word;
        uint256 settled = word.settled();
        if (id <= settled) return;
        uint256[] memory amounts = _claimableThrough(account, id);
        holder.word = word.settle(id);
        _payClaims(account, word, settled + 1, id, amounts);
    }

    function _payClaims(
        address account,
        Holding word,
        uint256 fromId,
        uint256 throughId,
        uint256[] memory amounts
    ) private {
        address recipient = _recipientOf(account, word);
        bool isPaid;
        // Effects
        for (uint256 number = 0; number < amounts.length; ++number) {
            uint256 amount = amounts[number];
            if (amount == 0) continue;
            isPaid = true;
            _revenue[number].held -= amount;
            emit Claimed(account, _tokenOf(number), fromId, throughId, amount, recipient);
        }
        // What it rounded down is gone: whoever recomputes claims has to know of this one too.
        if (!isPaid) emit Claimed(account, address(0), fromId, throughId, 0, recipient);
        // Interactions
        _payAll(recipient, amounts);
    }

    function _recipientOf(address account, Holding word) private view returns (address) {
        return word.has(REDIRECTED) ? _recipients[account] : account;
    }

    /// @dev What `account` has not claimed of the snapshots through `throughId`, token by token.
    function _claimableThrough(
        address account,
        uint256 throughId
    ) private view returns (uint256[] memory amounts) {
        Holder storage holder = _holders[account];
        Holding word = holder.word;
        uint256 settled = word.settled();
        amounts = new uint256[](_tokenCount);
        if (throughId <= settled) return amounts;
        for (uint256 number = 0; number < amounts.length; ++number) {
            uint256 earned = _earnedOf(holder, word, number, settled, throughId);
            if (earned == 0) continue;
            // Saturating: of a token that lies, and of a single share, the index may have gone round a word.
            amounts[number] = earned.saturatingSub(_claimedOf(account, number, settled, throughId));
        }
    }

    /// @dev What the holder has earned in the snapshots after `fromId` through `throughId`, claimed or not.
    function _earnedOf(
        Holder storage holder,
        Holding word,
        uint256 number,
        uint256 fromId,
        uint256 throughId
    ) private view returns (uint256 amount) {
        uint256 lower = _indexThrough(number, fromId);
        uint256 upper = _indexThrough(number, throughId);
        if (upper == lower) return 0;
        // From the newest shares of record backwards. Snapshot n is of period n - 1: ids after `since` are of `shares`.
        (uint256 since, uint256 shares) = (word.since(), word.shares());
        uint256 earlier = word.kept() + 1;
        while (true) {
            if (since < throughId) {
                uint256 from = since.max(fromId);
                uint256 index = from == fromId ? lower : _indexThrough(number, from);
                amount += _earned(shares, index, upper);
                (upper, throughId) = (index, from);
            }
            if (since <= fromId || earlier == 0) return amount;
            --earlier;
            (since, shares) = earlier == word.kept()
                ? (word.previousSince(), word.previous())
                : holder.record(earlier);
        }
    }

    /// @dev What `account` got for the snapshots after `fromId` through `throughId` that it claimed before earlier ones.
    function _claimedOf(
        address account,
        uint256 number,
        uint256 fromId,
        uint256 throughId
    ) private view returns (uint256 amount) {
        Holder storage holder = _holders[account];
        Holding word = holder.word;
        for (uint256 i = (fromId + 1) >> 8; i <= throughId >> 8; ++i) {
            uint256 ids = _claimedIds[account][i];
            while (ids != 0) {
                uint256 bit = ids.log2();
                ids ^= 1 << bit;
                uint256 id = (i << 8) | bit;
                if (id > fromId && id <= throughId) amount += _earnedOf(holder, word, number, id - 1, id);
            }
        }
    }

    /// @dev What `shares` earned between two values of the index, rounded down.
    function _earned(uint256 shares, uint256 lower, uint256 upper) private pure returns (uint256) {
        unchecked {
            // The index counts modulo 2^256.
            return (upper - lower).mulShr(shares, _INDEX_BITS);
        }
    }

    /// @inheritdoc IRevenueShareToken
    function refuseClaimFor(bool refused) external override {
        Holder storage holder = _holders[msg.sender];
        holder.word = holder.word.with(REFUSES_CLAIM_FOR, refused);
        emit ClaimForRefused(msg.sender, refused);
    }

    /// @inheritdoc IRevenueShareToken
    function setRecipient(address recipient) external override {
        if (recipient == address(this)) revert RevenueShare_InvalidRecipient(recipient);
        Holder storage holder = _holders[msg.sender];
        holder.word = holder.word.with(REDIRECTED, recipient != address(0));
        _recipients[msg.sender] = recipient;
        emit RecipientSet(msg.sender, recipient == address(0) ? msg.sender : recipient);
    }

    // ---- Burning ----

    /// @inheritdoc IERC7641
    function burn(uint256 amount) external override nonReentrant {
        _close();
        uint256 supply = redemptionSupply();
        // Effects
        _burn(msg.sender, amount);
        uint256[] memory amounts = new uint256[](_tokenCount);
        for (uint256 number = 0; number < amounts.length; ++number) {
            Revenue storage revenue = _revenue[number];
            uint256 redeemable = revenue.redeemable;
            if (redeemable == 0 || amount == 0) continue;
            uint256 part = redeemable.mulDiv(amount, supply);
            amounts[number] = part;
            revenue.redeemable = redeemable - part;
            revenue.held -= part;
            emit Redeemed(msg.sender, _tokenOf(number), amount, part);
        }
        // Interactions
        _payAll(_recipientOf(msg.sender, _holders[msg.sender].word), amounts);
    }

    // ---- Payments ----

    /// @dev Amounts that are no longer held.
    function _payAll(address to, uint256[] memory amounts) private {
        for (uint256 number = 0; number < amounts.length; ++number) {
            uint256 amount = amounts[number];
            if (amount == 0 || Currency.wrap(_tokenOf(number)).tryPush(to, amount, _PAYMENT_GAS)) continue;
            _revenue[number].held += amount;
            _credit(to, number, amount);
        }
    }

    function _credit(address account, uint256 number, uint256 amount) private {
        _credits[account][number] += amount;
        emit Credited(account, _tokenOf(number), amount);
    }

    /// @inheritdoc IRevenueShareToken
    function withdrawCredit(address token, address to) external override nonReentrant {
        if (to == address(0) || to == address(this)) revert RevenueShare_InvalidRecipient(to);
        uint256 number = _numberOf(token);
        uint256 amount = _credits[msg.sender][number];
        if (amount == 0) revert RevenueShare_NothingCredited(msg.sender, token);
        // Effects
        delete _credits[msg.sender][number];
        _revenue[number].held -= amount;
        emit CreditWithdrawn(msg.sender, token, amount, to);
        // Interaction
        Currency.wrap(token).push(to, amount);
    }

    // ---- Bridge ----

    /// @notice Brings back what is away. It earned nothing meanwhile. The bridge.
    function crosschainMint(
        address to,
        uint256 value
    ) public override(ERC20Bridgeable, IERC7802) onlyTokenBridge {
        if (value > away) revert RevenueShare_NotAway(away, value);
        away -= value;
        super.crosschainMint(to, value);
    }

    /// @notice Takes away what `from` has approved. It is paid nothing for it. The bridge.
    function crosschainBurn(
        address from,
        uint256 value
    ) public override(ERC20Bridgeable, IERC7802) onlyTokenBridge {
        _spendAllowance(from, msg.sender, value);
        away += value;
        super.crosschainBurn(from, value);
    }

    function _checkTokenBridge(address caller) internal view override {
        if (caller != bridge || caller == address(0)) revert RevenueShare_NotBridge(caller);
    }

    // ---- Views ----

    /// @inheritdoc IERC7641
    function claimableRevenue(address account, uint256 snapshotId) external view override returns (uint256) {
        return _claimableIn(account, snapshotId, 0);
    }

    /// @inheritdoc IERC7641AltRevToken
    function claimableERC20(
        address account,
        uint256 snapshotId,
        address token
    ) external view override returns (uint256) {
        (bool known, uint256 number) = _find(token);
        return known && token != address(0) ? _claimableIn(account, snapshotId, number) : 0;
    }

    function _claimableIn(address account, uint256 id, uint256 number) private view returns (uint256) {
        if (_problemOf(account, id).length != 0) return 0;
        Holder storage holder = _holders[account];
        return _earnedOf(holder, holder.word, number, id - 1, id);
    }

    /// @inheritdoc IERC7641
    function redeemableOnBurn(uint256 amount) external view override returns (uint256) {
        return _redeemableOf(amount, 0);
    }

    /// @inheritdoc IERC7641AltRevToken
    function redeemableERC20OnBurn(uint256 amount, address token) external view override returns (uint256) {
        (bool known, uint256 number) = _find(token);
        return known && token != address(0) ? _redeemableOf(amount, number) : 0;
    }

    /// @dev More than there is redeems no more than all.
    function _redeemableOf(uint256 amount, uint256 number) private view returns (uint256) {
        uint256 supply = redemptionSupply();
        return supply == 0 ? 0 : _fundsOf(number).redeemable.mulDiv(amount.min(totalSupply()), supply);
    }

    /// @inheritdoc IRevenueShareToken
    function redemptionSupply() public view override returns (uint256) {
        return _supply + away + (block.timestamp > mintUntil ? 0 : cap - _minted);
    }

    /// @inheritdoc IRevenueShareToken
    function eligibleSupply() external view override returns (uint256) {
        return _eligible.word.balance();
    }

    /// @inheritdoc IRevenueShareToken
    function lastSnapshot() public view override returns (uint256) {
        return _period();
    }

    /// @inheritdoc IRevenueShareToken
    function endOf(uint256 id) external view override returns (uint256) {
        return (_firstPeriod + id) * periodSeconds;
    }

    /// @dev Number of the present period; the one in which this was made has 0. The last one does not end.
    function _period() private view returns (uint256) {
        unchecked {
            return (block.timestamp / periodSeconds - _firstPeriod).min(_MAX_PERIOD);
        }
    }

    /// @inheritdoc IRevenueShareToken
    function tokens() external view override returns (address[] memory list) {
        list = new address[](_tokenCount);
        for (uint256 number = 1; number < list.length; ++number) list[number] = _tokens[number];
    }

    /// @dev The first one is the native coin, which stands nowhere.
    function _tokenOf(uint256 number) private view returns (address) {
        return number == 0 ? address(0) : _tokens[number];
    }

    function _numberOf(address token) private view returns (uint256) {
        (bool known, uint256 number) = _find(token);
        if (!known) revert RevenueShare_UnknownToken(token);
        return number;
    }

    function _find(address token) private view returns (bool known, uint256 number) {
        for (number = 0; number < _tokenCount; ++number) {
            if (_tokenOf(number) == token) return (true, number);
        }
    }

    /// @inheritdoc IRevenueShareToken
    function fundsOf(address token) external view override returns (Funds memory) {
        return _fundsOf(_numberOf(token));
    }

    /// @dev As they are once what is pending is divided.
    function _fundsOf(uint256 number) private view returns (Funds memory funds) {
        Revenue storage revenue = _revenue[number];
        funds = Funds({held: revenue.held, pending: revenue.pending, redeemable: revenue.redeemable});
        uint256 open = _openPeriod;
        if (funds.pending == 0 || open >= _period()) return funds;
        (, , uint256 redeemable) = _division(funds.pending, _eligible.sharesAt(_eligible.word, open));
        funds.pending = 0;
        funds.redeemable = redemptionSupply() == 0 ? 0 : funds.redeemable + redeemable;
    }

    /// @inheritdoc IRevenueShareToken
    function positionOf(address account) external view override returns (Position memory position) {
        Holding word = _holders[account].word;
        position.balance = word.balance();
        position.excluded = word.has(EXCLUDED);
        position.spoken = word.has(SPOKEN);
        position.refusesClaimFor = word.has(REFUSES_CLAIM_FOR);
        position.recipient = _recipientOf(account, word);
        position.claimedThrough = word.settled();
        position.claimable = _claimableThrough(account, lastSnapshot());
        position.redeemable = new uint256[](_tokenCount);
        position.credit = new uint256[](_tokenCount);
        for (uint256 number = 0; number < _tokenCount; ++number) {
            position.redeemable[number] = _redeemableOf(position.balance, number);
            position.credit[number] = _credits[account][number];
        }
    }

    /// @inheritdoc IRevenueShareToken
    function sharesOfRecord(address account, uint256 id) external view override returns (uint256) {
        if (_problemOf(account, id).length != 0) return 0;
        return _holders[account].sharesAt(_holders[account].word, id - 1);
    }

    /// @inheritdoc IRevenueShareToken
    function isClaimed(address account, uint256 id) public view override returns (bool) {
        return
            id != 0 &&
            (id <= _holders[account].word.settled() ||
                _claimedIds[account][id >> 8] & (1 << (id & 255)) != 0);
    }

    /// @inheritdoc IRevenueShareToken
    function creditOf(address account, address token) external view override returns (uint256) {
        return _credits[account][_numberOf(token)];
    }

    /// @inheritdoc IERC20Permit
    function nonces(address owner) public view override(ERC20Permit, IERC20Permit) returns (uint256) {
        return super.nonces(owner);
    }

    /// @inheritdoc IERC165
    function supportsInterface(bytes4 id) public view override(ERC20Bridgeable, IERC165) returns (bool) {
        return
            id == type(IERC7641).interfaceId ||
            id == type(IERC7641AltRevToken).interfaceId ||
            id == type(IERC20).interfaceId ||
            id == type(IERC20Metadata).interfaceId ||
            id == type(IERC20Permit).interfaceId ||
            super.supportsInterface(id);
    }
}
