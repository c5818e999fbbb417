// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IDisputes} from "../../../contracts/interfaces/IDisputes.sol";
import {ILeases} from "../../../contracts/interfaces/ILeases.sol";
import {IProviderRegistry} from "../../../contracts/interfaces/IProviderRegistry.sol";
import {ITaskMarket} from "../../../contracts/interfaces/ITaskMarket.sol";
import {Status} from "../../../contracts/market/Tasks.sol";
import {Test} from "../utils/Test.sol";
import {MarketHandler} from "./MarketHandler.sol";
import {MarketModel} from "./MarketModel.sol";

/// @dev The runner draws calls to contracts of test files alone.
contract TaskMarketHandler is MarketHandler {}

/// @notice What holds whatever anybody does with all that the market can, in the native currency.
/// @dev A handler that reverts has not compared: that fails too.
contract TaskMarketInvariantsTest is Test {
    ITaskMarket private _market;
    IProviderRegistry private _registry;
    TaskMarketHandler private _handler;

    /// What only grows, as it was last seen.
    mapping(bytes32 => uint256) private _seen;

    function setUp() public {
        _handler = new TaskMarketHandler();
        (address market, address registry) = _handler.theMarket();
        (_market, _registry) = (ITaskMarket(market), IProviderRegistry(registry));
        vm.deal(address(_handler), 1e30);
        targetContract(address(_handler));
    }

    /// @dev The invariants say something: the handler gets through to every verb and every kind of payer.
    function test_handlerReachesEverything() external {
        uint256 random = 0;
        for (uint256 i = 0; i < 2_560; ++i) {
            random = uint256(keccak256(abi.encode(random)));
            (uint256 a, uint256 b, uint256 c) = (random >> 16, random ^ (random >> 32), random >> 80);
            uint256 verb = random % 8;
            if (verb == 0) _handler.create(b, a, c, random, random >> 100);
            else if (verb == 1) _handler.act(a, b, c);
            else if (verb == 2) _handler.actOnTheNewest(a, b);
            else if (verb == 3) _handler.actWildly(a, b, c, random);
            else if (verb == 4) _handler.actTwice(b, a, c);
            else if (verb == 5) _handler.withdrawAndReenter(a, b, c);
            else if (verb == 6) _handler.money(a, b, c, random);
            else _handler.stake(a, b, uint8(c));
            assertEq(bytes(_handler.broken()), "", _handler.broken());
            this.invariant_I01_I02_marketHoldsExactlyItsLedgerAndEscrows();
            if (i % 64 != 63) continue;
            _afterAll();
            this.setUpAgain();
        }
        uint256 reached = 0;
        for (uint256 i = 0; i <= uint256(type(MarketModel.Verb).max); ++i) {
            if (_done[MarketModel.Verb(i)] != 0) reached |= 1 << i;
        }
        assertEq(reached, (2 << uint256(type(MarketModel.Verb).max)) - 1, "a bit per verb");
        string[5] memory kinds = ["own", "delegated", "sponsored", "quoted", "batched"];
        for (uint256 i = 0; i < kinds.length; ++i) assertTrue(_made[kinds[i]] != 0, kinds[i]);
    }

    mapping(MarketModel.Verb => uint256) private _done;
    mapping(string => uint256) private _made;

    function setUpAgain() external {
        for (uint256 i = 0; i <= uint256(type(MarketModel.Verb).max); ++i) {
            _done[MarketModel.Verb(i)] += _handler.done(MarketModel.Verb(i));
        }
        string[5] memory kinds = ["own", "delegated", "sponsored", "quoted", "batched"];
        for (uint256 i = 0; i < kinds.length; ++i) _made[kinds[i]] += _handler.made(kinds[i]);
        setUp();
    }

    // ---- Money ----

    /// hardhat-config: invariant.failOnRevert = true
    function invariant_I01_I02_marketHoldsExactlyItsLedgerAndEscrows() external view {
        assertEq(
            address(_market).balance,
            _handler.ledger() + _handler.liveEscrow() + _handler.donated(),
            "I-1 balance = ledger + escrow + donations"
        );
        assertEq(
            _handler.deposited() + _handler.slashed(),
            _handler.ledger() + _handler.liveEscrow() + _handler.withdrawn(),
            "I-2 deposited + slashed = ledger + escrow + withdrawn"
        );
        uint256 stakes = 0;
        for (uint256 i = 0; i < 3; ++i) stakes += _handler.stakeOf(_handler.providers(i));
        assertEq(address(_registry).balance, stakes, "I-1 registry");
    }

    /// @dev I-2 by task: what went in is locked, or went out; I-3: once.
    /// hardhat-config: invariant.failOnRevert = true
    function invariant_I02_I03_eachEscrowLeavesOnce() external view {
        for (uint256 i = 0; i < _handler.taskCount(); ++i) {
            MarketModel.Ghost memory g = _handler.ghost(i);
            assertEq(g.paidIn, g.escrow + g.paidOut, "I-2 in = locked + out");
            assertLe(g.exits, 1, "I-3 exits");
            bool live = g.status != Status.None && g.status < Status.Settled;
            assertTrue(live || g.escrow == 0, "I-3 nothing stays in a task that ended");
        }
    }

    /// @dev No call moved a wei, or a task, otherwise than the model says.
    /// hardhat-config: invariant.failOnRevert = true
    function invariant_I02_I03_I05_I06_I07_I09_I17_everyCallDoesWhatTheModelSays() external view {
        assertEq(bytes(_handler.broken()), "", _handler.broken());
    }

    // ---- Tasks ----

    /// @dev Each status has the fields that it needs, and no others.
    /// hardhat-config: invariant.failOnRevert = true
    function invariant_I04_I18_fieldsFitTheStatus() external view {
        for (uint256 i = 0; i < _handler.taskCount(); ++i) {
            MarketModel.Ghost memory g = _handler.ghost(i);
            (, , uint256 since, ) = _market.taskOf(g.id);
            assertLe(since, block.timestamp, "I-18 since");
            bool judged = g.status == Status.Delivered || g.status == Status.Disputed;
            assertTrue((_market.deliveryDigestOf(g.id) != 0) == judged, "I-4 digest");
            (address provider, uint256 acceptedAt, ) = _market.assignmentOf(g.terms, g.workHash);
            assertLe(acceptedAt, block.timestamp, "I-18 acceptedAt");
            bool waits = g.status == Status.Funded || g.status == Status.Standby;
            assertTrue(!waits || provider == address(0), "I-4 nobody has it");
            bool needs = g.status == Status.Assigned || g.status == Status.Active || judged;
            assertTrue(
                !needs || g.terms.provider != address(0) || provider == g.provider,
                "I-4 somebody has it"
            );
            if (needs) assertTrue(g.provider != address(0), "I-4 provider");
            IDisputes.Dispute memory dispute = _market.disputeOf(g.id);
            bool disputed = g.status == Status.Disputed || g.status == Status.Resolved;
            assertEq(dispute.bondWei, disputed ? g.bond : 0, "I-4 bond");
            assertEq(dispute.rulingBy, disputed ? g.rulingBy : 0, "I-4 until");
            bool stands = g.status == Status.Standby || (g.standby && g.status < Status.Standby);
            assertTrue(_market.hasBackup(g.id) == stands, "I-4 backup");
        }
    }

    /// @dev Meters run forwards, within what was bought and what has passed, and are the model's (I-20).
    /// hardhat-config: invariant.failOnRevert = true
    function invariant_I18_I20_metersAreTheModels() external view {
        for (uint256 i = 0; i < _handler.taskCount(); ++i) {
            MarketModel.Ghost memory g = _handler.ghost(i);
            ILeases.Lease memory lease = _market.leaseOf(g.id);
            assertEq(lease.readyAt, g.readyAt, "ready");
            assertEq(lease.lastHeartbeat, g.lastBeat, "last heartbeat");
            assertEq(lease.upSeconds, g.up, "up");
            assertEq(lease.drawnSeconds, g.drawn, "drawn");
            assertEq(lease.extraSeconds, g.extra, "extra");
            assertEq(lease.endsAt, g.endsAt, "end");
            assertTrue(lease.closing == g.closing, "closing");
            if (g.readyAt == 0) continue;
            assertLe(lease.lastHeartbeat, block.timestamp, "I-18 heartbeat");
            assertLe(lease.upSeconds, block.timestamp - g.readyAt, "no more than has passed");
            assertLe(lease.upSeconds, g.terms.conditions.duration() + g.extra, "no more than was bought");
            assertLe(lease.drawnSeconds, lease.upSeconds, "no more than was up");
        }
    }

    /// @dev What can be asked is what then happens: payer, price, cost (I-20).
    /// hardhat-config: invariant.failOnRevert = true
    function invariant_I20_viewsAgreeWithEffects() external view {
        for (uint256 i = 0; i < _handler.taskCount(); ++i) {
            MarketModel.Ghost memory g = _handler.ghost(i);
            assertEq(_market.payerOf(g.terms, g.workHash), g.payer, "payer");
            (, , , uint256 feeBps) = _market.taskOf(g.id);
            assertEq(feeBps, g.feeBps, "the fee of its submission");
            (address provider, , uint256 price) = _market.assignmentOf(g.terms, g.workHash);
            if (provider == address(0)) continue;
            bool open = g.terms.provider == address(0);
            assertEq(price, open ? g.price : g.terms.price.amountWei(), "price");
            assertEq(provider, g.provider, "provider");
        }
    }

    // ---- Providers ----

    /// hardhat-config: invariant.failOnRevert = true
    function invariant_I11_locksAndSlotsAreThoseOfLiveTasks() external view {
        for (uint256 i = 0; i < 3; ++i) {
            IProviderRegistry.Provider memory provider = _registry.providerOf(_handler.providers(i));
            uint256 locked = 0;
            uint256 assigned = 0;
            for (uint256 k = 0; k < _handler.taskCount(); ++k) {
                MarketModel.Ghost memory g = _handler.ghost(k);
                if (!g.locked || g.provider != provider.account) continue;
                locked += g.terms.assurance.collateralWei();
                if (g.terms.provider == address(0)) ++assigned;
            }
            assertEq(provider.locked, locked, "I-11 locked");
            assertEq(provider.assigned, assigned, "I-11 slots");
            assertLe(uint256(provider.locked) + provider.unbonding, provider.stake, "I-11 stake");
            assertEq(provider.stake, _handler.stakeOf(provider.account), "I-11 slashed");
        }
    }

    /// @dev Records are what happened, and never shrink.
    /// hardhat-config: invariant.failOnRevert = true
    function invariant_I10_recordsOnlyGrow() external {
        for (uint256 i = 0; i < 3; ++i) {
            address account = _handler.providers(i);
            IProviderRegistry.Provider memory provider = _registry.providerOf(account);
            uint256[5] memory faults = _handler.faultsOf(account);
            assertEq(provider.declined, faults[1], "declined");
            assertEq(provider.abandoned, faults[2], "abandoned");
            assertEq(provider.failed, faults[3], "failed");
            assertEq(provider.disputed, faults[4], "disputed");
            (uint256 completed, uint256 sold) = _market.recordOf(account);
            (uint256 expected, uint256 seconds_) = _handler.soldBy(account);
            assertEq(completed, expected, "completed");
            assertEq(sold, seconds_, "seconds");
            grows("completed", account, completed);
            grows("sold", account, sold);
            grows("fees", account, _market.feesPaidOf(account));
            // Bits of used quotes: more of them make a larger number.
            grows("quotes", account, _market.usedQuotes(account, 0));
        }
    }

    function grows(string memory what, address account, uint256 value) private {
        bytes32 key = keccak256(abi.encode(what, account));
        assertLe(_seen[key], value, what);
        _seen[key] = value;
    }

    /// @dev I-8 and I-19: anyone ends everything once all deadlines have passed, and nothing but donations is left.
    function afterInvariant() external {
        _afterAll();
    }

    function _afterAll() private {
        _handler.closeEverything();
        assertEq(bytes(_handler.broken()), "", _handler.broken());
        assertEq(_handler.liveEscrow(), 0, "I-8 live escrow");
        assertEq(address(_market).balance, _handler.donated(), "I-19 dust");
    }
}
