// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IEscrow} from "../../../contracts/interfaces/IEscrow.sol";
import {ITaskBook} from "../../../contracts/interfaces/ITaskBook.sol";
import {
    Assurance,
    Conditions,
    Delivery,
    Outcome,
    Price,
    Report,
    Status,
    TaskId,
    Tasks,
    Terms,
    Work
} from "../../../contracts/market/Tasks.sol";
import {MarketTest} from "./MarketTest.sol";

/// @dev Money, ids and bounds of single tasks with random terms, in the native currency.
contract TaskMarketTest is MarketTest {
    address private constant OWNER = address(0xA11CE);
    address private constant PROVIDER = address(0xB0B);
    address private constant STRANGER = address(0x57A);

    struct Case {
        uint96 amount;
        uint32 duration;
        bool metered;
        uint16 feeBps;
        uint96 collateral;
        uint8 outcome;
        uint32 used;
    }

    Terms private terms;
    bytes32 private workHash;
    uint256 private cost;

    function setUp() external {
        open(250);
    }

    // ---- Delivery ----

    function testFuzz_A10_I02_aDeliveryDividesTheEscrowToTheWei(Case memory c) public {
        submitted(c, true);
        Outcome outcome = Outcome(bound(c.outcome, uint8(Outcome.Completed), uint8(Outcome.OwnerBadInput)));
        uint256 used = bound(c.used, 0, terms.conditions.duration());
        vm.warp(NOW + terms.conditions.duration());
        deliver(outcome, used);

        uint256 paid = naiveCharge(outcome, used);
        uint256 fee = (paid * market.feeBps()) / BPS;
        assertLe(fee, paid, "fee <= paid");
        // What does not fit the provider's word has moved already.
        bool fits = fee < uint256(1) << 80;
        assertEq(market.balanceOf(PROVIDER), paid - fee, "provider");
        assertEq(market.feesDue(PROVIDER), fits ? fee : 0, "fees due");
        assertEq(market.balanceOf(TREASURY), fits ? 0 : fee, "treasury");
        assertEq(market.balanceOf(OWNER), cost - paid, "owner");
        assertEq(address(market).balance, cost, "market");
        (uint256 completed, uint256 sold) = market.recordOf(PROVIDER);
        assertEq(completed, 1, "completed");
        assertEq(sold, used, "seconds sold");
        assertEq(registry.providerOf(PROVIDER).locked, 0, "unlocked");

        // Everybody takes everything out, and nothing is left (I-19).
        address[] memory accounts = new address[](1);
        accounts[0] = PROVIDER;
        market.collectFees(accounts);
        assertEq(market.balanceOf(TREASURY), fee, "treasury collected");
        assertEq(withdrawAll(PROVIDER) + withdrawAll(OWNER) + withdrawAll(TREASURY), cost, "the whole");
        assertEq(address(market).balance, 0, "dust");
    }

    function test_A10_aDeliveryOfOneWeiPrimesAndTheLargestAmounts() external {
        uint96 largest = type(uint96).max;
        testFuzz_A10_I02_aDeliveryDividesTheEscrowToTheWei(Case(1, 1, true, 1_000, 1, 1, 1));
        testFuzz_A10_I02_aDeliveryDividesTheEscrowToTheWei(Case(1, 7_919, false, 999, 0, 3, 7_918));
        testFuzz_A10_I02_aDeliveryDividesTheEscrowToTheWei(Case(7_919, 104_729, true, 997, 31, 2, 7_907));
        testFuzz_A10_I02_aDeliveryDividesTheEscrowToTheWei(Case(largest, 1, false, 1_000, largest, 1, 1));
        testFuzz_A10_I02_aDeliveryDividesTheEscrowToTheWei(Case(largest, 3, false, 1, 0, 5, 2));
        testFuzz_A10_I02_aDeliveryDividesTheEscrowToTheWei(Case(largest, 1, false, 0, 0, 4, 0));
    }

    /// @dev Fees that exceed their 80 bits move at once, together with those that were due.
    function test_A12_feesThatDoNotFitMoveToTheTreasury() external {
        open(1_000);
        uint256 first = 12e24;
        uint256 second = 3e23;
        submitTask(priced(uint96(first), false, 1, 0));
        deliver(Outcome.Completed, 0);
        assertEq(market.feesDue(PROVIDER), first / 10, "due");
        submitTask(priced(uint96(second), false, 2, 0));
        vm.expectEmit(address(market));
        emit IEscrow.FeesCollected(PROVIDER, (first + second) / 10);
        deliver(Outcome.Completed, 0);
        assertEq(market.feesDue(PROVIDER), 0, "moved");
        assertEq(market.balanceOf(TREASURY), (first + second) / 10, "treasury");
        assertEq(market.balanceOf(PROVIDER), ((first + second) * 9) / 10, "provider");
        assertEq(address(market).balance, first + second, "market");
    }

    /// @dev Never more seconds than the duration, nor than the clock saw since the task began.
    function testFuzz_RevertWhen_MoreSecondsThanTheClockSaw(
        uint32 duration,
        uint32 wait,
        uint32 passed,
        uint248 used,
        bool accepts
    ) public {
        open(250);
        Terms memory t = priced(1e9, true, 1, 0);
        duration = uint32(bound(duration, 1, 10 days));
        wait = uint32(bound(wait, 0, 5 days));
        passed = uint32(bound(passed, 0, accepts ? 20 days - wait : 5 days - wait));
        t.conditions = conditionsOf(NOW + 5 days, NOW + 20 days, duration);
        submitTask(t);
        vm.warp(NOW + wait);
        if (accepts) accept();
        uint256 allowed = accepts ? passed : uint256(wait) + passed;
        if (allowed > duration) allowed = duration;
        used = uint248(bound(used, allowed + 1, type(uint248).max));
        vm.warp(NOW + wait + passed);
        Delivery memory delivery = deliveryOf(Outcome.Completed, used);
        refused(
            PROVIDER,
            abi.encodeCall(market.deliver, (t, workHash, delivery)),
            abi.encodeWithSelector(
                ITaskBook.TaskMarket_TooManySeconds.selector,
                market.idOf(t, workHash),
                uint256(used),
                allowed
            )
        );
        deliver(Outcome.Completed, allowed);
        assertEq(market.balanceOf(PROVIDER) + market.feesDue(PROVIDER), allowed * 1e9, "what is allowed");
    }

    function test_RevertWhen_SecondsExceedAnyCounter() external {
        testFuzz_RevertWhen_MoreSecondsThanTheClockSaw(100, 0, 100, 101, true);
        testFuzz_RevertWhen_MoreSecondsThanTheClockSaw(100, 0, 50, 51, false);
        testFuzz_RevertWhen_MoreSecondsThanTheClockSaw(100, 0, 50, uint248(1) << 32, true);
        testFuzz_RevertWhen_MoreSecondsThanTheClockSaw(100, 0, 50, type(uint248).max, true);
    }

    function test_RevertWhen_AnOutcomeBelongsToAnotherCall() external {
        submitTask(priced(1e9, true, 1, 0));
        vm.warp(NOW + 10);
        for (uint256 i = 0; i <= uint256(type(Outcome).max); ++i) {
            bytes memory reason = abi.encodeWithSelector(
                ITaskBook.TaskMarket_InvalidOutcome.selector,
                Outcome(i)
            );
            if (i < 1 || i > 5) {
                Delivery memory delivery = deliveryOf(Outcome(i), 5);
                refused(PROVIDER, abi.encodeCall(market.deliver, (terms, workHash, delivery)), reason);
            }
            if (i < 6 || i > 14) {
                refused(PROVIDER, abi.encodeCall(market.decline, (terms, workHash, Outcome(i))), reason);
            }
        }
        Delivery memory none = deliveryOf(Outcome.None, 0);
        none.report = Report.wrap(uint256(type(Outcome).max) + 1);
        refused(
            PROVIDER,
            abi.encodeCall(market.deliver, (terms, workHash, none)),
            abi.encodeWithSignature("Panic(uint256)", 0x21)
        );
    }

    function testFuzz_A24_resultReferencesOfOneTo256Bytes(uint16 length) public {
        length = uint16(bound(length, 0, 600));
        submitTask(priced(1e9, true, 1, 0));
        Delivery memory delivery = deliveryOf(Outcome.Completed, 0);
        delivery.result = string(new bytes(length));
        bytes memory call = abi.encodeCall(market.deliver, (terms, workHash, delivery));
        if (length == 0 || length > 256) {
            refused(
                PROVIDER,
                call,
                abi.encodeWithSelector(Tasks.Tasks_ReferenceLength.selector, uint256(length), uint256(256))
            );
        } else {
            vm.prank(PROVIDER);
            market.deliver(terms, workHash, delivery);
            assertStatus(market.idOf(terms, workHash), Status.Settled, Outcome.Completed);
        }
    }

    function test_A24_resultReferencesAtTheirEdges() external {
        uint16[4] memory lengths = [0, 1, 256, 257];
        for (uint256 i = 0; i < lengths.length; ++i) {
            open(250);
            testFuzz_A24_resultReferencesOfOneTo256Bytes(lengths[i]);
        }
    }

    function test_A17_RevertWhen_ResultHashIsZero() external {
        submitTask(priced(1e9, true, 1, 0));
        Delivery memory delivery = deliveryOf(Outcome.Completed, 0);
        delivery.resultHash = 0;
        refused(
            PROVIDER,
            abi.encodeCall(market.deliver, (terms, workHash, delivery)),
            abi.encodeWithSelector(Tasks.Tasks_ZeroHash.selector)
        );
    }

    // ---- Collateral ----

    function testFuzz_A10_I02_aFailureDividesTheCollateralToTheWei(Case memory c) public {
        submitted(c, true);
        uint256 collateral = terms.assurance.collateralWei();
        vm.warp(terms.conditions.completeBy() + 1);
        vm.prank(STRANGER);
        market.fail(terms, workHash);
        uint256 bounty = (collateral * 500) / BPS;
        assertEq(market.balanceOf(STRANGER), bounty, "bounty");
        assertEq(market.balanceOf(OWNER), cost + collateral - bounty, "owner");
        assertSlashed(collateral);
        assertStatus(market.idOf(terms, workHash), Status.Failed, Outcome.ProviderLate);
        assertEq(registry.providerOf(PROVIDER).failed, 1, "counted");
    }

    function testFuzz_A10_I02_givingUpDividesTheCollateralToTheWei(Case memory c) public {
        submitted(c, true);
        // Rounded up, against the provider who calls.
        uint256 slashed = (uint256(terms.assurance.collateralWei()) * 2_500 + BPS - 1) / BPS;
        vm.warp(NOW + DECLINE_WINDOW + 1);
        vm.prank(PROVIDER);
        market.abandon(terms, workHash);
        assertEq(market.balanceOf(OWNER), cost + slashed, "owner");
        assertSlashed(slashed);
        assertStatus(market.idOf(terms, workHash), Status.Abandoned, Outcome.ProviderAbandoned);
        assertEq(registry.providerOf(PROVIDER).abandoned, 1, "counted");
    }

    function test_A10_slashesOfOneWeiPrimesAndMuch() external {
        uint96[5] memory collaterals = [0, 1, 19, 7_919, 1e28];
        for (uint256 i = 0; i < collaterals.length; ++i) {
            testFuzz_A10_I02_aFailureDividesTheCollateralToTheWei(
                Case(7, 13, true, 250, collaterals[i], 1, 1)
            );
            testFuzz_A10_I02_givingUpDividesTheCollateralToTheWei(
                Case(7, 13, true, 250, collaterals[i], 1, 1)
            );
        }
    }

    // ---- Id ----

    /// @dev EIP-712 with its domain as its text says it, word by word.
    function testFuzz_A17_A27_idIsTheDigestOfEip712(Terms calldata t, bytes32 hash, uint64 chainId) external {
        chainId = uint64(bound(chainId, 1, type(uint64).max - 1));
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256(
                    "Task(address owner,address provider,uint256 price,uint256 conditions,uint256 assurance,bytes32 salt,Work work)Work(uint256 resources,bytes32 payloadHash,string payload,address backup)"
                ),
                t.owner,
                t.provider,
                Price.unwrap(t.price),
                Conditions.unwrap(t.conditions),
                Assurance.unwrap(t.assurance),
                t.salt,
                hash
            )
        );
        // On a chain that has taken another id, too: a fork shares no task's id.
        vm.chainId(chainId);
        bytes32 domain = keccak256(
            abi.encode(
                keccak256(
                    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
                ),
                keccak256("Neura TaskMarket"),
                keccak256("1"),
                uint256(chainId),
                address(market)
            )
        );
        assertEq(
            uint256(TaskId.unwrap(market.idOf(t, hash))),
            uint256(keccak256(abi.encodePacked("\x19\x01", domain, structHash))),
            "id"
        );
    }

    /// @dev Bits above an address cannot make two ids of one task: no task has them.
    function testFuzz_A17_RevertWhen_AnAddressHasDirtyBits(uint96 dirt, bool inOwner) external {
        dirt = uint96(bound(dirt, 1, type(uint96).max));
        Terms memory t = priced(1e9, true, 1, 0);
        Work memory work = someWork();
        cost = market.costOf(t);
        vm.deal(OWNER, 2 * cost);
        bytes memory call = abi.encodeCall(market.submit, (t, work));
        soil(call, inOwner, dirt);
        vm.prank(OWNER);
        (bool success, ) = address(market).call{value: cost}(call);
        assertTrue(!success, "submitted");
        assertEq(OWNER.balance, 2 * cost, "owner keeps its money");
        assertEq(address(market).balance, 0, "market has none");

        // Nor is a clean task reached by them.
        submitTask(t);
        bytes[5] memory calls = [
            abi.encodeCall(market.accept, (t, workHash)),
            abi.encodeCall(market.decline, (t, workHash, Outcome.NoCapacity)),
            abi.encodeCall(market.deliver, (t, workHash, deliveryOf(Outcome.Completed, 0))),
            abi.encodeCall(market.cancel, (t, workHash)),
            abi.encodeCall(market.expire, (t, workHash))
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            soil(calls[i], inOwner, dirt);
            vm.prank(i == 3 ? OWNER : PROVIDER);
            (success, ) = address(market).call(calls[i]);
            assertTrue(!success, "acted");
            assertStatus(market.idOf(terms, workHash), Status.Funded, Outcome.None);
        }
    }

    // ---- Helpers ----

    function open(uint256 feeBps) private {
        openMarket(address(0), feeBps);
        register(PROVIDER, PROVIDER, 1, 0);
    }

    /// @dev A market with the case's fee, its task submitted, and accepted if asked to.
    function submitted(Case memory c, bool accepts) private {
        open(bound(c.feeBps, 0, 1_000));
        uint256 duration = bound(c.duration, 1, 20 days);
        // What is refunded fits a balance.
        uint256 most = type(uint96).max / (c.metered ? duration : 1);
        Terms memory t = priced(uint96(bound(c.amount, 1, most)), c.metered, 1, 0);
        t.conditions = conditionsOf(NOW, NOW + 25 days, duration);
        uint256 room = type(uint96).max - market.costOf(t);
        uint256 collateral = bound(c.collateral, 0, room);
        t.assurance = Assurance.wrap(collateral);
        if (collateral != 0) {
            vm.deal(PROVIDER, collateral);
            vm.prank(PROVIDER);
            registry.stake{value: collateral}(collateral);
        }
        submitTask(t);
        if (accepts) accept();
    }

    function submitTask(Terms memory t) private {
        Work memory work = someWork();
        workHash = market.hashWork(work, address(0));
        terms = t;
        cost = market.costOf(t);
        vm.deal(OWNER, cost);
        vm.prank(OWNER);
        market.submit{value: cost}(t, work);
        assertStatus(market.idOf(terms, workHash), Status.Funded, Outcome.None);
    }

    function accept() private {
        vm.prank(PROVIDER);
        market.accept(terms, workHash);
    }

    function deliver(Outcome outcome, uint256 used) private {
        Delivery memory delivery = deliveryOf(outcome, used);
        vm.prank(PROVIDER);
        market.deliver(terms, workHash, delivery);
        assertStatus(market.idOf(terms, workHash), Status.Settled, outcome);
    }

    /// @dev The call fails for this reason, and moves neither money nor the task.
    function refused(address caller, bytes memory call, bytes memory reason) private {
        (Status status, , uint256 since, ) = market.taskOf(market.idOf(terms, workHash));
        vm.prank(caller);
        (bool success, bytes memory actual) = address(market).call(call);
        assertTrue(!success, "went through");
        assertEq(actual, reason, "reason");
        (Status statusAfter, , uint256 sinceAfter, ) = market.taskOf(market.idOf(terms, workHash));
        assertTrue(statusAfter == status && sinceAfter == since, "the task moved");
        assertEq(address(market).balance, cost, "market");
        assertEq(
            market.balanceOf(OWNER) + market.balanceOf(PROVIDER) + market.feesDue(PROVIDER),
            0,
            "ledger"
        );
    }

    /// @dev The registry lost it, the market has it, and owner and caller can take out all there is.
    function assertSlashed(uint256 slashed) private {
        uint256 collateral = terms.assurance.collateralWei();
        assertEq(registry.providerOf(PROVIDER).stake, collateral - slashed, "stake");
        assertEq(registry.providerOf(PROVIDER).locked, 0, "unlocked");
        assertEq(address(registry).balance, collateral - slashed, "registry");
        assertEq(address(market).balance, cost + slashed, "market");
        assertEq(market.balanceOf(PROVIDER) + market.feesDue(PROVIDER), 0, "provider earned nothing");
        assertEq(withdrawAll(OWNER) + withdrawAll(STRANGER), cost + slashed, "the whole");
    }

    function naiveCharge(Outcome outcome, uint256 used) private view returns (uint256) {
        uint256 amount = terms.price.amountWei();
        if (terms.price.metered()) return amount * used;
        if (outcome == Outcome.Completed) return amount;
        return (amount * used) / terms.conditions.duration();
    }

    function priced(
        uint96 amount,
        bool metered,
        uint256 salt,
        uint96 collateral
    ) private view returns (Terms memory) {
        return
            Terms({
                owner: OWNER,
                provider: PROVIDER,
                price: Price.wrap(amount | (metered ? METERED : 0)),
                conditions: conditionsOf(block.timestamp + 100, block.timestamp + 1_000, 600),
                assurance: Assurance.wrap(collateral),
                salt: bytes32(salt)
            });
    }

    /// @dev Sets bits above the owner's or the provider's address, which stand first in every call's data.
    function soil(bytes memory data, bool inOwner, uint96 dirt) private pure {
        uint256 offset = inOwner ? 0x24 : 0x44;
        assembly ("memory-safe") {
            let word := add(data, offset)
            mstore(word, or(mload(word), shl(160, dirt)))
        }
    }
}
