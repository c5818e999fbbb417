// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IJury} from "../../../contracts/interfaces/IJury.sol";
import {MockERC20} from "../../../contracts/mocks/MockERC20.sol";
import {Delivered, Outcome, Status, TaskId, Terms} from "../../../contracts/market/Tasks.sol";
import {JuryTest} from "./JuryTest.sol";

/// @dev Two cases with the same jurors, whatever anybody does or does not do, in any order: both end, and no wei is lost.
contract JuryWalksTest is JuryTest {
    uint256 private constant JURORS = 24;
    uint256 private constant MOVES = 60;

    /// One of the two tasks.
    struct Task {
        Terms terms;
        TaskId id;
        uint256 cost;
        Delivered delivered;
        bytes32 auditSeed;
    }

    Task[2] private tasks;

    function setUp() external {
        convene(JURORS);
    }

    function save(uint256 which) private {
        tasks[which] = Task(terms, id, cost, delivered, auditSeed);
    }

    function choose(uint256 which) private {
        Task storage task = tasks[which];
        terms = task.terms;
        delivered = task.delivered;
        (id, cost, auditSeed) = (task.id, task.cost, task.auditSeed);
    }

    /// @dev I-1, I-2, I-5, I-8, I-11 and I-19 for random walks.
    function testFuzz_I01_I02_I05_I08_I11_anyWalkEnds(Stakes[2] memory stakes, uint256 dice) external {
        vm.roll(1_000);
        uint256 before = wealth();
        for (uint256 which = 0; which < 2; ++which) {
            bounded(stakes[which]);
            auditSeed = bytes32(which + 1);
            deliverJudged(stakes[which]);
            disputeIt(dice % 8 == which ? bytes32(0) : auditSeed);
            save(which);
        }
        uint256 time = DISPUTED;
        for (uint256 i = 0; i < MOVES; ++i) {
            dice = uint256(keccak256(abi.encode(dice)));
            choose(dice % 2);
            time += move(dice >> 8);
            vm.warp(time);
            vm.roll(1_000 + 3 * i);
        }
        for (uint256 which = 0; which < 2; ++which) {
            choose(which);
            vm.warp(market.disputeOf(id).rulingBy + 1);
            tryMarket(STRANGER, abi.encodeCall(market.resolve, (terms, workHash, delivered)));
            ask(STRANGER, 0, finishCall());
            (Status status, , , ) = market.taskOf(id);
            assertEq(uint256(status), uint256(Status.Resolved), "I-8");
            IJury.Step step = jury.caseOf(id).step;
            assertTrue(step == IJury.Step.Ended || step <= IJury.Step.Summoned, "nobody is bound");
        }
        // All that jurors lost went to somebody, and nothing of theirs is bound any more.
        for (uint256 i = 0; i < JURORS; ++i) {
            IJury.Seat memory seat_ = jury.seatOf(0, i);
            assertEq(SEAT - stakeOf(jurorOf(i)), (SEAT * seat_.lostBps) / BPS, "I-11");
            assertEq(lockedOf(jurorOf(i)), stakeOf(jurorOf(i)), "locked");
        }
        assertEq(address(jury).balance + market.balanceOf(address(jury)), owed(JURORS), "I-1");
        assertEq(wealth(), before, "I-2");
        takeOut(STRANGER);
        takeOut(OWNER);
        takeOut(TREASURY);
        for (uint256 i = 0; i < JURORS; ++i) takeOut(jurorOf(i));
        assertEq(address(jury).balance + market.balanceOf(address(jury)), 0, "I-19");
    }

    /// @dev Somebody tries something; whether it goes through is not looked at. How long it takes [s].
    function move(uint256 dice) private returns (uint256) {
        uint256 what = dice % 14;
        if (what == 0) ask(PROVIDER, 0, drawCall());
        else if (what == 1) ask(OWNER, 0, summonCall());
        else if (what == 2) ask(OWNER, 0, drawCall());
        else if (what < 5) ask(OWNER, 0, handOverCall());
        else if (what < 8) commitAll(dice);
        else if (what < 11) revealAll(dice);
        else if (what == 11) ask(STRANGER, jury.appealBondOf(id), appealCall());
        else if (what == 12) ask(STRANGER, 0, dice % 3 == 0 ? lapseCall() : finishCall());
        else if ((dice >> 128) % 8 == 0) {
            tryMarket(PROVIDER, abi.encodeCall(market.concede, (terms, workHash, delivered)));
        }
        return [uint256(1), 60, STEP / 4, STEP][(dice >> 136) % 4];
    }

    /// @dev All that are drawn but for one; some with work of their own.
    function commitAll(uint256 dice) private {
        address[] memory list = voters();
        for (uint256 i = 0; i < list.length; ++i) {
            if (i == (dice >> 8) % 15) continue;
            ask(list[i], 0, commitCall(i, (dice >> (32 + i)) % 8 == 0 ? otherOf(i) : WORK));
        }
    }

    function revealAll(uint256 dice) private {
        address[] memory list = voters();
        for (uint256 i = 0; i < list.length; ++i) {
            uint256 bps = [uint256(0), 0, BPS, 3_333][(dice >> (64 + 2 * i)) % 4];
            (bool done, ) = ask(list[i], 0, revealCall(i, WORK, bps));
            if (!done) ask(list[i], 0, revealCall(i, otherOf(i), bps));
        }
    }

    function otherOf(uint256 i) private pure returns (uint256) {
        return uint240(uint256(keccak256(abi.encode("other", i))));
    }

    function tryMarket(address caller, bytes memory data) private {
        vm.prank(caller);
        (bool success, ) = address(market).call(data);
        success;
    }

    function takeOut(address account) private {
        if (jury.creditOf(account) != 0) bid(account, abi.encodeCall(jury.withdraw, (account)));
    }

    /// @dev All the money there is with anybody who takes part.
    function wealth() private view returns (uint256 sum) {
        sum = address(market).balance + address(registry).balance + address(jury).balance;
        sum += OWNER.balance + PROVIDER.balance + STRANGER.balance + TREASURY.balance;
    }
}

