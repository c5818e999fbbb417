// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";

import {IModelDeeds} from "../../../contracts/interfaces/IModelDeeds.sol";
import {IModelOwnership} from "../../../contracts/interfaces/IModelOwnership.sol";
import {Actor} from "../../../contracts/mocks/Actor.sol";
import {Vm} from "../utils/Vm.sol";
import {Call, OwnershipModel, Verb} from "./OwnershipModel.sol";
import {DeedReceiver, OwnershipTest} from "./OwnershipTest.sol";

/// @notice Does with a model's ownership whatever can be done, beside a model that it compares after every step: what calls
/// return, why they fail, all that they log, and whose is what.
/// @dev Of the eight accounts three are people's, one a person's with a delegation; two contracts are exempt by themselves and
/// one by the owner, one wants deeds; two of these accounts call back when they are given a deed.
abstract contract OwnershipHandler is OwnershipTest {
    uint256 public constant ACCOUNTS = 8;
    uint256 private constant MINT_UNTIL = START + 200;

    OwnershipModel public model;
    address[] public accounts;
    uint256 public steps;
    uint256 public unit;
    /// How often a verb went through, and was refused.
    mapping(Verb => uint256) public done;
    mapping(Verb => uint256) public refused;
    uint256 public entered;
    /// Owner of each id by the logs alone.
    mapping(uint256 id => address) public logged;

    constructor(uint256 unit_, uint256 cap) {
        unit = unit_;
        vm.warp(START);
        DeedReceiver receiver = new DeedReceiver();
        accounts = [
            ALICE,
            BOB,
            CAROL,
            address(0x1A7E4),
            address(new Actor()),
            address(new Actor()),
            address(receiver),
            address(new Actor())
        ];
        vm.etch(accounts[3], "");
        delegateCode(CAROL, address(receiver));
        IModelOwnership.Settings memory settings = someSettings();
        (settings.unit, settings.cap) = (unit, cap);
        (settings.minter, settings.mintUntil) = (MINTER, uint40(MINT_UNTIL));
        allocate(settings, ALICE, cap / 2);
        allocate(settings, accounts[5], (cap / 16) * 7);
        vm.recordLogs();
        open(settings);
        model = new OwnershipModel(unit, cap, OWNER, MINTER, MINT_UNTIL);
        model.pair(address(ownership), address(deeds));
        for (uint256 i = 0; i < ACCOUNTS; ++i) {
            bool isContract = i == 4 || i == 5 || i == 6 || i == 7;
            model.add(accounts[i], isContract, isContract && i != 6);
        }
        model.mintAtCreation(ALICE, cap / 2);
        model.mintAtCreation(accounts[5], (cap / 16) * 7);
        _compareLogs();
        _do(Call(Verb.SetSkip, accounts[5], NOBODY, NOBODY, 0, false));
        _do(Call(Verb.SetExempt, OWNER, NOBODY, accounts[7], 0, true));
        _do(Call(Verb.Materialise, ALICE, NOBODY, NOBODY, type(uint256).max, false));
    }

    // ---- What happens ----

    /// @notice One step: who, what and how much is in the numbers.
    function act(uint256 verb, uint256 a, uint256 b, uint256 c) external {
        ++steps;
        if (verb % 32 == 30) vm.warp(vm.getBlockTimestamp() + (b % 10));
        else if (verb % 64 == 31) _giveCode();
        Call memory one = _someCall(verb >> 8, a, b, c);
        _arm(one, c);
        _do(one);
        _compareAccount(one.by);
        _compareAccount(accounts[(a >> 24) % ACCOUNTS]);
        assertEq(ownership.minted(), model.minted(), "minted");
        assertEq(ownership.totalSupply(), model.supply(), "supply");
    }

    /// @dev One that had none becomes a contract.
    function _giveCode() private {
        vm.etch(accounts[3], accounts[4].code);
        model.setCode(accounts[3], true, true);
    }

    function _someCall(uint256 verb, uint256 a, uint256 b, uint256 c) private view returns (Call memory one) {
        // Transfers of amounts half of the time.
        one.verb = verb % 2 == 0 ? Verb.Transfer : Verb((verb >> 1) % (uint256(type(Verb).max) + 1));
        one.by = accounts[a % ACCOUNTS];
        one.from = accounts[(a >> 8) % ACCOUNTS];
        one.to = _someReceiver(a >> 16);
        one.flag = (a >> 40) % 2 == 0;
        if (one.verb == Verb.Transfer) one.from = one.by;
        if (one.verb >= Verb.Approve && one.verb <= Verb.SetOperatorAtMirror && c % 4 == 1) one.to = NOBODY;
        if (one.verb >= Verb.TransferFrom && one.verb <= Verb.ApproveDeed) _aim(one, a >> 48, b, c);
        else one.value = _someAmount(b, one.from);
        if (one.verb >= Verb.Materialise && one.verb <= Verb.ReleaseUncovered) one.value = _someCount(b);
        if (one.verb == Verb.Mint && c % 8 != 0) one.by = MINTER;
        if (one.verb == Verb.Mint && c % 8 > 1) one.value %= model.supply() / 16 + 1;
        if (one.verb == Verb.SetExempt && c % 8 != 0) one.by = OWNER;
    }

    function _someReceiver(uint256 random) private view returns (address) {
        uint256 kind = random % 64;
        if (kind == 0) return NOBODY;
        if (kind == 1) return address(ownership);
        if (kind == 2) return address(deeds);
        return accounts[(random >> 8) % ACCOUNTS];
    }

    /// @dev Most often at what goes through: an id of whoever gives it, by whoever may.
    function _aim(Call memory one, uint256 a, uint256 b, uint256 c) private view {
        bool byId =
            one.verb != Verb.Erc20TransferFrom &&
                one.verb != Verb.Erc20Approve &&
                !(one.verb == Verb.TransferFrom && c % 2 == 0) &&
                !(one.verb == Verb.Approve && c % 2 == 0);
        if (!byId) {
            one.value = _someAmount(b, one.from);
            if (one.verb == Verb.Approve || one.verb == Verb.Erc20Approve) {
                if ((b >> 200) % 2 == 0) one.value = type(uint256).max;
            }
            return;
        }
        uint256 id = b % (model.minted() + 3);
        address owner = model.ownerOf(id);
        if (a % 8 != 0 && owner != NOBODY) one.from = owner;
        if (a % 8 != 0 && owner == NOBODY) (id, one.from) = _someDeed(b >> 64);
        bool approves = one.verb >= Verb.Approve;
        address approved = model.approvedOf(id);
        if ((a >> 8) % 8 < 3 || (approves && (a >> 8) % 8 < 6)) one.by = one.from;
        else if ((a >> 8) % 8 < 6 && approved != NOBODY) one.by = approved;
        bool atMirror =
            one.verb == Verb.TransferDeed ||
                one.verb == Verb.SafeTransferDeed ||
                one.verb == Verb.ApproveDeed;
        one.value = atMirror || (c >> 8) % 32 == 0 ? id : ID + id;
    }

    function _someDeed(uint256 random) private view returns (uint256 id, address owner) {
        for (uint256 i = 0; i < ACCOUNTS; ++i) {
            owner = accounts[(random + i) % ACCOUNTS];
            uint256 count = model.deedCount(owner);
            if (count != 0) return (ownership.deedsOf(owner, (random >> 8) % count, 1)[0], owner);
        }
    }

    /// @dev All, nothing, a bit, some units, many units, any part, or more than there is.
    function _someAmount(uint256 random, address from) private view returns (uint256) {
        uint256 balance = model.balanceOf(from);
        uint256 kind = random % 16;
        random >>= 8;
        if (kind == 0) return 0;
        if (kind < 3) return balance;
        if (kind == 3) return balance + 1 + (random % 2 == 0 ? 0 : ID + ((random >> 8) % 4));
        if (kind < 6) return (random % (unit + 1)) % (balance + 1);
        if (kind < 10) return (unit * (random % 6)) % (balance + 1);
        if (kind < 13) return (unit * (random % 400)) % (balance + 1);
        return random % (balance + 1);
    }

    function _someCount(uint256 random) private pure returns (uint256) {
        uint256 kind = random % 8;
        random >>= 8;
        if (kind < 2) return type(uint256).max;
        return kind < 4 ? random % 4 : random % 300;
    }

    // ---- Calls ----

    /// @dev Of whoever calls back when it is given a deed.
    Call private _armed;
    bool private _isArmed;

    function _arm(Call memory one, uint256 random) private {
        _isArmed = false;
        if (one.verb != Verb.SafeTransferId && one.verb != Verb.SafeTransferDeed) return;
        if (one.to != accounts[2] && one.to != accounts[6]) return;
        Call memory inside = _someCall(random >> 16, random >> 32, random >> 96, random >> 160);
        inside.by = one.to;
        if (random % 2 == 0) {
            // Passes it on.
            inside.verb = Verb.TransferDeed;
            (inside.from, inside.value) = (one.to, one.value % ID);
        }
        if (inside.verb == Verb.Transfer) inside.from = one.to;
        // Others are not armed for what is inside.
        if (inside.verb == Verb.SafeTransferId || inside.verb == Verb.SafeTransferDeed) {
            inside.verb = Verb.TransferDeed;
        }
        (_armed, _isArmed) = (inside, true);
        (address target, bytes memory data) = _encode(inside);
        DeedReceiver(payable(one.to)).arm(target, 0, data);
        DeedReceiver(payable(one.to)).answer(DeedReceiver.Answer.Reenter);
    }

    function _do(Call memory one) private {
        (bool success, bytes memory expected) = model.perform(one);
        (address target, bytes memory data) = _encode(one);
        bool asked = success && _isArmed;
        bool insideSuccess;
        bytes memory insideExpected;
        if (asked) (insideSuccess, insideExpected) = model.perform(_armed);
        vm.recordLogs();
        vm.prank(one.by);
        (bool went, bytes memory answer) = target.call(data);
        // Those of a call that fails are recorded as well.
        if (went) _compareLogs();
        assertTrue(went == success, "went through or not");
        assertEq(answer, expected, "answer");
        if (success) ++done[one.verb];
        else ++refused[one.verb];
        if (!asked) return;
        ++entered;
        assertEq(Actor(payable(one.to)).entries(), 1, "asked once");
        assertTrue(Actor(payable(one.to)).succeeded() == insideSuccess, "inside");
        assertEq(Actor(payable(one.to)).returned(), insideExpected, "answer inside");
    }

    function _encode(Call memory c) private view returns (address target, bytes memory data) {
        target = address(ownership);
        if (c.verb == Verb.TransferDeed || c.verb == Verb.SafeTransferDeed) target = address(deeds);
        if (c.verb == Verb.ApproveDeed || c.verb == Verb.SetOperatorAtMirror) target = address(deeds);
        if (c.verb == Verb.Transfer) data = abi.encodeCall(ownership.transfer, (c.to, c.value));
        else if (c.verb <= Verb.SafeTransferDeed) {
            string memory function_ =
                c.verb == Verb.Erc20TransferFrom
                    ? "erc20TransferFrom(address,address,uint256)"
                    : c.verb == Verb.Erc721TransferFrom
                        ? "erc721TransferFrom(address,address,uint256)"
                        : c.verb == Verb.SafeTransferId || c.verb == Verb.SafeTransferDeed
                            ? "safeTransferFrom(address,address,uint256)"
                            : "transferFrom(address,address,uint256)";
            data = abi.encodeWithSignature(function_, c.from, c.to, c.value);
        } else if (c.verb <= Verb.ApproveDeed) {
            string memory function_ =
                c.verb == Verb.Erc20Approve
                    ? "erc20Approve(address,uint256)"
                    : c.verb == Verb.Erc721Approve
                        ? "erc721Approve(address,uint256)"
                        : "approve(address,uint256)";
            data = abi.encodeWithSignature(function_, c.to, c.value);
        } else if (c.verb <= Verb.SetOperatorAtMirror)
            data = abi.encodeCall(ownership.setApprovalForAll, (c.to, c.flag));
        else if (c.verb == Verb.Materialise) data = abi.encodeCall(ownership.materialise, (c.value));
        else if (c.verb == Verb.Release) data = abi.encodeCall(ownership.release, (c.value));
        else if (c.verb == Verb.ReleaseUncovered)
            data = abi.encodeCall(ownership.releaseUncovered, (c.to, c.value));
        else if (c.verb == Verb.Mint) data = abi.encodeCall(ownership.mint, (c.to, c.value));
        else if (c.verb == Verb.SetSkip) data = abi.encodeCall(ownership.setSkipNFT, (c.flag));
        else if (c.verb == Verb.SetSelfExempt)
            data = abi.encodeCall(ownership.setSelfERC721TransferExempt, (c.flag));
        else if (c.verb == Verb.SetExempt) data = abi.encodeCall(ownership.setExempt, (c.to, c.flag));
        else data = abi.encodeCall(ownership.delegate, (c.to));
    }

    // ---- Logs ----

    bytes32 private _logs;

    /// @dev All but those of votes are the model's; deeds go where logs say.
    function _compareLogs() private {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        bytes32 digest = _logs;
        for (uint256 i = 0; i < logs.length; ++i) {
            bytes32[] memory topics = logs[i].topics;
            if (logs[i].emitter != address(ownership) && logs[i].emitter != address(deeds)) continue;
            if (topics[0] == keccak256("DelegateChanged(address,address,address)")) continue;
            if (topics[0] == keccak256("DelegateVotesChanged(address,uint256,uint256)")) continue;
            if (topics[0] == keccak256("OwnershipTransferred(address,address)")) continue;
            bytes32[4] memory four;
            for (uint256 k = 0; k < topics.length; ++k) four[k] = topics[k];
            digest = keccak256(abi.encode(digest, logs[i].emitter, four, logs[i].data));
            if (logs[i].emitter == address(deeds) && topics[0] == IERC721.Transfer.selector) {
                assertEq(logged[uint256(topics[3])], address(uint160(uint256(topics[1]))), "log after log");
                logged[uint256(topics[3])] = address(uint160(uint256(topics[2])));
            }
        }
        _logs = digest;
        assertTrue(digest == model.logs(), "logs");
    }

    // ---- Comparison ----

    function _compareAccount(address account) private view {
        IModelOwnership.Standing memory standing = ownership.standingOf(account);
        assertEq(standing.balance, model.balanceOf(account), "balance");
        assertEq(standing.deeds, model.deedCount(account), "deeds");
        assertEq(standing.uncovered, model.uncoveredOf(account), "uncovered");
        assertTrue(standing.exempt == model.isExempt(account), "exempt");
        assertTrue(standing.spoken == model.isDeclared(account), "spoken");
        assertTrue(standing.isContract == model.isContract(account), "isContract");
        assertEq(ownership.getVotes(account), model.votesOf(account), "votes");
        assertEq(deedsOf(account), model.deedsOf(account), "list of deeds");
    }

    /// @notice Every figure there is.
    function compareEverything() public view {
        for (uint256 i = 0; i < ACCOUNTS; ++i) {
            address account = accounts[i];
            _compareAccount(account);
            assertDeeds(account, model.deedsOf(account));
            assertEq(ownership.delegates(account), model.delegateeOf(account), "delegate");
            for (uint256 k = 0; k < ACCOUNTS; ++k) {
                address other = accounts[k];
                assertEq(ownership.allowance(account, other), model.allowances(account, other), "allowance");
                assertTrue(
                    ownership.isApprovedForAll(account, other) == model.operators(account, other),
                    "operator"
                );
            }
        }
        assertEq(queue(), model.queue(), "queue");
        for (uint256 id = 0; id <= model.minted() + 1; ++id) {
            assertEq(ownership.deedOwnerOf(id), model.ownerOf(id), "owner");
            assertEq(ownership.deedApproved(id), model.approvedOf(id), "approved");
        }
        uint256 time = vm.getBlockTimestamp();
        for (uint256 i = START; i < time && i < START + 8; ++i) {
            assertEq(ownership.getPastTotalSupply(i), model.supplyAt(i), "past supply");
        }
        if (time > START) assertEq(ownership.getPastTotalSupply(time - 1), model.supplyAt(time - 1), "past");
    }

    function theOwnership() external view returns (IModelOwnership) {
        return ownership;
    }

    function theDeeds() external view returns (IModelDeeds) {
        return deeds;
    }
}
