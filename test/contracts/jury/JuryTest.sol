// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IJury} from "../../../contracts/interfaces/IJury.sol";
import {Evidence} from "../../../contracts/libraries/Evidence.sol";
import {
    Conditions,
    Delivered,
    Delivery,
    Outcome,
    Price,
    Status,
    Terms
} from "../../../contracts/market/Tasks.sol";
import {FeaturesTest} from "../market/FeaturesTest.sol";

/// @dev A market with a jury and so many jurors of one seat each, and a delivery that its owner disputes before it.
abstract contract JuryTest is FeaturesTest {
    uint256 internal constant STEP = 3_600;
    uint256 internal constant SEASONING = 30 days;
    uint256 internal constant SEAT = 1e20;
    uint256 internal constant FEE = 900;
    uint256 internal constant LEAST_FEE = 3_000;
    uint256 internal constant PERIOD = 5_000;
    /// When the task begins, and is disputed [s].
    uint256 internal constant BEGUN = NOW + SEASONING + 1 days;
    uint256 internal constant DISPUTED = BEGUN + 500;
    bytes32 internal constant AUDIT_SEED = "audit";
    bytes32 internal constant DRAW_NONCE = "draw";
    /// A fingerprint of the work.
    uint256 internal constant WORK = uint240(uint256(keccak256("work")));

    struct Stakes {
        uint96 price;
        uint96 collateral;
    }

    /// The owner's half of the seed.
    bytes32 internal auditSeed = AUDIT_SEED;
    IJury internal jury;
    Evidence internal evidence;
    Delivered internal delivered;
    /// [wei]
    uint256 internal bond;
    uint256 internal fee;
    /// Of each juror [wei].
    uint256 internal share;
    uint256 internal fine;

    // ---- Set up ----

    function convene(uint256 jurors) internal {
        conveneIn(address(0), STAKE);
        for (uint256 i = 0; i < jurors; ++i) seat(i);
        for (uint256 i = 0; i < 4; ++i) vm.deal([OWNER, SPONSOR, STRANGER, PROVIDER][i], 1e30);
    }

    /// @dev A market in `token`, whose parties have `stake` [wei] of the native coin at stake.
    function conveneIn(address token, uint256 stake) internal {
        openMarket(token, FEE_BPS);
        jury = IJury(
            create("contracts/jury/Jury.sol:Jury", abi.encode(market, SEAT, FEE, LEAST_FEE, STEP, SEASONING))
        );
        vm.prank(ADMIN);
        registry.authorizeMarket(address(jury));
        register(PROVIDER, OPERATOR, 3, stake);
        register(BACKUP, BACKUP, 3, stake);
        work = someWork();
        evidence = Evidence({
            inputRoot: "input",
            resultRoot: "result",
            unitsRoot: "units",
            unitCount: 10,
            runHash: "run",
            drawCommit: keccak256(abi.encode(DRAW_NONCE))
        });
    }

    function jurorOf(uint256 i) internal pure returns (address) {
        return address(uint160(0x10000 + i));
    }

    /// @notice The key that votes for a juror.
    function voterOf(uint256 i) internal pure returns (address) {
        return address(uint160(0x20000 + i));
    }

    function seat(uint256 i) internal {
        register(jurorOf(i), voterOf(i), 1, SEAT);
        vm.prank(jurorOf(i));
        jury.takeSeats(0, 1, voterOf(i));
    }

    // ---- The task ----

    /// @notice A task of these stakes is delivered and disputed; it is {DISPUTED}.
    function disputed(Stakes memory stakes) internal {
        disputed(stakes, auditSeed);
    }

    function disputed(Stakes memory stakes, bytes32 shown) internal {
        deliverJudged(stakes);
        disputeIt(shown);
    }

    /// @dev Price and collateral within what one seat stands for.
    function bounded(Stakes memory stakes) internal pure {
        stakes.price = uint96(bound(stakes.price, LEAST_FEE, (SEAT * 95) / 100));
        stakes.collateral = uint96(bound(stakes.collateral, 0, SEAT));
    }

    function deliverJudged(Stakes memory stakes) internal {
        deliverPaid(stakes, type(uint256).max);
    }

    /// @dev With so much sent along at most [wei]; the rest is in the owner's balance.
    function deliverPaid(Stakes memory stakes, uint256 most) internal {
        vm.warp(BEGUN);
        Terms memory wanted = someTerms();
        wanted.price = Price.wrap(stakes.price);
        wanted.conditions = Conditions.wrap(
            Conditions.unwrap(conditionsOf(BEGUN + 100, BEGUN + 1_000, 600)) | (PERIOD << 112)
        );
        wanted.assurance = assuranceOf(stakes.collateral, address(jury));
        wanted.salt = keccak256(abi.encode(auditSeed));
        take(wanted, address(0));
        vm.prank(OWNER);
        market.submit{value: cost < most ? cost : most}(terms, work);
        accept();
        vm.warp(DISPUTED);
        Delivery memory delivery = deliveryWith(hashOf(evidence));
        vm.prank(PROVIDER);
        market.deliver(terms, workHash, delivery);
        delivered = deliveredOf(delivery);
    }

    function deliveryWith(bytes32 evidenceHash) internal pure returns (Delivery memory delivery) {
        delivery = deliveryOf(Outcome.Completed, 400);
        delivery.evidenceHash = evidenceHash;
    }

    function disputeIt(bytes32 shown) internal {
        (bond, fee, ) = market.bondOf(terms);
        vm.prank(OWNER);
        market.dispute{value: bond}(terms, workHash, delivered, 3, shown, bond);
        share = fee / 3;
        fine = (SEAT * riskBps()) / BPS;
    }

    function riskBps() internal view returns (uint256) {
        uint256 moved = cost + (cost + 19) / 20 + terms.assurance.collateralWei();
        return (moved * BPS + 2 * SEAT - 1) / (2 * SEAT);
    }

    function hashOf(Evidence memory evidence_) internal pure returns (bytes32) {
        return
            keccak256(
                abi.encode(
                    keccak256(
                        "Evidence(bytes32 inputRoot,bytes32 resultRoot,bytes32 unitsRoot,uint256 unitCount,bytes32 runHash,bytes32 drawCommit)"
                    ),
                    evidence_
                )
            );
    }

    function workDigest() internal view returns (IJury.WorkDigest memory) {
        return IJury.WorkDigest(work.resources, work.payloadHash, keccak256(bytes(work.payload)), address(0));
    }

    // ---- Calls ----

    function eligible() internal view returns (uint256) {
        return jury.eligibleSeats(jury.classOf(work.resources), terms.conditions.startBy());
    }

    function drawCall() internal view returns (bytes memory) {
        return
            abi.encodeCall(
                jury.draw,
                (terms, workDigest(), delivered, evidence, auditSeed, DRAW_NONCE, eligible())
            );
    }

    function summonCall() internal view returns (bytes memory) {
        return abi.encodeCall(jury.summon, (terms, workHash, delivered));
    }

    function handOverCall() internal view returns (bytes memory) {
        return abi.encodeCall(jury.handOver, (terms, workHash, "ar://panel"));
    }

    function appealCall() internal view returns (bytes memory) {
        return
            abi.encodeCall(
                jury.appeal,
                (terms, workDigest(), delivered, evidence, auditSeed, DRAW_NONCE, eligible())
            );
    }

    function finishCall() internal view returns (bytes memory) {
        return abi.encodeCall(jury.finish, (terms, workHash, delivered));
    }

    function lapseCall() internal view returns (bytes memory) {
        return abi.encodeCall(jury.lapse, (terms, workHash, delivered));
    }

    function ask(
        address caller,
        uint256 value,
        bytes memory data
    ) internal returns (bool success, bytes memory answer) {
        vm.prank(caller);
        (success, answer) = address(jury).call{value: value}(data);
    }

    /// @notice Makes a call to the jury; a failure is passed on.
    function bid(address caller, bytes memory data) internal {
        (bool success, bytes memory reason) = ask(caller, 0, data);
        if (success) return;
        assembly ("memory-safe") {
            revert(add(reason, 0x20), mload(reason))
        }
    }

    /// @notice Whether the call to the jury would go through now; nothing stays of it.
    function may(address caller, bytes memory data) internal returns (bool success) {
        return mayPaying(caller, 0, data);
    }

    function mayPaying(address caller, uint256 value, bytes memory data) internal returns (bool success) {
        uint256 snapshot = vm.snapshotState();
        (success, ) = ask(caller, value, data);
        vm.revertToState(snapshot);
    }

    function assertJuryRefuses(address caller, bytes memory data, bytes memory reason) internal {
        (bool success, bytes memory actual) = ask(caller, 0, data);
        assertTrue(!success, "went through");
        assertEq(actual, reason, "reason");
    }

    // ---- Steps ----

    function draw() internal {
        bid(PROVIDER, drawCall());
    }

    function appeal() internal {
        uint256 value = jury.appealBondOf(id);
        (bool success, ) = ask(STRANGER, value, appealCall());
        assertTrue(success, "appealed");
    }

    function round() internal view returns (uint256) {
        return jury.caseOf(id).round;
    }

    function handOver() internal {
        bid(OWNER, handOverCall());
    }

    function voters() internal view returns (address[] memory list) {
        (, list) = jury.panelOf(id, round());
    }

    function commitmentOf(uint256 position, uint256 fingerprint) internal view returns (bytes32) {
        (uint256[] memory seats, ) = jury.panelOf(id, round());
        return jury.commitmentOf(id, round(), seats[position], fingerprint, saltOf(position));
    }

    function saltOf(uint256 position) internal pure returns (bytes32) {
        return keccak256(abi.encode("salt", position));
    }

    function commitCall(uint256 position, uint256 fingerprint) internal view returns (bytes memory) {
        return abi.encodeCall(jury.commit, (id, position, commitmentOf(position, fingerprint)));
    }

    function revealCall(
        uint256 position,
        uint256 fingerprint,
        uint256 bps
    ) internal view returns (bytes memory) {
        return abi.encodeCall(jury.reveal, (id, position, fingerprint, bps, saltOf(position)));
    }

    function commit(uint256 position, uint256 fingerprint) internal {
        bid(voters()[position], commitCall(position, fingerprint));
    }

    function reveal(uint256 position, uint256 fingerprint, uint256 bps) internal {
        bid(voters()[position], revealCall(position, fingerprint, bps));
    }

    /// @notice From the drawn panel to the last reveal: all vote as `votes` says [bps]; `type(uint256).max`: silent.
    function deliberate(uint256[] memory votes) internal {
        deliberate(votes, prints(votes.length, WORK));
    }

    function deliberate(uint256[] memory votes, uint256[] memory fingerprints) internal {
        vm.warp(later(1));
        handOver();
        for (uint256 i = 0; i < votes.length; ++i) {
            if (fingerprints[i] != type(uint256).max) commit(i, fingerprints[i]);
        }
        vm.warp(untilNow() + 1);
        handOver();
        for (uint256 i = 0; i < votes.length; ++i) {
            if (votes[i] != type(uint256).max && fingerprints[i] != type(uint256).max) {
                reveal(i, fingerprints[i], votes[i]);
            }
        }
    }

    function prints(uint256 count, uint256 fingerprint) internal pure returns (uint256[] memory list) {
        list = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) list[i] = fingerprint;
    }

    function three(uint256 a, uint256 b, uint256 c) internal pure returns (uint256[] memory list) {
        list = new uint256[](3);
        (list[0], list[1], list[2]) = (a, b, c);
    }

    function fifteen(uint256 forOwner, uint256 forProvider) internal pure returns (uint256[] memory list) {
        list = prints(15, type(uint256).max);
        for (uint256 i = 0; i < forOwner; ++i) list[i] = 0;
        for (uint256 i = 0; i < forProvider; ++i) list[forOwner + i] = BPS;
    }

    /// @notice So long after the concession window, or now where that is later [s].
    function later(uint256 wait) internal view returns (uint256) {
        uint256 from = DISPUTED + CONCESSION_WINDOW;
        uint256 now_ = vm.getBlockTimestamp();
        return (now_ > from ? now_ : from) + wait;
    }

    /// @notice The last second of the step.
    function untilNow() internal view returns (uint256) {
        return jury.caseOf(id).until;
    }

    /// @notice The first second at which the case can be finished.
    function finish() internal {
        vm.warp(untilNow() + (round() == 0 ? STEP : 0) + 1);
        bid(STRANGER, finishCall());
    }

    // ---- Looks ----

    /// @notice All that the jury owes, of those that can have something.
    function owed(uint256 jurors) internal view returns (uint256 sum) {
        sum = jury.creditOf(TREASURY) + jury.creditOf(STRANGER) + jury.creditOf(OWNER);
        for (uint256 i = 0; i < jurors; ++i) sum += jury.creditOf(jurorOf(i));
    }

    /// @notice I-1 and I-2: what the jury has is what it owes, to the wei.
    function assertSolvent(uint256 jurors) internal view {
        assertEq(
            address(jury).balance + market.balanceOf(address(jury)),
            owed(jurors) + jury.appealOf(id).bondWei * (jury.caseOf(id).step == IJury.Step.Ended ? 0 : 1),
            "I-1"
        );
    }

    function stakeOf(address account) internal view returns (uint256) {
        return registry.providerOf(account).stake;
    }

    /// @notice The juror in whose seat that is: seats are taken in order.
    function accountAt(uint256 position, uint256 round_) internal view returns (address) {
        (uint256[] memory seats, ) = jury.panelOf(id, round_);
        return jurorOf(seats[position]);
    }

    function assertStep(IJury.Step step) internal view {
        assertEq(uint256(jury.caseOf(id).step), uint256(step), "step");
    }

    function assertEnded(Outcome outcome) internal view {
        assertStatus(Status.Resolved, outcome);
        assertStep(IJury.Step.Ended);
    }
}
