// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {OpeningProofs} from "../../../contracts/libraries/OpeningProofs.sol";
import {OpeningChecker} from "../../../contracts/mocks/OpeningChecker.sol";
import {Secp256k1} from "../utils/Secp256k1.sol";
import {Test} from "../utils/Test.sol";

/// @notice Here every logarithm is known, so that proofs of all kinds can be made.
contract OpeningProofsTest is Test {
    uint256 private constant N = Secp256k1.ORDER;
    uint256 private constant P = type(uint256).max - (1 << 32) - 976;

    /// @dev P = dG, R = rG, S = eR, A = kG, B = kR; c and s as whoever knows `e` would make them. A prover is honest if d = e.
    struct Prover {
        bytes32 context;
        bytes32 keyCommit;
        uint256 d;
        uint256 r;
        uint256 e;
        uint256 k;
    }

    OpeningChecker private checker;

    function setUp() external {
        checker = OpeningChecker(create("contracts/mocks/OpeningChecker.sol:OpeningChecker", ""));
    }

    // ---- What holds ----

    function test_holds() external view {
        testFuzz_holds(Prover("task", "key", 5, 7, 0, 11));
    }

    /// hardhat-config: default.fuzz.runs = 16
    function testFuzz_holds(Prover memory prover) public view {
        (OpeningProofs.Statement memory statement, OpeningProofs.Proof memory proof) = honest(prover);
        assertTrue(checker.verify(statement, proof), "holds");
        checker.requireValid(statement, proof);
    }

    function test_RevertWhen_ItDoesNotHold() external {
        (OpeningProofs.Statement memory statement, OpeningProofs.Proof memory proof) = honest(
            Prover("task", "key", 5, 7, 0, 11)
        );
        statement.context = "other";
        vm.expectRevert(abi.encodeWithSelector(OpeningChecker.OpeningChecker_Invalid.selector));
        checker.requireValid(statement, proof);
    }

    // ---- Another statement ----

    /// hardhat-config: default.fuzz.runs = 8
    function testFuzz_holdsForNoOtherStatement(Prover memory prover, uint256 by) external view {
        (OpeningProofs.Statement memory right, OpeningProofs.Proof memory proof) = honest(prover);
        OpeningProofs.CompressedPoint memory other = compressed(point(bound(by, 1, N - 1)));
        vm.assume(other.x != right.recipient.x && other.x != right.ephemeral.x && other.x != right.shared.x);
        vm.assume(prover.d != 1 && prover.r != 1 && right.context != right.keyCommit);
        for (uint256 which = 0; which < 11; ++which) {
            OpeningProofs.Statement memory statement = copyOf(right);
            if (which == 0) statement.context = statement.context ^ bytes32(by | 1);
            if (which == 1) statement.keyCommit = statement.keyCommit ^ bytes32(by | 1);
            if (which == 2) statement.recipient.isOdd = !statement.recipient.isOdd;
            if (which == 3) statement.ephemeral.isOdd = !statement.ephemeral.isOdd;
            if (which == 4) statement.shared.isOdd = !statement.shared.isOdd;
            if (which == 5) statement.recipient = other;
            if (which == 6) statement.ephemeral = other;
            if (which == 7) statement.shared = other;
            if (which == 8) statement.shared = right.ephemeral;
            if (which == 9) (statement.recipient, statement.shared) = (right.shared, right.recipient);
            if (which == 10) (statement.context, statement.keyCommit) = (right.keyCommit, right.context);
            assertFalls(statement, proof);
        }
        assertTrue(checker.verify(right, proof), "the right one holds");
    }

    /// @dev -S = d(-R), so that what is stated is true, and every hint fits: only what was hashed differs.
    /// hardhat-config: default.fuzz.runs = 4
    function testFuzz_holdsNotForTheNegativesOfBothPoints(Prover memory prover) external view {
        (OpeningProofs.Statement memory statement, OpeningProofs.Proof memory proof) = honest(prover);
        statement.ephemeral.isOdd = !statement.ephemeral.isOdd;
        statement.shared.isOdd = !statement.shared.isOdd;
        proof.sR.y = P - proof.sR.y;
        proof.cS.y = P - proof.cS.y;
        assertFalls(statement, proof);
    }

    /// @dev On no point: 5 has no root. No scalar: 0, n and all above, whether on a point or not.
    /// hardhat-config: default.fuzz.runs = 4
    function testFuzz_takesNoPointThatIsNone(Prover memory prover, uint256 x) external view {
        (OpeningProofs.Statement memory right, OpeningProofs.Proof memory proof) = honest(prover);
        uint256[4] memory bad = [uint256(0), 5, N, bound(x, N, type(uint256).max)];
        for (uint256 which = 0; which < 2 * bad.length; ++which) {
            OpeningProofs.CompressedPoint memory none = OpeningProofs.CompressedPoint(
                which % 2 == 1,
                bad[which / 2]
            );
            OpeningProofs.Statement memory statement = copyOf(right);
            statement.recipient = none;
            assertFalls(statement, proof);
            statement = copyOf(right);
            statement.ephemeral = none;
            assertFalls(statement, proof);
            statement = copyOf(right);
            statement.shared = none;
            assertFalls(statement, proof);
        }
    }

    // ---- Another proof ----

    /// hardhat-config: default.fuzz.runs = 8
    function testFuzz_holdsInOneFormOnly(Prover memory prover, uint256 by) external view {
        (OpeningProofs.Statement memory statement, OpeningProofs.Proof memory right) = honest(prover);
        by = bound(by, 1, N - 1);
        for (uint256 which = 0; which < 18; ++which) {
            OpeningProofs.Proof memory proof = abi.decode(abi.encode(right), (OpeningProofs.Proof));
            if (which == 0) proof.c = addmod(proof.c, by, N);
            if (which == 1) proof.s = addmod(proof.s, by, N);
            if (which == 2) proof.c = 0;
            if (which == 3) proof.s = 0;
            if (which == 4) proof.c = N;
            if (which == 5) proof.s = N;
            if (which == 6) proof.a.x = addmod(proof.a.x, by, P);
            if (which == 7) proof.sR.x = addmod(proof.sR.x, by, P);
            if (which == 8) proof.cS.x = addmod(proof.cS.x, by, P);
            if (which == 9) proof.a.y = P - proof.a.y;
            if (which == 10) proof.sR.y = P - proof.sR.y;
            if (which == 11) proof.cS.y = P - proof.cS.y;
            if (which == 12) proof.inverse = addmod(proof.inverse, by, P);
            if (which == 13) (proof.sR, proof.cS) = (right.cS, right.sR);
            if (which == 14) proof.inverse = 0;
            if (which == 15) proof.a = right.sR;
            if (which == 16) proof.cS = right.sR;
            if (which == 17) proof.a = OpeningProofs.Point(0, 0);
            assertFalls(statement, proof);
        }
        assertTrue(checker.verify(statement, right), "the right one holds");
        // Nor is there an error where all else fits.
        uint256 small = bound(by, 1, type(uint256).max - N);
        right = hinted(prover, small, right.s);
        right.c = N + small;
        assertFalls(statement, right);
    }

    // ---- Forgers ----

    /// @dev Whoever knows the key shows another point, and answers for the key or for the point.
    /// hardhat-config: default.fuzz.runs = 6
    function testFuzz_nobodyProvesAnotherPoint(Prover memory prover) external view {
        prover = bounded(prover);
        vm.assume(prover.d != prover.e);
        uint256[2] memory logarithms = [prover.d, prover.e];
        for (uint256 which = 0; which < 2; ++which) {
            (OpeningProofs.Statement memory statement, OpeningProofs.Proof memory proof) = made(
                prover,
                logarithms[which]
            );
            assertFalls(statement, proof);
            // The points that were hashed and what leads to them: one of each three is not what the numbers come to.
            OpeningProofs.Proof memory lie = abi.decode(abi.encode(proof), (OpeningProofs.Proof));
            lie.a = point(prover.k);
            lie.sR = point(mulmod(addmod(prover.k, mulmod(proof.c, prover.e, N), N), prover.r, N));
            assertFalls(statement, witnessed(lie));
            lie.sR = proof.sR;
            lie.cS = point(mulmod(proof.c, mulmod(logarithms[which], prover.r, N), N));
            assertFalls(statement, witnessed(lie));
        }
    }

    /// @dev B is not the difference, but what a slope of the forger's choice leads to; or it is none.
    /// hardhat-config: default.fuzz.runs = 4
    function testFuzz_nobodyChoosesTheDifference(Prover memory prover, uint256 x) external view {
        prover = bounded(prover);
        vm.assume(prover.d != prover.e);
        (OpeningProofs.Statement memory statement, ) = made(prover, prover.d);
        uint256 forged = 0;
        for (x = bound(x, 1, P - 1); forged < 2; x = addmod(x, 1, P)) {
            // Hashed with this x for B. The slope that leads to it is a square root, if there is one, and has two signs.
            OpeningProofs.CompressedPoint memory b = OpeningProofs.CompressedPoint(forged == 1, x);
            uint256 c = challenge(statement, compressed(point(prover.k)), b);
            OpeningProofs.Proof memory proof = hinted(prover, c, addmod(prover.k, mulmod(c, prover.d, N), N));
            uint256 square = addmod(x, addmod(proof.sR.x, proof.cS.x, P), P);
            uint256 slope = Math.modExp(square, (P + 1) / 4, P);
            if (mulmod(slope, slope, P) != square) continue;
            uint256 sum = Math.invModPrime(addmod(proof.sR.y, proof.cS.y, P), P);
            proof.inverse = mulmod(slope, sum, P);
            assertFalls(statement, proof);
            proof.inverse = mulmod(P - slope, sum, P);
            assertFalls(statement, proof);
            ++forged;
        }
        uint256 c0 = challenge(
            statement,
            compressed(point(prover.k)),
            OpeningProofs.CompressedPoint(false, 0)
        );
        OpeningProofs.Proof memory none = hinted(prover, c0, addmod(prover.k, mulmod(c0, prover.d, N), N));
        none.inverse = 0;
        assertFalls(statement, none);
    }

    /// @dev Without the key: numbers first, and the points that fit them. All equations hold, the hash does not.
    /// hardhat-config: default.fuzz.runs = 6
    function testFuzz_nobodyProvesWithoutTheKey(Prover memory prover, uint256 c, uint256 s) external view {
        prover = bounded(prover);
        prover.e = prover.d;
        c = bound(c, 1, N - 1);
        s = bound(s, 1, N - 1);
        vm.assume(s != mulmod(c, prover.d, N) && addmod(s, mulmod(c, prover.d, N), N) != 0);
        (OpeningProofs.Statement memory statement, ) = made(prover, prover.d);
        assertFalls(statement, hinted(prover, c, s));
    }

    /// @dev With k = 0 both commitments would be the point at infinity.
    /// hardhat-config: default.fuzz.runs = 4
    function testFuzz_takesNoCommitmentToNothing(
        Prover memory prover,
        uint256 c,
        uint256 inverse
    ) external view {
        prover = bounded(prover);
        prover.e = prover.d;
        c = bound(c, 1, N - 1);
        (OpeningProofs.Statement memory statement, ) = made(prover, prover.d);
        uint256 s = mulmod(c, prover.d, N);
        OpeningProofs.Point memory both = point(mulmod(s, prover.r, N));
        OpeningProofs.Point memory none;
        assertFalls(statement, OpeningProofs.Proof(c, s, none, both, both, inverse));
    }

    // ---- Making proofs ----

    function assertFalls(
        OpeningProofs.Statement memory statement,
        OpeningProofs.Proof memory proof
    ) private view {
        assertTrue(!checker.verify(statement, proof), "does not hold");
    }

    function bounded(Prover memory prover) private pure returns (Prover memory) {
        prover.d = bound(prover.d, 1, N - 1);
        prover.r = bound(prover.r, 1, N - 1);
        prover.e = bound(prover.e, 1, N - 1);
        prover.k = bound(prover.k, 1, N - 1);
        return prover;
    }

    function honest(
        Prover memory prover
    ) private view returns (OpeningProofs.Statement memory statement, OpeningProofs.Proof memory proof) {
        bounded(prover);
        prover.e = prover.d;
        return made(prover, prover.d);
    }

    function made(
        Prover memory prover,
        uint256 known
    ) private view returns (OpeningProofs.Statement memory statement, OpeningProofs.Proof memory proof) {
        statement = OpeningProofs.Statement({
            context: prover.context,
            keyCommit: prover.keyCommit,
            recipient: compressed(point(prover.d)),
            ephemeral: compressed(point(prover.r)),
            shared: compressed(point(mulmod(prover.e, prover.r, N)))
        });
        OpeningProofs.CompressedPoint memory b = compressed(point(mulmod(prover.k, prover.r, N)));
        uint256 c = challenge(statement, compressed(point(prover.k)), b);
        proof = hinted(prover, c, addmod(prover.k, mulmod(c, known, N), N));
    }

    /// @dev A proof of these numbers, with all that the chain wants to be told.
    function hinted(
        Prover memory prover,
        uint256 c,
        uint256 s
    ) private view returns (OpeningProofs.Proof memory proof) {
        proof.c = c;
        proof.s = s;
        proof.a = point(addmod(s, N - mulmod(c, prover.d, N), N));
        proof.sR = point(mulmod(s, prover.r, N));
        proof.cS = point(mulmod(c, mulmod(prover.e, prover.r, N), N));
        return witnessed(proof);
    }

    function witnessed(OpeningProofs.Proof memory proof) private view returns (OpeningProofs.Proof memory) {
        proof.inverse = Math.invModPrime(addmod(proof.sR.x, P - proof.cS.x, P), P);
        return proof;
    }

    /// @dev From the description in docs/envelope.md.
    function challenge(
        OpeningProofs.Statement memory statement,
        OpeningProofs.CompressedPoint memory a,
        OpeningProofs.CompressedPoint memory b
    ) private pure returns (uint256) {
        bytes memory points = bytes.concat(
            encoded(statement.recipient),
            encoded(statement.ephemeral),
            encoded(statement.shared),
            encoded(a),
            encoded(b)
        );
        bytes memory all = bytes.concat("neura/opening/1", statement.context, statement.keyCommit, points);
        return uint256(sha256(all)) % N;
    }

    function encoded(OpeningProofs.CompressedPoint memory p) private pure returns (bytes memory) {
        return abi.encodePacked(p.isOdd ? uint8(3) : uint8(2), p.x);
    }

    function compressed(
        OpeningProofs.Point memory p
    ) private pure returns (OpeningProofs.CompressedPoint memory) {
        return OpeningProofs.CompressedPoint(p.y % 2 == 1, p.x);
    }

    function copyOf(
        OpeningProofs.Statement memory statement
    ) private pure returns (OpeningProofs.Statement memory) {
        return abi.decode(abi.encode(statement), (OpeningProofs.Statement));
    }

    function point(uint256 scalar) private view returns (OpeningProofs.Point memory) {
        (uint256 x, uint256 y) = Secp256k1.publicKey(scalar);
        return OpeningProofs.Point(x, y);
    }
}
