// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IProvenArbiter} from "../../../contracts/interfaces/IProvenArbiter.sol";
import {ITaskBook} from "../../../contracts/interfaces/ITaskBook.sol";
import {Evidence, Unit} from "../../../contracts/libraries/Evidence.sol";
import {
    Conditions,
    Delivered,
    Delivery,
    Outcome,
    Price,
    Status,
    Terms
} from "../../../contracts/market/Tasks.sol";
import {Layers} from "../verifiers/MatrixProductVerifier.t.sol";
import {FeaturesTest} from "./FeaturesTest.sol";

/// @dev A proof pays at once and decides a dispute; nothing but a proof does.
contract ProvenArbiterTest is FeaturesTest, Layers {
    uint256 private constant PERIOD = 5_000;
    uint256 private constant PROOF_SECONDS = 2 days;
    uint256 private constant DISPUTED = NOW + 900;
    uint96 private constant COLLATERAL = 104_729;

    IProvenArbiter private arbiter;
    Delivered private delivered;
    IProvenArbiter.Proven private proven;
    uint256 private bond;

    function setUp() external {
        open();
        address verifier = create(
            "contracts/verifiers/MatrixProductVerifier.sol:MatrixProductVerifier",
            abi.encode(N)
        );
        arbiter = IProvenArbiter(
            create(
                "contracts/market/ProvenArbiter.sol:ProvenArbiter",
                abi.encode(verifier, uint32(PROOF_SECONDS))
            )
        );
    }

    /// @dev The provider hands over the layer of `seed`, and the owner has signed the input of `asked`.
    function hand(bytes32 seed, bytes32 asked) private {
        Terms memory wanted = someTerms();
        wanted.price = Price.wrap(1e9);
        wanted.conditions = Conditions.wrap(Conditions.unwrap(wanted.conditions) | (PERIOD << 112));
        wanted.assurance = assuranceOf(COLLATERAL, address(arbiter));
        take(wanted, address(0));
        submit();
        accept();
        vm.warp(DISPUTED);
        (bytes memory input, bytes memory output) = layer(seed);
        (bytes memory signed, ) = layer(asked);
        proven.unit = Unit(0, sha256(input), sha256(output), 0, 0);
        proven.evidence.unitCount = 1;
        proven.evidence.unitsRoot = keccak256(abi.encode(proven.unit));
        proven.signature = sign(OWNER_KEY, arbiter.inputDigest(terms.salt, sha256(signed)));
        proven.proof = bytes.concat(input, output);
        deliverIt();
    }

    function deliverIt() private {
        Delivery memory delivery = deliveryOf(Outcome.Completed, 400);
        delivery.evidenceHash = this.hashOf(proven.evidence);
        vm.prank(PROVIDER);
        market.deliver(terms, workHash, delivery);
        delivered = deliveredOf(delivery);
    }

    function hashOf(Evidence calldata evidence) external pure returns (bytes32) {
        return evidence.hash();
    }

    function disputeIt() private {
        (bond, , ) = market.bondOf(terms);
        vm.prank(OWNER);
        market.dispute{value: bond}(terms, workHash, delivered, 0, 0, bond);
    }

    function settleCall() private view returns (bytes memory) {
        return abi.encodeCall(arbiter.settle, (market, terms, workHash, delivered, proven));
    }

    function ruleCall() private view returns (bytes memory) {
        return abi.encodeCall(arbiter.rule, (market, terms, workHash, delivered, proven));
    }

    function refuseCall() private view returns (bytes memory) {
        return abi.encodeCall(arbiter.refuse, (market, terms, workHash, delivered));
    }

    function try_(bytes memory data) private returns (bool success, bytes memory reason) {
        vm.prank(STRANGER);
        (success, reason) = address(arbiter).call(data);
    }

    function wouldGo(bytes memory data) private returns (bool success) {
        uint256 snapshot = vm.snapshotState();
        (success, ) = try_(data);
        vm.revertToState(snapshot);
    }

    function assertRefused(bytes memory data, bytes4 selector) private {
        (bool success, bytes memory reason) = try_(data);
        assertTrue(!success, "went through");
        assertTrue(bytes4(reason) == selector, "why");
    }

    /// @dev Anybody shows the proof, and the provider is paid within the challenge period.
    function testFuzz_I02_proofSettlesAtOnce(bytes32 seed) external {
        hand(seed, seed);
        (bool success, ) = try_(settleCall());
        assertTrue(success, "settled");
        assertStatus(Status.Settled, Outcome.Completed);
        assertEq(ledgerOf(PROVIDER), cost, "paid");
        assertEq(lockedOf(PROVIDER), 0, "free");
        assertEq(address(market).balance, ledger(), "I-1");
        assertTrue(!wouldGo(settleCall()), "I-3");
    }

    /// @dev Only its arbiter can, and only the arbiter of its own terms.
    function test_A22_nobodyElseSettlesEarly() external {
        hand("a", "a");
        bytes memory data = abi.encodeCall(market.settle, (terms, workHash, delivered));
        assertTrue(!can(STRANGER, data) && !can(PROVIDER, data) && !can(OPERATOR, data), "nobody else");
        assertTrue(can(OWNER, data) && can(address(arbiter), data), "owner and arbiter");
        vm.warp(DISPUTED + PERIOD + 1);
        assertTrue(can(STRANGER, data), "anybody later");
    }

    /// @dev A17: a proof of another input, output, evidence or task, or with another's signature, pays nothing.
    function testFuzz_A17_RevertWhen_TheProofIsOfOtherThings(uint8 what, uint8 bit) external {
        what %= 7;
        hand("a", what == 0 ? bytes32("b") : bytes32("a"));
        bytes32 flip = bytes32(uint256(1) << bit);
        bytes4 reason = IProvenArbiter.ProvenArbiter_WrongSignature.selector;
        if (what == 1)
            proven.signature = sign(PROVIDER_KEY, arbiter.inputDigest(terms.salt, proven.unit.inputHash));
        if (what == 2)
            proven.signature = sign(OWNER_KEY, arbiter.inputDigest(terms.salt ^ flip, proven.unit.inputHash));
        if (what > 2) reason = IProvenArbiter.ProvenArbiter_WrongUnit.selector;
        if (what == 3) proven.unit.outputHash ^= flip;
        if (what == 4) proven.unit.index = 1;
        if (what == 5) {
            proven.evidence.runHash ^= flip;
            reason = IProvenArbiter.ProvenArbiter_WrongEvidence.selector;
        }
        if (what == 6) {
            (, bytes memory other) = layer("b");
            (bytes memory input, ) = layer("a");
            proven.proof = bytes.concat(input, other);
            reason = IProvenArbiter.ProvenArbiter_NotProven.selector;
        }
        assertRefused(settleCall(), reason);
        disputeIt();
        vm.warp(DISPUTED + CONCESSION_WINDOW + 1);
        assertRefused(ruleCall(), reason);
        assertStatus(Status.Disputed, Outcome.Completed);
    }

    /// @dev A task of several units is not proven by one of them.
    function test_RevertWhen_OneUnitIsProvenOfTwo() external {
        hand("a", "a");
        Unit memory unit = proven.unit;
        bytes32 leaf = keccak256(abi.encode(unit));
        terms.salt = bytes32(uint256(8));
        take(terms, address(0));
        vm.warp(NOW);
        submit();
        accept();
        vm.warp(DISPUTED);
        proven.signature = sign(OWNER_KEY, arbiter.inputDigest(terms.salt, unit.inputHash));
        (proven.evidence.unitCount, proven.evidence.unitsRoot) = (2, leaf);
        deliverIt();
        assertRefused(settleCall(), IProvenArbiter.ProvenArbiter_WrongUnit.selector);
    }

    /// @dev A14: in a dispute the proof is taken until a day before the end; then anybody has it refused.
    function testFuzz_A14_proofOrRefusal(uint32 wait) public {
        hand("a", "a");
        disputeIt();
        uint256 rulingBy = market.disputeOf(id).rulingBy;
        assertEq(rulingBy, DISPUTED + 1 days + PROOF_SECONDS + 1 days, "time");
        wait = uint32(bound(wait, 0, 5 days));
        vm.warp(DISPUTED + wait);
        bool isLate = DISPUTED + wait > rulingBy;
        bool isOpen_ = wait > CONCESSION_WINDOW && !isLate;
        bool isRefusable = DISPUTED + wait > rulingBy - 1 days && !isLate;
        assertTrue(wouldGo(ruleCall()) == isOpen_, "proof");
        assertTrue(wouldGo(refuseCall()) == isRefusable, "refusal");
        assertTrue(!wouldGo(settleCall()), "not settled");
        if (!isOpen_) return;
        (bool success, ) = try_(isRefusable ? refuseCall() : ruleCall());
        assertTrue(success, "ends");
        assertStatus(Status.Resolved, isRefusable ? Outcome.RuledForOwner : Outcome.RuledForProvider);
        assertEq(ledgerOf(PROVIDER), isRefusable ? 0 : cost + bond, "provider");
        uint256 half = COLLATERAL / 2;
        assertEq(market.balanceOf(OWNER), isRefusable ? cost + bond + half : 0, "owner");
        assertEq(market.balanceOf(TREASURY), isRefusable ? COLLATERAL - half : 0, "treasury");
        assertEq(market.balanceOf(address(arbiter)), 0, "no fee");
        assertEq(address(market).balance, ledger(), "I-1");
    }

    function test_A14_proofOrRefusalAtTheEdges() external {
        uint32 late = uint32(1 days + PROOF_SECONDS);
        uint32[6] memory waits = [
            CONCESSION_WINDOW,
            CONCESSION_WINDOW + 1,
            late,
            late + 1,
            late + 1 days,
            late + 1 days + 1
        ];
        for (uint256 i = 0; i < 6; ++i) {
            uint256 snapshot = vm.snapshotState();
            testFuzz_A14_proofOrRefusal(waits[i]);
            vm.revertToState(snapshot);
        }
    }

    /// @dev What is not disputed cannot be refused.
    function test_RevertWhen_RefusedWithoutADispute() external {
        hand("a", "a");
        assertTrue(!wouldGo(ruleCall()), "nothing to rule");
        assertRefused(refuseCall(), ITaskBook.TaskMarket_WrongStatus.selector);
    }

    function test_A40_RevertWhen_TheTimeIsOutOfBounds() external {
        for (uint256 i = 0; i < 2; ++i) {
            try this.make(i == 0 ? 0 : uint32(28 days + 1)) {
                revert("made");
            } catch (bytes memory reason) {
                assertTrue(bytes4(reason) == IProvenArbiter.ProvenArbiter_ZeroTime.selector, "why");
            }
        }
    }

    function make(uint32 time) external returns (address) {
        return create("contracts/market/ProvenArbiter.sol:ProvenArbiter", abi.encode(address(1), time));
    }
}
