// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {IEscrow} from "../../../contracts/interfaces/IEscrow.sol";
import {IRevenueShareToken} from "../../../contracts/interfaces/IRevenueShareToken.sol";
import {Actor} from "../../../contracts/mocks/Actor.sol";
import {HookERC20} from "../../../contracts/mocks/HookERC20.sol";
import {ShareTest} from "./ShareTest.sol";

/// @notice Each call that moves money hands control to this contract, which holds tokens, mints, bridges and owns, and
/// makes a second call from inside. Every pair of calls is tried. The guard refuses the second one, and all is as if it had
/// not been made; what moves no revenue may be called, and is as if it had been called afterwards. Inside, the views show
/// the state before or after the first call.
contract RevenueShareTokenReentrancyTest is ShareTest {
    enum Call {
        // These hand over control.
        Claim,
        ClaimBatch,
        ClaimThrough,
        ClaimAll,
        ClaimFor,
        ClaimForBatch,
        Burn,
        WithdrawCredit,
        Deposit,
        // These do not, and are guarded.
        Sync,
        Snapshot,
        Collect,
        // These are not guarded.
        Transfer,
        SetSharing,
        SetExcluded,
        SetRecipient,
        RefuseClaimFor,
        Mint,
        Depart,
        Arrive,
        None
    }

    HookERC20 private hook;
    address private paidIn;
    address private other;

    bool private armed;
    Call private second;
    uint256 private entered;
    bool private succeeded;
    bytes4 private reason;
    bytes32 private viewsInside;
    bool private refuses;

    /// @dev Three periods are over: of the first one this contract has a credit, the others it has not claimed.
    function setUp() external {
        vm.warp(START);
        hook = new HookERC20();
        other = address(new Actor());
        IRevenueShareToken.Settings memory settings = someSettings();
        (settings.owner, settings.minter, settings.bridge) = (address(this), address(this), address(this));
        (settings.mintUntil, settings.tokens) = (uint40(START + 100 * PERIOD), listOf(address(hook)));
        settings.cap = 2_000;
        allocate(settings, address(this), 600);
        allocate(settings, other, 400);
        share = deploy(settings);
        for (uint256 i = 0; i < 3; ++i) {
            pay(NATIVE, 1_000_000);
            pay(address(hook), 1_000_000);
            if (i == 1) execute(Call.Transfer);
            nextPeriod();
        }
        refuses = true;
        // Nobody answers to that.
        hook.setHook(HookERC20.Moment.Before, address(share), hex"12345678");
        share.claim(1);
        hook.setHook(HookERC20.Moment.Never, address(0), "");
        refuses = false;
        assertTrue(share.creditOf(address(this), NATIVE) != 0, "a credit in coins");
        assertTrue(share.creditOf(address(this), address(hook)) != 0, "a credit in tokens");
        share.approve(address(this), type(uint256).max);
        execute(Call.Depart);
        enrich(address(this), address(hook), 1_000);
    }

    receive() external payable {
        if (refuses) revert();
        if (armed && paidIn == NATIVE) interrupt();
    }

    function test_A01_A04_tokenCallsBeforeItMovesBalances() external {
        paidIn = address(hook);
        for (uint256 i = 0; i <= uint256(Call.Deposit); ++i) tryEverything(Call(i), HookERC20.Moment.Before);
    }

    function test_A01_A04_tokenCallsAfterItMovedBalances() external {
        paidIn = address(hook);
        for (uint256 i = 0; i <= uint256(Call.Deposit); ++i) tryEverything(Call(i), HookERC20.Moment.After);
    }

    /// @dev Only what pays out hands over control.
    function test_A02_A04_receiverCalls() external {
        paidIn = NATIVE;
        for (uint256 i = 0; i < uint256(Call.Deposit); ++i) tryEverything(Call(i), HookERC20.Moment.Never);
    }

    function tryEverything(Call first, HookERC20.Moment moment) private {
        bytes32 before = views();
        uint256 snapshot = vm.snapshotState();
        execute(first);
        bytes32 afterFirst = state();
        vm.revertToState(snapshot);
        enter(first, Call.None, moment);
        assertTrue(state() == afterFirst, "a look changed something");
        bytes32 inside = viewsInside;
        vm.revertToState(snapshot);
        // Of a batch the first element has been.
        if (first == Call.ClaimBatch) share.claim(3);
        else execute(first == Call.ClaimForBatch ? Call.ClaimFor : first);
        assertTrue(inside == before || inside == views(), "A04 a state between");
        for (uint256 i = 0; i < uint256(Call.None); ++i) {
            // The rest of a batch is paid to whom the holder says meanwhile.
            if (first == Call.ClaimBatch && Call(i) == Call.SetRecipient) continue;
            vm.revertToState(snapshot);
            enter(first, Call(i), moment);
            if (Call(i) < Call.Transfer) {
                assertTrue(!succeeded, "the guard was passed");
                assertTrue(
                    reason == ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector,
                    "refused for another reason"
                );
                assertTrue(state() == afterFirst, "a refusal left something");
                continue;
            }
            assertTrue(succeeded, "what moves no revenue was refused");
            inside = state();
            vm.revertToState(snapshot);
            execute(first);
            execute(Call(i));
            assertTrue(state() == inside, "another result than afterwards");
        }
        vm.revertToState(snapshot);
    }

    /// @dev Makes the first call, and from inside it the second.
    function enter(Call first, Call inside, HookERC20.Moment moment) private {
        (armed, second, entered, succeeded, reason) = (true, inside, 0, false, 0);
        if (paidIn != NATIVE) hook.setHook(moment, address(this), abi.encodeCall(this.interrupt, ()));
        execute(first);
        if (paidIn != NATIVE) hook.setHook(HookERC20.Moment.Never, address(0), "");
        armed = false;
        assertTrue(entered != 0, "control is handed over");
    }

    /// @notice The token calls this, or the coin's arrival does.
    function interrupt() public {
        if (entered++ != 0) return;
        if (second == Call.None) {
            viewsInside = views();
            return;
        }
        bytes memory returned;
        (succeeded, returned) = address(share).call(dataOf(second));
        reason = bytes4(returned);
    }

    // ---- Calls ----

    function execute(Call what) private {
        (bool success, bytes memory returned) = address(share).call(dataOf(what));
        if (success) return;
        assembly ("memory-safe") {
            revert(add(returned, 0x20), mload(returned))
        }
    }

    function dataOf(Call what) private view returns (bytes memory) {
        if (what == Call.Claim) return abi.encodeCall(share.claim, (2));
        if (what == Call.ClaimBatch) {
            uint256[] memory ids = new uint256[](2);
            (ids[0], ids[1]) = (3, 2);
            return abi.encodeCall(share.claimBatch, (ids));
        }
        if (what == Call.ClaimThrough) return abi.encodeCall(share.claimThrough, (2));
        if (what == Call.ClaimAll) return abi.encodeCall(share.claimAll, ());
        if (what == Call.ClaimFor) return abi.encodeCall(share.claimFor, (address(this)));
        if (what == Call.ClaimForBatch) {
            return abi.encodeCall(share.claimForBatch, (listOf(address(this), other)));
        }
        if (what == Call.Burn) return abi.encodeCall(share.burn, (100));
        if (what == Call.WithdrawCredit) return abi.encodeCall(share.withdrawCredit, (paidIn, address(this)));
        if (what == Call.Deposit) return abi.encodeCall(share.deposit, (address(hook), 7));
        if (what == Call.Sync) return abi.encodeCall(share.sync, (NATIVE));
        if (what == Call.Snapshot) return abi.encodeCall(share.snapshot, ());
        if (what == Call.Collect) return abi.encodeCall(share.collect, (IEscrow(address(this))));
        if (what == Call.Transfer) return abi.encodeCall(share.transfer, (other, 5));
        if (what == Call.SetSharing) return abi.encodeCall(share.setSharing, (false));
        if (what == Call.SetExcluded) return abi.encodeCall(share.setExcluded, (other, true));
        if (what == Call.SetRecipient) return abi.encodeCall(share.setRecipient, (other));
        if (what == Call.RefuseClaimFor) return abi.encodeCall(share.refuseClaimFor, (true));
        if (what == Call.Mint) return abi.encodeCall(share.mint, (other, 5));
        if (what == Call.Depart) return abi.encodeCall(share.crosschainBurn, (address(this), 5));
        return abi.encodeCall(share.crosschainMint, (other, 5));
    }

    // ---- What is looked at ----

    function views() private view returns (bytes32) {
        return
            keccak256(
                abi.encode(
                    share.positionOf(address(this)),
                    share.positionOf(other),
                    share.fundsOf(NATIVE),
                    share.fundsOf(address(hook)),
                    share.redemptionSupply(),
                    share.eligibleSupply()
                )
            );
    }

    /// @dev The views, and whose money is where.
    function state() private view returns (bytes32 seen) {
        seen = views();
        address[3] memory all = [address(this), other, address(share)];
        for (uint256 i = 0; i < 3; ++i) {
            seen = keccak256(abi.encode(seen, all[i].balance, hook.balanceOf(all[i])));
        }
    }
}
