// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IERC20Errors, IERC721Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";

import {IERC404} from "../../../contracts/interfaces/IERC404.sol";
import {IERC7631BaseNFTSkippable} from "../../../contracts/interfaces/IERC7631.sol";
import {IModelOwnership} from "../../../contracts/interfaces/IModelOwnership.sol";

enum Verb {
    Transfer,
    TransferFrom,
    Erc20TransferFrom,
    Erc721TransferFrom,
    SafeTransferId,
    TransferDeed,
    SafeTransferDeed,
    Approve,
    Erc20Approve,
    Erc721Approve,
    ApproveDeed,
    SetOperator,
    SetOperatorAtMirror,
    Materialise,
    Release,
    ReleaseUncovered,
    Mint,
    SetSkip,
    SetSelfExempt,
    SetExempt,
    Delegate
}

/// @dev `by` calls; the rest is what the verb's function takes, of which some needs little.
struct Call {
    Verb verb;
    address by;
    address from;
    address to;
    uint256 value;
    bool flag;
}

/// @notice A model's ownership, slow and obviously right: lists of ids, one for each account and one for the queue. Says of
/// each call what it returns, or why it fails, and what it logs.
contract OwnershipModel {
    struct Account {
        uint256 balance;
        /// Those that its balance covers first.
        uint256[] deeds;
        address delegatee;
        bool isContract;
        /// Whether it takes a deed that it is asked for.
        bool refuses;
        bool declared;
        bool exempt;
        bool spoken;
        bool person;
        bool hadDeeds;
        /// Whether it once got a unit without a deed, or gave a deed back without its unit.
        bool lacked;
    }

    uint256 private constant AUTO_DEEDS = 128;
    uint256 private constant MAX_DEED = 2 ** 24 - 1;
    uint256 private constant ID = 2 ** 255;

    uint256 private immutable _unit;
    uint256 private immutable _cap;
    address private immutable _owner;
    address private immutable _minter;
    uint256 private immutable _mintUntil;
    address private _base;
    address private _mirror;

    address[] private _list;
    mapping(address => Account) private _accounts;
    uint256[] private _queue;
    uint256 private _given;
    uint256 public supply;
    uint256 public minted;
    /// @dev Who has it on its list.
    mapping(uint256 id => address) private _lists;
    mapping(uint256 id => address) private _approved;
    mapping(address => mapping(address => bool)) public operators;
    mapping(address => mapping(address => uint256)) public allowances;
    /// @dev Time and supply after each minting.
    uint256[2][] private _supplies;

    /// @notice A digest of all logs, in their order.
    bytes32 public logs;
    /// What was seen: more than a call moves on either side, ids that ran out, deeds that were covered again.
    bool public uncovered;
    bool public pending;
    bool public exhausted;
    bool public recovered;
    bool public handedAll;

    constructor(uint256 unit, uint256 cap, address owner, address minter, uint256 mintUntil) {
        (_unit, _cap, _owner, _minter, _mintUntil) = (unit, cap, owner, minter, mintUntil);
    }

    function pair(address base, address mirror) external {
        (_base, _mirror) = (base, mirror);
        _accounts[base].isContract = _accounts[mirror].isContract = true;
        delete logs;
    }

    function add(address account, bool hasCode, bool refuses) external {
        _list.push(account);
        setCode(account, hasCode, refuses);
    }

    function setCode(address account, bool hasCode, bool refuses) public {
        (_accounts[account].isContract, _accounts[account].refuses) = (hasCode, refuses);
    }

    // ---- What happens ----

    /// @notice Does it. Where it fails, nothing happens and `answer` is the reason, else it is what is returned.
    function perform(Call calldata c) external returns (bool done, bytes memory answer) {
        if (c.verb == Verb.Transfer) return _yes(_transfer(c.by, c.to, c.value));
        if (c.verb == Verb.TransferFrom) return _yes(_isId(c.value) ? _transferId(c) : _transferFrom(c));
        if (c.verb == Verb.Erc20TransferFrom) return _yes(_transferFrom(c));
        if (c.verb == Verb.Erc721TransferFrom || c.verb == Verb.SafeTransferId) return _nil(_transferId(c));
        if (c.verb == Verb.TransferDeed || c.verb == Verb.SafeTransferDeed) return _nil(_transferDeed(c));
        if (c.verb == Verb.Approve) return _yes(_isId(c.value) ? _approveId(c) : _approveAmount(c));
        if (c.verb == Verb.Erc20Approve) return _yes(_approveAmount(c));
        if (c.verb == Verb.Erc721Approve) return _nil(_approveId(c));
        if (c.verb == Verb.ApproveDeed) return _nil(_approveDeed(c));
        if (c.verb == Verb.SetOperator || c.verb == Verb.SetOperatorAtMirror) return _nil(_setOperator(c));
        if (c.verb == Verb.Materialise) return (true, abi.encode(_materialise(c.by, c.value)));
        if (c.verb == Verb.Release) return (true, abi.encode(_release(c.by, c.value)));
        if (c.verb == Verb.ReleaseUncovered) return (true, abi.encode(_releaseUncovered(c.to, c.value)));
        if (c.verb == Verb.Mint) return _nil(_mint(c));
        if (c.verb == Verb.SetSkip || c.verb == Verb.SetSelfExempt) return _nil(_speak(c));
        if (c.verb == Verb.SetExempt) return _nil(_setExempt(c));
        _accounts[c.by].delegatee = c.to;
        return (true, "");
    }

    function _yes(bytes memory reason) private pure returns (bool, bytes memory) {
        return reason.length == 0 ? (true, abi.encode(true)) : (false, reason);
    }

    function _nil(bytes memory reason) private pure returns (bool, bytes memory) {
        // A reason of one byte stands for none.
        return (reason.length == 0, reason.length == 1 ? bytes("") : reason);
    }

    // ---- Amounts ----

    function _transferFrom(Call calldata c) private returns (bytes memory reason) {
        uint256 allowed = allowances[c.from][c.by];
        if (allowed < c.value) {
            return
                abi.encodeWithSelector(
                    IERC20Errors.ERC20InsufficientAllowance.selector,
                    c.by,
                    allowed,
                    c.value
                );
        }
        reason = _transfer(c.from, c.to, c.value);
        if (reason.length == 0 && allowed != type(uint256).max) allowances[c.from][c.by] -= c.value;
    }

    function _transfer(address from, address to, uint256 value) private returns (bytes memory) {
        if (_isNone(to)) return abi.encodeWithSelector(IERC20Errors.ERC20InvalidReceiver.selector, to);
        uint256 balance = _accounts[from].balance;
        if (balance < value) {
            return
                abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, from, balance, value);
        }
        _logAmount(from, to, value);
        _move(from, to, value);
        return "";
    }

    function _mint(Call calldata c) private returns (bytes memory) {
        if (c.by != _minter)
            return abi.encodeWithSelector(IModelOwnership.ModelOwnership_NotMinter.selector, c.by);
        if (block.timestamp > _mintUntil)
            return abi.encodeWithSelector(IModelOwnership.ModelOwnership_MintingOver.selector, _mintUntil);
        if (c.value > _cap - supply) {
            return
                abi.encodeWithSelector(
                    IModelOwnership.ModelOwnership_CapExceeded.selector,
                    supply,
                    c.value,
                    _cap
                );
        }
        if (_isNone(c.to)) return abi.encodeWithSelector(IERC20Errors.ERC20InvalidReceiver.selector, c.to);
        mintAtCreation(c.to, c.value);
        return "";
    }

    function mintAtCreation(address to, uint256 value) public {
        _logAmount(address(0), to, value);
        supply += value;
        _supplies.push([block.timestamp, supply]);
        _accounts[address(0)].balance += value;
        _move(address(0), to, value);
    }

    /// @dev Deeds follow, 128 at most: from hand to hand, else into the queue, else out of it.
    function _move(address from, address to, uint256 value) private {
        if (from == to) return;
        uint256 had = _most(wholeUnits(to), _accounts[to].deeds.length);
        if (_accounts[to].deeds.length > wholeUnits(to) && value >= _unit) recovered = true;
        _accounts[from].balance -= value;
        _accounts[to].balance += value;
        if (value == 0) return;
        uint256 gained = wholeUnits(to) > had ? wholeUnits(to) - had : 0;
        if (gained != 0) gained = _accept(to, gained);
        uint256 lost = uncoveredOf(from);
        for (uint256 i = 0; i < AUTO_DEEDS && lost + gained != 0; ++i) {
            if (lost != 0 && gained != 0) {
                uint256 id = _pop(from);
                _push(to, id);
                _log(from, to, id);
                (lost, gained) = (lost - 1, gained - 1);
                if (i == AUTO_DEEDS - 1) handedAll = true;
            } else if (lost != 0) {
                _retire(from);
                --lost;
            } else {
                if (_issue(to, 1) == 0) break;
                --gained;
            }
        }
        if (lost != 0) uncovered = true;
        if (gained != 0) pending = _accounts[to].lacked = true;
    }

    function _accept(address to, uint256 gained) private returns (uint256) {
        Account storage account = _accounts[to];
        if (isExempt(to)) {
            account.lacked = true;
            return 0;
        }
        account.hadDeeds = true;
        if (!account.declared) account.person = true;
        return gained;
    }

    function _approveAmount(Call calldata c) private returns (bytes memory) {
        if (c.to == address(0))
            return abi.encodeWithSelector(IERC20Errors.ERC20InvalidSpender.selector, c.to);
        allowances[c.by][c.to] = c.value;
        _logWords(_base, IERC20.Approval.selector, c.by, c.to, abi.encode(c.value));
        return "";
    }

    // ---- Ids ----

    function _transferId(Call calldata c) private returns (bytes memory) {
        if (!_isId(c.value)) return abi.encodeWithSelector(IERC404.InvalidTokenId.selector);
        if (_accounts[c.to].declared && _accounts[c.to].exempt)
            return abi.encodeWithSelector(IERC404.RecipientIsERC721TransferExempt.selector);
        uint256 id = c.value - ID;
        address owner = ownerOf(id);
        if (owner == address(0)) return abi.encodeWithSelector(IERC404.NotFound.selector);
        if (owner != c.from || !_mayMove(c.by, owner, id))
            return abi.encodeWithSelector(IERC404.Unauthorized.selector);
        if (_isNone(c.to)) return abi.encodeWithSelector(IERC404.InvalidRecipient.selector);
        // It has no such function.
        if (c.verb == Verb.SafeTransferId && _accounts[c.to].refuses) return hex"00";
        _moveDeed(owner, c.to, id);
        return "";
    }

    function _transferDeed(Call calldata c) private returns (bytes memory) {
        address owner = ownerOf(c.value);
        if (owner == address(0))
            return abi.encodeWithSelector(IERC721Errors.ERC721NonexistentToken.selector, c.value);
        if (owner != c.from) {
            return
                abi.encodeWithSelector(IERC721Errors.ERC721IncorrectOwner.selector, c.from, c.value, owner);
        }
        if (!_mayMove(c.by, owner, c.value))
            return abi.encodeWithSelector(IERC721Errors.ERC721InsufficientApproval.selector, c.by, c.value);
        if (_isNone(c.to) || (c.verb == Verb.SafeTransferDeed && _accounts[c.to].refuses))
            return abi.encodeWithSelector(IERC721Errors.ERC721InvalidReceiver.selector, c.to);
        _moveDeed(owner, c.to, c.value);
        return "";
    }

    function _mayMove(address by, address owner, uint256 id) private view returns (bool) {
        return by == owner || operators[owner][by] || (by != address(0) && _approved[id] == by);
    }

    /// @dev Its place is taken by the last one that is covered, whose place by the last of all; it comes after those that are
    /// covered, and what was there becomes the last.
    function _moveDeed(address from, address to, uint256 id) private {
        _logAmount(from, to, _unit);
        _log(from, to, id);
        _approved[id] = address(0);
        if (from == to) return;
        if (!_accounts[to].hadDeeds && !_accounts[to].isContract) _accounts[to].person = true;
        _accounts[to].hadDeeds = true;
        uint256[] storage giver = _accounts[from].deeds;
        uint256[] storage taker = _accounts[to].deeds;
        uint256 last = deedCount(from) - 1;
        uint256 place = 0;
        while (giver[place] != id) ++place;
        giver[place] = giver[last];
        giver[last] = giver[giver.length - 1];
        giver.pop();
        place = deedCount(to);
        taker.push(id);
        (taker[place], taker[taker.length - 1]) = (id, place == taker.length - 1 ? id : taker[place]);
        _lists[id] = to;
        _accounts[from].balance -= _unit;
        _accounts[to].balance += _unit;
    }

    function _approveId(Call calldata c) private returns (bytes memory) {
        if (!_isId(c.value)) return abi.encodeWithSelector(IERC404.InvalidTokenId.selector);
        address owner = ownerOf(c.value - ID);
        if (owner == address(0)) return abi.encodeWithSelector(IERC404.NotFound.selector);
        if (c.by != owner && !operators[owner][c.by])
            return abi.encodeWithSelector(IERC404.Unauthorized.selector);
        _approve(owner, c.to, c.value - ID);
        return "";
    }

    function _approveDeed(Call calldata c) private returns (bytes memory) {
        address owner = ownerOf(c.value);
        if (owner == address(0))
            return abi.encodeWithSelector(IERC721Errors.ERC721NonexistentToken.selector, c.value);
        if (c.by != owner && !operators[owner][c.by])
            return abi.encodeWithSelector(IERC721Errors.ERC721InvalidApprover.selector, c.by);
        _approve(owner, c.to, c.value);
        return "";
    }

    function _approve(address owner, address spender, uint256 id) private {
        _approved[id] = spender;
        bytes32[4] memory topics = [IERC721.Approval.selector, _word(owner), _word(spender), bytes32(id)];
        logs = keccak256(abi.encode(logs, _mirror, topics, bytes("")));
    }

    function _setOperator(Call calldata c) private returns (bytes memory) {
        if (c.to == address(0)) {
            if (c.verb == Verb.SetOperator) return abi.encodeWithSelector(IERC404.InvalidOperator.selector);
            return abi.encodeWithSelector(IERC721Errors.ERC721InvalidOperator.selector, c.to);
        }
        operators[c.by][c.to] = c.flag;
        _logWords(_mirror, IERC721.ApprovalForAll.selector, c.by, c.to, abi.encode(c.flag));
        return "";
    }

    // ---- Lists ----

    function _materialise(address account, uint256 count) private returns (uint256 made) {
        uint256 there = _accounts[account].deeds.length;
        uint256 missing = wholeUnits(account) > there ? wholeUnits(account) - there : 0;
        if (count < missing) missing = count;
        if (missing == 0) return 0;
        _accounts[account].hadDeeds = true;
        return _issue(account, missing);
    }

    function _release(address account, uint256 count) private returns (uint256 released) {
        for (; released < count && _accounts[account].deeds.length != 0; ++released) {
            if (uncoveredOf(account) == 0) _accounts[account].lacked = true;
            _retire(account);
        }
    }

    function _releaseUncovered(address account, uint256 count) private returns (uint256 released) {
        for (; released < count && uncoveredOf(account) != 0; ++released) _retire(account);
    }

    function _issue(address account, uint256 count) private returns (uint256 made) {
        for (; made < count; ++made) {
            uint256 id;
            if (_given < _queue.length) id = _queue[_given++];
            else if (minted < _cap / _unit) id = ++minted;
            else {
                exhausted = true;
                return made;
            }
            _push(account, id);
            _log(address(0), account, id);
        }
    }

    function _retire(address account) private {
        uint256 id = _pop(account);
        _queue.push(id);
        _log(account, address(0), id);
    }

    function _push(address account, uint256 id) private {
        _accounts[account].deeds.push(id);
        _lists[id] = account;
    }

    function _pop(address account) private returns (uint256 id) {
        uint256[] storage list = _accounts[account].deeds;
        id = list[list.length - 1];
        list.pop();
        delete _lists[id];
        delete _approved[id];
    }

    // ---- Who gets deeds ----

    function _speak(Call calldata c) private returns (bytes memory) {
        Account storage account = _accounts[c.by];
        (account.declared, account.spoken, account.exempt) = (true, true, c.flag);
        _logSkip(c.by, c.flag);
        if (!c.flag) _materialise(c.by, AUTO_DEEDS);
        else if (c.verb == Verb.SetSelfExempt) _release(c.by, AUTO_DEEDS);
        return "";
    }

    function _setExempt(Call calldata c) private returns (bytes memory) {
        if (c.by != _owner) return abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, c.by);
        Account storage account = _accounts[c.to];
        if (!account.isContract)
            return abi.encodeWithSelector(IModelOwnership.ModelOwnership_NotContract.selector, c.to);
        if (account.spoken)
            return abi.encodeWithSelector(IModelOwnership.ModelOwnership_Spoken.selector, c.to);
        (account.declared, account.exempt) = (c.flag, c.flag);
        _logSkip(c.to, isExempt(c.to));
        return "";
    }

    // ---- Logs ----

    function _logAmount(address from, address to, uint256 value) private {
        _logWords(_base, IERC20.Transfer.selector, from, to, abi.encode(value));
    }

    function _log(address from, address to, uint256 id) private {
        bytes32[4] memory topics = [IERC721.Transfer.selector, _word(from), _word(to), bytes32(id)];
        logs = keccak256(abi.encode(logs, _mirror, topics, bytes("")));
    }

    function _logSkip(address account, bool skips) private {
        _logWords(
            _base,
            IERC7631BaseNFTSkippable.SkipNFTSet.selector,
            account,
            address(0),
            abi.encode(skips)
        );
    }

    function _logWords(address emitter, bytes32 topic, address a, address b, bytes memory data) private {
        bytes32[4] memory topics = [topic, _word(a), _word(b), 0];
        logs = keccak256(abi.encode(logs, emitter, topics, data));
    }

    function _word(address account) private pure returns (bytes32) {
        return bytes32(uint256(uint160(account)));
    }

    // ---- Views ----

    function ownerOf(uint256 id) public view returns (address account) {
        account = _lists[id];
        uint256 count = deedCount(account);
        uint256[] storage list = _accounts[account].deeds;
        for (uint256 i = 0; i < count; ++i) if (list[i] == id) return account;
        return address(0);
    }

    function approvedOf(uint256 id) external view returns (address) {
        return ownerOf(id) == address(0) ? address(0) : _approved[id];
    }

    function balanceOf(address account) external view returns (uint256) {
        return _accounts[account].balance;
    }

    function wholeUnits(address account) public view returns (uint256) {
        return _accounts[account].balance / _unit;
    }

    function deedCount(address account) public view returns (uint256) {
        uint256 there = _accounts[account].deeds.length;
        return there < wholeUnits(account) ? there : wholeUnits(account);
    }

    function uncoveredOf(address account) public view returns (uint256) {
        return _accounts[account].deeds.length - deedCount(account);
    }

    function deedsOf(address account) external view returns (uint256[] memory list) {
        list = _accounts[account].deeds;
        uint256 count = deedCount(account);
        assembly ("memory-safe") {
            mstore(list, count)
        }
    }

    function queue() external view returns (uint256[] memory list) {
        list = new uint256[](_queue.length - _given);
        for (uint256 i = 0; i < list.length; ++i) list[i] = _queue[_given + i];
    }

    function isExempt(address account) public view returns (bool) {
        Account storage one = _accounts[account];
        return one.declared ? one.exempt : one.isContract && !one.person;
    }

    function isDeclared(address account) external view returns (bool) {
        return _accounts[account].declared;
    }

    function isContract(address account) external view returns (bool) {
        return _accounts[account].isContract;
    }

    function lacked(address account) external view returns (bool) {
        return _accounts[account].lacked;
    }

    function delegateeOf(address account) external view returns (address) {
        return _accounts[account].delegatee;
    }

    function votesOf(address account) external view returns (uint256 votes) {
        if (account == address(0)) return 0;
        for (uint256 i = 0; i < _list.length; ++i) {
            if (_accounts[_list[i]].delegatee == account) votes += _accounts[_list[i]].balance;
        }
    }

    function supplyAt(uint256 time) external view returns (uint256 amount) {
        for (uint256 i = 0; i < _supplies.length && _supplies[i][0] <= time; ++i) amount = _supplies[i][1];
    }

    function _isNone(address to) private view returns (bool) {
        return to == address(0) || to == _base || to == _mirror;
    }

    function _isId(uint256 value) private pure returns (bool) {
        return value > ID && value <= ID + MAX_DEED;
    }

    function _most(uint256 a, uint256 b) private pure returns (uint256) {
        return a > b ? a : b;
    }
}
