// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IModelDeeds} from "../../../contracts/interfaces/IModelDeeds.sol";
import {IModelOwnership} from "../../../contracts/interfaces/IModelOwnership.sol";
import {Test} from "../utils/Test.sol";
import {OwnershipHandler} from "./OwnershipHandler.sol";
import {OwnershipModel, Verb} from "./OwnershipModel.sol";

/// @dev The runner knows by their code those that are here.
contract AnyOwnershipHandler is OwnershipHandler {
    constructor(uint256 unit, uint256 cap) OwnershipHandler(unit, cap) {}
}

/// @notice What holds whatever anybody does with a model's ownership.
/// @dev A handler that reverts has seen something wrong: that fails too. What looks at every id does so now and then, and at
/// the end of each run.
abstract contract ModelOwnershipInvariants is Test {
    uint256 private constant SELDOM = 16;

    uint256 private immutable _unit;
    uint256 private immutable _cap;

    AnyOwnershipHandler internal handler;
    IModelOwnership private _ownership;
    IModelDeeds private _deeds;
    OwnershipModel private _model;

    constructor(uint256 unit, uint256 cap) {
        (_unit, _cap) = (unit, cap);
    }

    function setUp() public {
        handler = new AnyOwnershipHandler(_unit, _cap);
        (_ownership, _deeds, _model) = (handler.theOwnership(), handler.theDeeds(), handler.model());
        targetContract(address(handler));
    }

    function checkEverything() internal view {
        if (handler.steps() % SELDOM == 0) everyIdHasOnePlace();
        uint256 balances = 0;
        uint256 votes = 0;
        uint256 voting = 0;
        for (uint256 i = 0; i < handler.ACCOUNTS(); ++i) {
            address account = handler.accounts(i);
            IModelOwnership.Standing memory standing = _ownership.standingOf(account);
            balances += standing.balance;
            votes += _ownership.getVotes(account);
            if (_ownership.delegates(account) != address(0)) voting += standing.balance;
            assertEq(standing.balance, _ownership.balanceOf(account), "balanceOf");
            assertEq(standing.wholeUnits, standing.balance / _unit, "whole units");
            assertLe(standing.deeds, standing.wholeUnits, "I-14 more deeds than units");
            assertEq(standing.deeds, _deeds.balanceOf(account), "balanceOf at the mirror");
            assertEq(standing.deeds, _ownership.erc721BalanceOf(account), "erc721BalanceOf");
            // Whoever wants deeds has them all, unless a call would have moved too many or it gave some up.
            if (!_model.lacked(account)) assertEq(standing.deeds, standing.wholeUnits, "I-14 deeds");
        }
        assertEq(_ownership.totalSupply(), balances, "I-14 supply");
        assertLe(balances, _cap, "above the cap");
        assertLe(_ownership.minted(), _cap / _unit, "I-14 ids");
        // Those of whoever delegated to an account that is none of these are not among them.
        assertLe(votes, voting, "votes");
    }

    /// @dev Owned, waiting, or uncovered on one list; by its log whoever had it last.
    function everyIdHasOnePlace() private view {
        uint256 minted = _ownership.minted();
        address[] memory owners = new address[](minted + 1);
        uint256[] memory uncovered = new uint256[](handler.ACCOUNTS());
        uint256 counted = 0;
        for (uint256 i = 0; i < handler.ACCOUNTS(); ++i) {
            address account = handler.accounts(i);
            uint256[] memory ids = _deeds.deedsOf(account, 0, type(uint256).max);
            for (uint256 k = 0; k < ids.length; ++k) {
                assertTrue(owners[ids[k]] == address(0), "I-14 twice");
                owners[ids[k]] = account;
                assertTrue(handler.logged(ids[k]) == account, "I-14 logged");
            }
            uncovered[i] = _ownership.standingOf(account).uncovered;
            counted += ids.length + uncovered[i];
        }
        uint256 queued = _ownership.getERC721QueueLength();
        assertEq(counted + queued, minted, "I-14 ids in all");
        assertEq(_deeds.totalSupply(), minted - queued, "deeds in all");
        uint256 waiting = 0;
        for (uint256 id = 1; id <= minted; ++id) {
            assertEq(_ownership.deedOwnerOf(id), owners[id], "I-14 owner");
            if (owners[id] != address(0)) continue;
            assertEq(_ownership.deedApproved(id), address(0), "I-14 approved without an owner");
            if (handler.logged(id) == address(0)) ++waiting;
        }
        assertEq(waiting, queued, "I-14 waiting");
    }

    /// @dev Until they are released, uncovered deeds are by their logs whoever's list they are on: then all agree.
    function afterInvariant() external {
        everyIdHasOnePlace();
        handler.compareEverything();
        for (uint256 i = 0; i < handler.ACCOUNTS(); ++i) {
            _ownership.releaseUncovered(handler.accounts(i), type(uint256).max);
        }
        uint256 minted = _ownership.minted();
        uint256 owned = 0;
        for (uint256 id = 1; id <= minted; ++id) if (_ownership.deedOwnerOf(id) != address(0)) ++owned;
        assertEq(owned + _ownership.getERC721QueueLength(), minted, "I-14 all agree");
    }
}

