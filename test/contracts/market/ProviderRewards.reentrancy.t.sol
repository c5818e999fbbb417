// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {Actor} from "../../../contracts/mocks/Actor.sol";
import {HookERC20} from "../../../contracts/mocks/HookERC20.sol";
import {RewardsTest} from "./RewardsTest.sol";

/// @notice Each call that moves money hands control to a provider, which makes a second call from inside. Every pair of
/// calls is tried. The guard refuses the second one, and all is as if it had not been made; inside, the views show the
/// state before or after the first call. What the market lets be done meanwhile changes nothing of the rewards.
abstract contract RewardsReentrancyTest is RewardsTest {
    enum Call {
        // These two move money.
        ClaimOld,
        Fund,
        ClaimOther,
        ClaimNew,
        Record,
        Collect,
        None
    }

    Actor private actor;
    Actor private other;

    Call private second;
    uint256 private entered;
    bool private succeeded;
    bytes private reason;
    bytes32 private viewsInside;

    /// @dev Two epochs are over in which both were recorded; the second is not closed yet. More fees are due.
    function openCalls(bool native) internal {
        openRewards(native);
        (actor, other) = (new Actor(), new Actor());
        enrich(address(actor), 1 ether, address(rewards));
        if (!native) {
            actor.execute(
                address(token),
                0,
                abi.encodeCall(token.approve, (address(rewards), type(uint256).max))
            );
        }
        recordBoth();
        for (uint256 i = 0; i < 2; ++i) {
            fill(10 ether);
            payFees(address(actor), 5 ether);
            payFees(address(other), 3 ether);
            recordBoth();
            nextEpoch();
        }
        payFees(address(actor), 1 ether);
    }

    function recordBoth() private {
        record(address(actor));
        record(address(other));
    }

    function tryEverything(Call first, HookERC20.Moment moment) internal {
        bytes32 before = views();
        uint256 snapshot = vm.snapshotState();
        enter(first, Call.None, moment);
        bytes32 afterFirst = state();
        assertTrue(viewsInside == before || viewsInside == views(), "A04 a state between");
        for (uint256 i = 0; i < uint256(Call.None); ++i) {
            vm.revertToState(snapshot);
            enter(first, Call(i), moment);
            if (Call(i) == Call.Collect) {
                assertTrue(succeeded, "the market's own");
                assertTrue(views() == viewsAfter(snapshot, first), "rewards by the market's call");
                continue;
            }
            assertTrue(!succeeded, "the guard was passed");
            assertTrue(
                bytes4(reason) == ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector,
                "refused for another reason"
            );
            assertTrue(state() == afterFirst, "a refusal left something");
        }
        vm.revertToState(snapshot);
    }

    function viewsAfter(uint256 snapshot, Call first) private returns (bytes32) {
        vm.revertToState(snapshot);
        execute(first);
        return views();
    }

    /// @dev Makes the first call, and from inside it the second.
    function enter(Call first, Call inside, HookERC20.Moment moment) private {
        (second, entered, succeeded) = (inside, 0, false);
        bytes memory interruption = abi.encodeCall(this.interrupt, ());
        if (address(token) == address(0)) actor.arm(address(this), 0, interruption);
        else token.setHook(moment, address(this), interruption);
        execute(first);
        if (address(token) == address(0)) actor.setManner(Actor.Manner.Accept);
        else token.setHook(HookERC20.Moment.Never, address(0), "");
        assertEq(entered, 1, "control is handed over");
    }

    /// @notice The token or the provider that is paid calls this.
    function interrupt() external {
        if (entered++ != 0) return;
        viewsInside = views();
        if (second == Call.None) return;
        (address target, uint256 value, bytes memory data) = callOf(second);
        (succeeded, reason) = address(actor).call(abi.encodeCall(actor.execute, (target, value, data)));
    }

    // ---- Calls ----

    function execute(Call what) private {
        (address target, uint256 value, bytes memory data) = callOf(what);
        actor.execute(target, value, data);
    }

    function callOf(Call what) private view returns (address target, uint256 value, bytes memory data) {
        target = address(rewards);
        address[] memory both = new address[](2);
        (both[0], both[1]) = (address(actor), address(other));
        if (what == Call.ClaimOld) data = abi.encodeCall(rewards.claim, (address(actor), 0));
        else if (what == Call.ClaimNew) data = abi.encodeCall(rewards.claim, (address(actor), 1));
        else if (what == Call.ClaimOther) data = abi.encodeCall(rewards.claim, (address(other), 0));
        else if (what == Call.Fund) (value, data) = (valueOf(7), abi.encodeCall(rewards.fund, (7)));
        else if (what == Call.Record) data = abi.encodeCall(rewards.record, (both));
        else (target, data) = (address(market), abi.encodeCall(market.collectFees, (both)));
    }

    // ---- What is looked at ----

    function views() private view returns (bytes32 seen) {
        seen = keccak256(abi.encode(rewards.pot(), rewards.currentEpoch()));
        address[2] memory both = [address(actor), address(other)];
        for (uint256 epoch = 0; epoch < 3; ++epoch) {
            seen = keccak256(abi.encode(seen, rewards.epochOf(epoch)));
            for (uint256 i = 0; i < 2; ++i) seen = keccak256(abi.encode(seen, shareOf(both[i], epoch)));
        }
    }

    function shareOf(address provider, uint256 epoch) private view returns (bytes memory) {
        (uint256 fees, uint256 reward, bool claimed) = rewards.rewardOf(provider, epoch);
        (uint256 recorded, uint256 joinedAt) = rewards.recordedOf(provider);
        return abi.encode(fees, reward, claimed, recorded, joinedAt);
    }

    /// @dev The views, whose money is where, and what the market has of it.
    function state() private view returns (bytes32) {
        return
            keccak256(
                abi.encode(
                    views(),
                    balanceOf(address(actor)),
                    balanceOf(address(other)),
                    balanceOf(address(rewards)),
                    market.feesDue(address(actor)),
                    market.feesPaidOf(address(actor))
                )
            );
    }
}

contract RewardsTokenReentrancyTest is RewardsReentrancyTest {
    function setUp() external {
        openCalls(false);
    }

    function test_A01_A04_tokenCallsBeforeItMovesBalances() external {
        for (uint256 i = 0; i < 2; ++i) tryEverything(Call(i), HookERC20.Moment.Before);
    }

    function test_A01_A04_tokenCallsAfterItMovedBalances() external {
        for (uint256 i = 0; i < 2; ++i) tryEverything(Call(i), HookERC20.Moment.After);
    }
}

contract RewardsNativeReentrancyTest is RewardsReentrancyTest {
    function setUp() external {
        openCalls(true);
    }

    /// @dev Only what pays out hands over control.
    function test_A02_A04_receiverCalls() external {
        tryEverything(Call.ClaimOld, HookERC20.Moment.Never);
    }
}