/// @dev The same in a token: bonds are pulled, fines and fees are paid out in it.
contract JuryTokenTest is JuryTest {
    uint256 private constant JURORS = 24;
    MockERC20 private token;

    function setUp() external {
        token = new MockERC20();
        conveneIn(address(token), 0);
        for (uint256 i = 0; i < JURORS; ++i) {
            token.mint(jurorOf(i), SEAT);
            vm.prank(jurorOf(i));
            token.approve(address(registry), SEAT);
            register(jurorOf(i), voterOf(i), 1, 0);
            vm.prank(jurorOf(i));
            registry.stake(SEAT);
            vm.prank(jurorOf(i));
            jury.takeSeats(0, 1, voterOf(i));
        }
        address[3] memory accounts = [OWNER, STRANGER, PROVIDER];
        for (uint256 i = 0; i < 3; ++i) {
            token.mint(accounts[i], 1e21);
            vm.prank(accounts[i]);
            token.approve(address(market), type(uint256).max);
            vm.prank(accounts[i]);
            token.approve(address(jury), type(uint256).max);
        }
        vm.prank(PROVIDER);
        token.approve(address(registry), type(uint256).max);
        vm.prank(PROVIDER);
        registry.stake(1e20);
    }

    function test_A05_bondsFinesAndFeesInAToken() external {
        vm.warp(BEGUN);
        disputedByBalance(Stakes(1e19, 1e19));
        draw();
        deliberate(three(0, 0, BPS));
        vm.warp(untilNow() + 1);
        uint256 had = token.balanceOf(STRANGER);
        (bool success, ) = ask(STRANGER, 0, appealCall());
        assertTrue(success, "appealed");
        assertEq(had - token.balanceOf(STRANGER), 15 * share, "bond");
        assertEq(token.balanceOf(address(jury)), 15 * share, "here");
        (success, ) = ask(OWNER, 1, appealCall());
        assertTrue(!success, "no coin");
        deliberate(fifteen(0, 15));
        finish();
        assertEnded(Outcome.RuledForProvider);
        assertEq(token.balanceOf(address(jury)) + market.balanceOf(address(jury)), owed(JURORS), "I-1");
        assertEq(jury.creditOf(STRANGER), 15 * share, "it was right");
        bid(STRANGER, abi.encodeCall(jury.withdraw, (STRANGER)));
        assertEq(token.balanceOf(STRANGER), had, "bond is back");
        assertEq(stakeOf(accountAt(0, 0)), SEAT - fine, "fined");
    }

    function disputedByBalance(Stakes memory stakes) private {
        vm.prank(OWNER);
        market.deposit(1e20);
        deliverPaid(stakes, 0);
        (bond, fee, ) = market.bondOf(terms);
        vm.prank(OWNER);
        market.dispute(terms, workHash, delivered, 3, auditSeed, bond);
        share = fee / 3;
        fine = (SEAT * riskBps()) / BPS;
    }
}