// A runner reads its settings where a test is, not where it is inherited from.

contract ModelOwnershipInvariantsOf1Test is ModelOwnershipInvariants(1, 600) {
    uint256 private _done;
    uint256 private _refused;
    uint256 private _seen;

    /// hardhat-config: default.invariant.runs = 2
    /// hardhat-config: deep.invariant.runs = 250
    /// hardhat-config: invariant.failOnRevert = true
    function invariant_I14_balancesDeedsAndIds() external view {
        checkEverything();
    }

    /// @dev The invariants say something: the handler gets through to every verb, is refused by those that refuse, and sees
    /// all that is rare.
    function test_handlerReachesEverything() external {
        uint256 random = 0;
        for (uint256 i = 0; i < 1_152; ++i) {
            random = uint256(keccak256(abi.encode(random)));
            uint256 more = uint256(keccak256(abi.encode(random, 1)));
            handler.act(random, random >> 64, more, uint256(keccak256(abi.encode(random, 2))));
            if (i % 384 != 383) continue;
            handler.compareEverything();
            _remember();
            setUp();
        }
        assertEq(_done, (2 << uint256(type(Verb).max)) - 1, "a bit per verb");
        uint256 always =
            (1 << uint256(Verb.Materialise)) |
                (1 << uint256(Verb.Release)) |
                (1 << uint256(Verb.ReleaseUncovered)) |
                (1 << uint256(Verb.SetSkip)) |
                (1 << uint256(Verb.SetSelfExempt)) |
                (1 << uint256(Verb.Delegate));
        assertEq(_refused | always, (2 << uint256(type(Verb).max)) - 1, "a bit per refusal");
        assertEq(_seen, 0x3f, "a bit per rare state");
    }

    function _remember() private {
        OwnershipModel model = handler.model();
        for (uint256 i = 0; i <= uint256(type(Verb).max); ++i) {
            if (handler.done(Verb(i)) != 0) _done |= 1 << i;
            if (handler.refused(Verb(i)) != 0) _refused |= 1 << i;
        }
        if (model.uncovered()) _seen |= 1;
        if (model.pending()) _seen |= 2;
        if (model.exhausted()) _seen |= 4;
        if (model.recovered()) _seen |= 8;
        if (model.handedAll()) _seen |= 16;
        if (handler.entered() != 0) _seen |= 32;
    }
}

contract ModelOwnershipInvariantsOf3Test is ModelOwnershipInvariants(3, 1_201) {
    /// hardhat-config: default.invariant.runs = 2
    /// hardhat-config: deep.invariant.runs = 250
    /// hardhat-config: invariant.failOnRevert = true
    function invariant_I14_balancesDeedsAndIds() external view {
        checkEverything();
    }
}

contract ModelOwnershipInvariantsOf1e18Test is ModelOwnershipInvariants(1e18, 500e18 - 1) {
    /// hardhat-config: default.invariant.runs = 2
    /// hardhat-config: deep.invariant.runs = 250
    /// hardhat-config: invariant.failOnRevert = true
    function invariant_I14_balancesDeedsAndIds() external view {
        checkEverything();
    }
}

contract ModelOwnershipInvariantsOf7e17Test is ModelOwnershipInvariants(7e17, 300e18) {
    /// hardhat-config: default.invariant.runs = 2
    /// hardhat-config: deep.invariant.runs = 250
    /// hardhat-config: invariant.failOnRevert = true
    function invariant_I14_balancesDeedsAndIds() external view {
        checkEverything();
    }
}

contract ModelOwnershipInvariantsOfManyTest is ModelOwnershipInvariants(2 ** 90, 2 ** 96 - 1) {
    /// hardhat-config: default.invariant.runs = 2
    /// hardhat-config: deep.invariant.runs = 250
    /// hardhat-config: invariant.failOnRevert = true
    function invariant_I14_balancesDeedsAndIds() external view {
        checkEverything();
    }
}
