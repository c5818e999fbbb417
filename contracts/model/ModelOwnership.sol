// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IVotes} from "@openzeppelin/contracts/governance/utils/IVotes.sol";
import {Votes} from "@openzeppelin/contracts/governance/utils/Votes.sol";
import {IERC165} from "@openzeppelin/contracts/interfaces/IERC165.sol";
import {IERC6372} from "@openzeppelin/contracts/interfaces/IERC6372.sol";
import {IERC721Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {IERC721Receiver} from "@openzeppelin/contracts/token/ERC721/IERC721Receiver.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Time} from "@openzeppelin/contracts/utils/types/Time.sol";

import {IERC404, IERC404_ID, IERC404Extras} from "../interfaces/IERC404.sol";
import {IERC7631Base, IERC7631BaseNFTSkippable} from "../interfaces/IERC7631.sol";
import {IModelDeeds} from "../interfaces/IModelDeeds.sol";
import {IModelOwnership} from "../interfaces/IModelOwnership.sol";
import {DeedBook, DeedCounts, MAX_DEED} from "./DeedBook.sol";
import {DECLARED, DELEGATED, DeedHolder, EXEMPT, PERSON, SPOKEN} from "./DeedHolder.sol";
import {ModelDeeds} from "./ModelDeeds.sol";

/// @title Base of an ERC-7631 pair with deeds in packed words, votes, and the ERC-404 facade; see {IModelOwnership}.
contract ModelOwnership is IModelOwnership, IERC165, IERC721Errors, ERC20Permit, Votes, Ownable2Step {
    using Math for uint256;

    // ---- Types ----

    /// @dev Why a deed is not moved or approved.
    enum Refusal {
        None,
        NoOwner,
        OtherOwner,
        NotAllowed,
        Receiver
    }

    // ---- Constants ----

    /// @inheritdoc IERC404Extras
    uint256 public constant override ID_ENCODING_PREFIX = 1 << 255;
    /// @inheritdoc IModelOwnership
    uint256 public constant override AUTO_DEEDS = 128;
    uint256 private constant _MAX_LICENCE_BYTES = 128;

    // ---- Immutables ----

    IModelDeeds private immutable _mirror;
    /// @inheritdoc IERC404Extras
    uint256 public immutable override units;
    /// @inheritdoc IModelOwnership
    uint256 public immutable override cap;
    /// @inheritdoc IModelOwnership
    address public immutable override minter;
    /// @inheritdoc IModelOwnership
    uint256 public immutable override mintUntil;
    /// @dev When this was made [s]: the supply's history counts from it.
    uint256 private immutable _madeAt;

    // ---- Storage ----

    /// @inheritdoc IModelOwnership
    string public override licence;
    mapping(address account => DeedHolder) private _holders;
    /// @inheritdoc IERC404
    mapping(address account => mapping(address operator => bool)) public override isApprovedForAll;
    /// @dev The supply after each minting (low 96 bits) and when it was [s since this was made]: two in a word.
    mapping(uint256 index => uint256 pair) private _supplies;
    DeedBook private _book;

    // ---- Creation ----

    constructor(
        Settings memory settings
    ) ERC20(settings.name, settings.symbol) ERC20Permit(settings.name) Ownable(settings.owner) {
        if (settings.unit == 0) revert ModelOwnership_InvalidSetting("unit");
        if (settings.cap == 0 || settings.cap > type(uint96).max || settings.cap / settings.unit > MAX_DEED)
            revert ModelOwnership_InvalidSetting("cap");
        if (bytes(settings.licence).length > _MAX_LICENCE_BYTES)
            revert ModelOwnership_InvalidSetting("licence");
        if (address(settings.metadata).code.length == 0) revert ModelOwnership_InvalidSetting("metadata");
        if (settings.mintUntil > block.timestamp + type(uint32).max) {
            revert ModelOwnership_InvalidSetting("mintUntil");
        }
        units = settings.unit;
        cap = settings.cap;
        minter = settings.minter;
        mintUntil = settings.minter == address(0) ? 0 : settings.mintUntil;
        licence = settings.licence;
        _madeAt = block.timestamp;
        _mirror = new ModelDeeds(settings.metadata);
        for (uint256 i = 0; i < settings.allocations.length; ++i) {
            _mintNew(settings.allocations[i].account, settings.allocations[i].amount);
        }
    }

    // ---- Making ----

    /// @inheritdoc IModelOwnership
    function mint(address to, uint256 amount) external override {
        if (msg.sender != minter) revert ModelOwnership_NotMinter(msg.sender);
        if (block.timestamp > mintUntil) revert ModelOwnership_MintingOver(mintUntil);
        _mintNew(to, amount);
    }

    function _mintNew(address to, uint256 amount) private {
        uint256 supply = totalSupply();
        if (amount > cap - supply) revert ModelOwnership_CapExceeded(supply, amount, cap);
        _mint(to, amount);
    }

    // ---- Balances ----

    /// @dev The one place in which balances change by amounts, and with them deeds and votes.
    function _update(address from, address to, uint256 value) internal override {
        if (_isPair(to)) revert ERC20InvalidReceiver(to);
        DeedHolder giver;
        if (from != address(0)) {
            giver = _holders[from];
            uint256 balance = giver.balance();
            if (balance < value) revert ERC20InsufficientBalance(from, balance, value);
            unchecked {
                giver = giver.withBalance(balance - value);
            }
        }
        emit Transfer(from, to, value);
        if (value == 0 || from == to) return;
        DeedHolder taker = _holders[to];
        uint256 held = taker.balance();
        unchecked {
            // All balances together are at most the cap.
            taker = taker.withBalance(held + value);
        }
        uint256 gained = _unitsGained(taker, held);
        if (gained != 0) (taker, gained) = _wanted(to, taker, gained);
        uint256 lost = _uncovered(giver);
        if (from == address(0) || gained | lost != 0) {
            DeedCounts memory counts = _book.load();
            if (from == address(0)) _countSupply(counts, value);
            (giver, taker) = _moveDeeds(counts, from, giver, lost, to, taker, gained);
            _book.store(counts);
        }
        if (from != address(0)) _holders[from] = giver;
        _holders[to] = taker;
        _moveVotes(from, giver, to, taker, value);
    }

    /// @dev Whole units that `holder` has more than before, when its balance was `held`. Deeds of it that were not covered
    /// are covered first.
    function _unitsGained(DeedHolder holder, uint256 held) private view returns (uint256) {
        return (holder.balance() / units).saturatingSub(holder.deeds().max(held / units));
    }

    /// @dev How many of `count` deeds an account takes without being asked: all or none.
    function _wanted(
        address account,
        DeedHolder holder,
        uint256 count
    ) private view returns (DeedHolder, uint256) {
        if (_isExempt(account, holder)) return (holder, 0);
        return (holder.has(DECLARED) ? holder : holder.with(PERSON, true), count);
    }

    /// @dev Deeds of `holder` that its balance does not cover.
    function _uncovered(DeedHolder holder) private view returns (uint256) {
        uint256 deeds = holder.deeds();
        return deeds == 0 ? 0 : deeds.saturatingSub(holder.balance() / units);
    }

    /// @dev Deeds that `holder` owns: the first so many on its stack.
    function _covered(DeedHolder holder) private view returns (uint256) {
        return holder.deeds().min(holder.balance() / units);
    }

    /// @dev `lost` deeds go and `gained` ones come, from hand to hand as far as they can. The mirror calls nobody.
    function _moveDeeds(
        DeedCounts memory counts,
        address from,
        DeedHolder giver,
        uint256 lost,
        address to,
        DeedHolder taker,
        uint256 gained
    ) private returns (DeedHolder, DeedHolder) {
        if (gained != 0) {
            taker = _book.enrol(counts, to, taker);
            if (taker.number() == 0) gained = 0;
        }
        uint256[] memory ids;
        uint256 handed = lost.min(gained).min(AUTO_DEEDS);
        if (handed != 0) {
            (giver, taker, ids) = _book.hand(from, giver, to, taker, handed);
            _mirror.logTransfers(from, to, ids);
        }
        lost = (lost - handed).min(AUTO_DEEDS - handed);
        gained = (gained - handed).min(AUTO_DEEDS - handed);
        if (lost != 0) giver = _retire(counts, from, giver, lost);
        if (gained != 0) (taker, ) = _issue(counts, to, taker, gained);
        return (giver, taker);
    }

    function _retire(
        DeedCounts memory counts,
        address from,
        DeedHolder giver,
        uint256 count
    ) private returns (DeedHolder) {
        uint256[] memory ids;
        (giver, ids) = _book.retire(counts, from, giver, count);
        _mirror.logTransfers(from, address(0), ids);
        return giver;
    }

    /// @dev As many as there are: ids of deeds that are not covered are not free before they are released.
    function _issue(
        DeedCounts memory counts,
        address to,
        DeedHolder taker,
        uint256 count
    ) private returns (DeedHolder, uint256) {
        count = count.min(counts.queued + cap / units - counts.minted);
        if (count == 0) return (taker, 0);
        uint256[] memory ids;
        (taker, ids) = _book.issue(counts, to, taker, count);
        _mirror.logTransfers(address(0), to, ids);
        return (taker, count);
    }

    function _isPair(address account) private view returns (bool) {
        return account == address(this) || account == address(_mirror);
    }

    // ---- Deeds by number ----

    /// @inheritdoc IModelOwnership
    function transferDeed(
        address operator,
        address from,
        address to,
        uint256 id
    ) external override onlyMirror {
        (Refusal refusal, address account) = _transferDeed(operator, from, to, id);
        if (refusal == Refusal.None) return;
        if (refusal == Refusal.Receiver) revert ERC721InvalidReceiver(to);
        if (refusal == Refusal.NoOwner) revert ERC721NonexistentToken(id);
        if (refusal == Refusal.OtherOwner) revert ERC721IncorrectOwner(from, id, account);
        revert ERC721InsufficientApproval(operator, id);
    }

    /// @inheritdoc IModelOwnership
    function approveDeed(
        address operator,
        address spender,
        uint256 id
    ) external override onlyMirror returns (address account) {
        Refusal refusal;
        (refusal, account) = _approveDeed(operator, spender, id);
        if (refusal == Refusal.NoOwner) revert ERC721NonexistentToken(id);
        if (refusal == Refusal.NotAllowed) revert ERC721InvalidApprover(operator);
    }

    /// @inheritdoc IModelOwnership
    function approveOperator(address account, address operator, bool approved) external override onlyMirror {
        isApprovedForAll[account][operator] = approved;
    }

    modifier onlyMirror() {
        if (msg.sender != address(_mirror)) revert ModelOwnership_NotMirror(msg.sender);
        _;
    }

    /// @dev A deed with its unit. Whoever called logs the deed.
    function _transferDeed(
        address operator,
        address from,
        address to,
        uint256 id
    ) private returns (Refusal refusal, address account) {
        uint256 place;
        DeedHolder giver;
        (account, place, giver) = _ownerOf(id);
        if (account == address(0)) return (Refusal.NoOwner, account);
        if (account != from) return (Refusal.OtherOwner, account);
        if (operator != from && !isApprovedForAll[from][operator] && _book.approvedFor(id) != operator) {
            return (Refusal.NotAllowed, account);
        }
        if (to == address(0) || _isPair(to)) return (Refusal.Receiver, account);
        emit Transfer(from, to, units);
        if (from == to) {
            _book.approve(id, address(0));
            return (Refusal.None, account);
        }
        DeedHolder taker = _enrolled(to);
        if (taker.number() == 0) return (Refusal.Receiver, account);
        giver = _book.take(from, giver, place, _covered(giver));
        taker = _book.give(to, taker, id, _covered(taker));
        unchecked {
            // Who owns a deed has a unit, and all balances together are at most the cap.
            giver = giver.withBalance(giver.balance() - units);
            taker = taker.withBalance(taker.balance() + units);
        }
        _holders[from] = giver;
        _holders[to] = taker;
        _moveVotes(from, giver, to, taker, units);
    }

    /// @dev With a number, and with the first one for a person known as such; without one where there are no more.
    function _enrolled(address account) private returns (DeedHolder holder) {
        holder = _holders[account];
        if (holder.number() != 0) return holder;
        if (!_isContract(account)) holder = holder.with(PERSON, true);
        DeedCounts memory counts = _book.load();
        holder = _book.enrol(counts, account, holder);
        _book.store(counts);
    }

    function _approveDeed(
        address operator,
        address spender,
        uint256 id
    ) private returns (Refusal refusal, address account) {
        (account, , ) = _ownerOf(id);
        if (account == address(0)) return (Refusal.NoOwner, account);
        if (operator != account && !isApprovedForAll[account][operator]) return (Refusal.NotAllowed, account);
        _book.approve(id, spender);
    }

    /// @dev Nobody where the last one gave it up, or where its balance does not cover it.
    function _ownerOf(uint256 id) private view returns (address account, uint256 place, DeedHolder holder) {
        (account, place) = _book.find(id);
        if (account == address(0)) return (account, place, holder);
        holder = _holders[account];
        if (place >= _covered(holder) || _book.deedAt(account, holder, place) != id) account = address(0);
    }

    // ---- Deeds on demand ----

    /// @inheritdoc IModelOwnership
    function materialise(uint256 count) external override returns (uint256 made) {
        return _materialise(_holders[msg.sender], count);
    }

    function _materialise(DeedHolder holder, uint256 count) private returns (uint256 made) {
        count = count.min((holder.balance() / units).saturatingSub(holder.deeds()));
        if (count == 0) return 0;
        DeedCounts memory counts = _book.load();
        holder = _book.enrol(counts, msg.sender, holder);
        if (holder.number() == 0) return 0;
        (holder, made) = _issue(counts, msg.sender, holder, count);
        _book.store(counts);
        _holders[msg.sender] = holder;
    }

    /// @inheritdoc IModelOwnership
    function release(uint256 count) external override returns (uint256 released) {
        DeedHolder holder = _holders[msg.sender];
        return _release(msg.sender, holder, count.min(holder.deeds()));
    }

    /// @inheritdoc IModelOwnership
    function releaseUncovered(address account, uint256 count) external override returns (uint256 released) {
        DeedHolder holder = _holders[account];
        return _release(account, holder, count.min(_uncovered(holder)));
    }

    function _release(address account, DeedHolder holder, uint256 count) private returns (uint256) {
        if (count == 0) return 0;
        DeedCounts memory counts = _book.load();
        _holders[account] = _retire(counts, account, holder, count);
        _book.store(counts);
        return count;
    }

    // ---- Who gets deeds ----

    /// @inheritdoc IERC7631BaseNFTSkippable
    function setSkipNFT(bool skipNFT) external override {
        DeedHolder holder = _speak(skipNFT);
        if (!skipNFT) _materialise(holder, AUTO_DEEDS);
    }

    /// @inheritdoc IERC404
    function setSelfERC721TransferExempt(bool state) external override {
        DeedHolder holder = _speak(state);
        if (state) _release(msg.sender, holder, holder.deeds().min(AUTO_DEEDS));
        else _materialise(holder, AUTO_DEEDS);
    }

    function _speak(bool exempt) private returns (DeedHolder holder) {
        holder = _holders[msg.sender].with(SPOKEN | DECLARED, true).with(EXEMPT, exempt);
        _holders[msg.sender] = holder;
        emit SkipNFTSet(msg.sender, exempt);
    }

    /// @inheritdoc IModelOwnership
    function setExempt(address account, bool exempt) external override onlyOwner {
        if (!_isContract(account)) revert ModelOwnership_NotContract(account);
        DeedHolder holder = _holders[account];
        if (holder.has(SPOKEN)) revert ModelOwnership_Spoken(account);
        holder = holder.with(DECLARED | EXEMPT, exempt);
        _holders[account] = holder;
        emit SkipNFTSet(account, _isExempt(account, holder));
    }

    /// @dev What was said counts, then whether it had code when it got its first deed, then whether it has.
    function _isExempt(address account, DeedHolder holder) private view returns (bool) {
        if (holder.has(DECLARED)) return holder.has(EXEMPT);
        return !holder.has(PERSON) && _isContract(account);
    }

    /// @dev An account with a delegation (EIP-7702) is a person's.
    function _isContract(address account) private view returns (bool) {
        uint256 length = account.code.length;
        return length != 0 && !(length == 23 && bytes3(account.code) == 0xef0100);
    }

    /// @inheritdoc IERC7631BaseNFTSkippable
    function getSkipNFT(address account) public view override returns (bool) {
        return _isExempt(account, _holders[account]);
    }

    /// @inheritdoc IERC404
    function erc721TransferExempt(address account) external view override returns (bool) {
        return getSkipNFT(account);
    }

    // ---- ERC-404 ----

    /// @inheritdoc IERC20
    function approve(address spender, uint256 valueOrId) public override(ERC20, IERC20) returns (bool) {
        if (!_isId(valueOrId)) return super.approve(spender, valueOrId);
        erc721Approve(spender, valueOrId);
        return true;
    }

    /// @inheritdoc IERC404
    function erc20Approve(address spender, uint256 value) external override returns (bool) {
        return super.approve(spender, value);
    }

    /// @inheritdoc IERC404
    function erc721Approve(address spender, uint256 id) public override {
        (Refusal refusal, address account) = _approveDeed(msg.sender, spender, _deedOf(id));
        if (refusal == Refusal.NoOwner) revert NotFound();
        if (refusal != Refusal.None) revert Unauthorized();
        _mirror.logApproval(account, spender, _deedOf(id));
    }

    /// @inheritdoc IERC404
    function setApprovalForAll(address operator, bool approved) external override {
        if (operator == address(0)) revert InvalidOperator();
        isApprovedForAll[msg.sender][operator] = approved;
        _mirror.logApprovalForAll(msg.sender, operator, approved);
    }

    /// @inheritdoc IERC20
    function transferFrom(
        address from,
        address to,
        uint256 valueOrId
    ) public override(ERC20, IERC20) returns (bool) {
        if (!_isId(valueOrId)) return super.transferFrom(from, to, valueOrId);
        erc721TransferFrom(from, to, valueOrId);
        return true;
    }

    /// @inheritdoc IERC404
    function erc20TransferFrom(address from, address to, uint256 value) external override returns (bool) {
        return super.transferFrom(from, to, value);
    }

    /// @inheritdoc IERC404
    function erc721TransferFrom(address from, address to, uint256 id) public override {
        uint256[] memory ids = new uint256[](1);
        ids[0] = _deedOf(id);
        DeedHolder taker = _holders[to];
        if (taker.has(DECLARED) && taker.has(EXEMPT)) revert RecipientIsERC721TransferExempt();
        (Refusal refusal, ) = _transferDeed(msg.sender, from, to, ids[0]);
        if (refusal == Refusal.NoOwner) revert NotFound();
        if (refusal == Refusal.Receiver) revert InvalidRecipient();
        if (refusal != Refusal.None) revert Unauthorized();
        _mirror.logTransfers(from, to, ids);
    }

    /// @inheritdoc IERC404
    function safeTransferFrom(address from, address to, uint256 id) external override {
        safeTransferFrom(from, to, id, "");
    }

    /// @inheritdoc IERC404
    function safeTransferFrom(address from, address to, uint256 id, bytes memory data) public override {
        erc721TransferFrom(from, to, id);
        if (to.code.length == 0) return;
        bytes4 answer = IERC721Receiver(to).onERC721Received(msg.sender, from, id, data);
        if (answer != IERC721Receiver.onERC721Received.selector) revert UnsafeRecipient();
    }

    /// @inheritdoc IERC20Permit
    function permit(
        address account,
        address spender,
        uint256 value,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) public override(ERC20Permit, IERC20Permit) {
        if (_isId(value)) revert InvalidApproval();
        super.permit(account, spender, value, deadline, v, r, s);
    }

    /// @inheritdoc IERC404
    function owned(address account) external view override returns (uint256[] memory ids) {
        ids = deedsOf(account, 0, MAX_DEED);
        _encode(ids);
    }

    /// @inheritdoc IERC404
    function ownerOf(uint256 id) external view override returns (address account) {
        account = deedOwnerOf(_deedOf(id));
        if (account == address(0)) revert NotFound();
    }

    /// @inheritdoc IERC404
    function tokenURI(uint256 id) external view override returns (string memory) {
        if (deedOwnerOf(_deedOf(id)) == address(0)) revert NotFound();
        return _mirror.tokenURI(_deedOf(id));
    }

    /// @inheritdoc IERC404Extras
    function getApproved(uint256 id) external view override returns (address) {
        if (deedOwnerOf(_deedOf(id)) == address(0)) revert NotFound();
        return _book.approvedFor(_deedOf(id));
    }

    /// @inheritdoc IERC404
    function getERC721QueueLength() external view override returns (uint256) {
        return _book.load().queued;
    }

    /// @inheritdoc IERC404
    function getERC721TokensInQueue(
        uint256 start,
        uint256 count
    ) external view override returns (uint256[] memory ids) {
        uint256 queued = _book.load().queued;
        ids = new uint256[](queued.min(start.saturatingAdd(count)).saturatingSub(start));
        if (ids.length == 0) return ids;
        uint256 id = nextInQueue(0);
        for (uint256 i = 0; i < start; ++i) id = nextInQueue(id);
        for (uint256 i = 0; i < ids.length; ++i) {
            ids[i] = id;
            id = nextInQueue(id);
        }
        _encode(ids);
    }

    /// @dev An id has 24 bits: everything else from 2^255 up is an amount that nobody has.
    function _isId(uint256 valueOrId) private pure returns (bool) {
        unchecked {
            return valueOrId - ID_ENCODING_PREFIX - 1 < MAX_DEED;
        }
    }

    function _deedOf(uint256 id) private pure returns (uint256) {
        if (!_isId(id)) revert InvalidTokenId();
        return id - ID_ENCODING_PREFIX;
    }

    function _encode(uint256[] memory ids) private pure {
        for (uint256 i = 0; i < ids.length; ++i) ids[i] |= ID_ENCODING_PREFIX;
    }

    // ---- Votes ----

    function _moveVotes(address from, DeedHolder giver, address to, DeedHolder taker, uint256 value) private {
        bool goes = giver.has(DELEGATED);
        bool comes = taker.has(DELEGATED);
        if (!goes && !comes) return;
        _moveDelegateVotes(goes ? delegates(from) : address(0), comes ? delegates(to) : address(0), value);
    }

    function _delegate(address account, address delegatee) internal override {
        _holders[account] = _holders[account].with(DELEGATED, delegatee != address(0));
        super._delegate(account, delegatee);
    }

    function _getVotingUnits(address account) internal view override returns (uint256) {
        return balanceOf(account);
    }

    /// @inheritdoc IERC6372
    function clock() public view override(Votes, IERC6372) returns (uint48) {
        return Time.timestamp();
    }

    /// @inheritdoc IERC6372
    // solhint-disable-next-line func-name-mixedcase
    function CLOCK_MODE() public pure override(Votes, IERC6372) returns (string memory) {
        return "mode=timestamp";
    }

    /// @dev The supply only grows: each minting adds a record, whose word every second one shares.
    function _countSupply(DeedCounts memory counts, uint256 value) private {
        uint256 index = counts.supplies++;
        counts.supply += value;
        uint256 entry = ((block.timestamp - _madeAt) << 96) | counts.supply;
        if (index & 1 == 0) _supplies[index >> 1] = entry;
        else _supplies[index >> 1] |= entry << 128;
    }

    /// @inheritdoc IVotes
    function getPastTotalSupply(
        uint256 timepoint
    ) public view override(Votes, IVotes) returns (uint256 supply) {
        timepoint = _validateTimepoint(timepoint);
        // The last record of that time or before is in [low - 1, high).
        uint256 low = 0;
        uint256 high = _book.load().supplies;
        while (low < high) {
            uint256 middle = (low + high) >> 1;
            uint256 entry = (_supplies[middle >> 1] >> ((middle & 1) << 7)) & type(uint128).max;
            if ((entry >> 96) + _madeAt > timepoint) {
                high = middle;
            } else {
                low = middle + 1;
                supply = uint96(entry);
            }
        }
    }

    function _getTotalSupply() internal view override returns (uint256) {
        return totalSupply();
    }

    // ---- Views ----

    /// @inheritdoc IERC20
    function balanceOf(address account) public view override(ERC20, IERC20) returns (uint256) {
        return _holders[account].balance();
    }

    /// @inheritdoc IERC404
    function erc20BalanceOf(address account) external view override returns (uint256) {
        return balanceOf(account);
    }

    /// @inheritdoc IERC404
    function erc721BalanceOf(address account) external view override returns (uint256) {
        return _covered(_holders[account]);
    }

    /// @inheritdoc IERC20
    function totalSupply() public view override(ERC20, IERC20) returns (uint256) {
        return _book.load().supply;
    }

    /// @inheritdoc IERC404
    function erc20TotalSupply() external view override returns (uint256) {
        return totalSupply();
    }

    /// @inheritdoc IERC404
    function erc721TotalSupply() external view override returns (uint256) {
        return minted();
    }

    /// @inheritdoc IERC404Extras
    function minted() public view override returns (uint256) {
        return _book.load().minted;
    }

    /// @inheritdoc IERC7631Base
    function mirrorERC721() external view override returns (address) {
        return address(_mirror);
    }

    /// @inheritdoc IModelOwnership
    function deedOwnerOf(uint256 id) public view override returns (address account) {
        (account, , ) = _ownerOf(id);
    }

    /// @inheritdoc IModelOwnership
    function deedApproved(uint256 id) external view override returns (address) {
        return deedOwnerOf(id) == address(0) ? address(0) : _book.approvedFor(id);
    }

    /// @inheritdoc IModelOwnership
    function deedsOf(
        address account,
        uint256 offset,
        uint256 limit
    ) public view override returns (uint256[] memory) {
        DeedHolder holder = _holders[account];
        return _book.page(account, holder, _covered(holder), offset, limit);
    }

    /// @inheritdoc IModelOwnership
    function nextInQueue(uint256 id) public view override returns (uint256) {
        DeedCounts memory counts = _book.load();
        if (counts.queued == 0 || id == counts.last) return 0;
        return id == 0 ? counts.first : _book.next(id);
    }

    /// @inheritdoc IModelOwnership
    function standingOf(address account) external view override returns (Standing memory) {
        DeedHolder holder = _holders[account];
        return
            Standing({
                balance: holder.balance(),
                wholeUnits: holder.balance() / units,
                deeds: _covered(holder),
                uncovered: _uncovered(holder),
                exempt: _isExempt(account, holder),
                spoken: holder.has(DECLARED),
                isContract: _isContract(account)
            });
    }

    /// @inheritdoc IERC20Permit
    function nonces(
        address account
    ) public view override(ERC20Permit, Nonces, IERC20Permit) returns (uint256) {
        return super.nonces(account);
    }

    /// @inheritdoc IERC165
    function supportsInterface(bytes4 id) external pure override returns (bool) {
        return
            id == type(IERC165).interfaceId ||
            id == type(IERC20).interfaceId ||
            id == type(IERC20Metadata).interfaceId ||
            id == type(IERC20Permit).interfaceId ||
            id == IERC404_ID ||
            id == type(IERC6372).interfaceId ||
            id == type(IERC7631Base).interfaceId ||
            id == type(IERC7631BaseNFTSkippable).interfaceId ||
            id == type(IVotes).interfaceId;
    }
}
