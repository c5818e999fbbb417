// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Checks what somebody shows of an envelope; see docs/envelope.md.
/// @notice The holder of a key P = dG shows the point S = dR that opens one wrap, R being the wrap's ephemeral point, with a
/// proof that log_G(P) = log_R(S) (Chaum and Pedersen, 1992, made non-interactive). With A = sG - cP and B = sR - cS:
///
///   c = SHA-256("neura/opening/1" | context | keyCommit | P | R | S | A | B) mod n
///
/// @dev Sound: the curve has prime order, so P, R and S have one discrete logarithm each. If S = d'R with d' != d, then of
/// each pair A = aG, B = bR the response s = a + cd = b + cd' fits a single c, and the hash, which covers both points and
/// all of the statement, must come to it: a chance of 2^-256 for each try. Parity is part of what is hashed.
///
/// The precompile `ecrecover(h, v, x, t)` gives the address of (tQ - hG) / x, where Q has this x and the parity of v. With
/// h and t multiplied by x beforehand, that is the address of any sG - cQ, and with h = 0 of any kQ. The prover passes the
/// points themselves. Another one would need the same address: to forge, a second preimage of 160 bits, since what is hashed
/// fixes c before s and all three points follow from these two. The precompile takes no x that is on no point, is 0, or is n
/// or above, and no t of 0, and it gives no address for the point at infinity.
///
/// Warning: the proof says nothing about where R and keyCommit come from. Take them from the envelope that the chain refers
/// to by content. That the author of R has shown to know its logarithm is checked off chain, before a key is used.
library OpeningProofs {
    /// @notice A compressed point: SEC 1, section 2.3.3, with `isOdd` for the prefix 0x03.
    struct CompressedPoint {
        bool isOdd;
        uint256 x;
    }

    struct Point {
        uint256 x;
        uint256 y;
    }

    /// @notice What is shown, and of which wrap.
    struct Statement {
        /// The task that the envelope belongs to.
        bytes32 context;
        /// The compartment's commitment to its key.
        bytes32 keyCommit;
        /// P, whose holder shows it.
        CompressedPoint recipient;
        /// R, of the wrap.
        CompressedPoint ephemeral;
        /// S = dR.
        CompressedPoint shared;
    }

    struct Proof {
        /// Challenge and response.
        uint256 c;
        uint256 s;
        /// A = sG - cP.
        Point a;
        /// sR and cS, whose difference is B.
        Point sR;
        Point cS;
        /// Of the difference of their x, modulo the field's order.
        uint256 inverse;
    }

    /// @dev The order of the group, n, and of the field, of secp256k1: SEC 2, section 2.4.1.
    uint256 private constant N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
    uint256 private constant P = type(uint256).max - (1 << 32) - 976;

    /// @notice Whether `proof` shows that S is the point that the holder of P shares with the author of R.
    function verify(Statement calldata statement, Proof calldata proof) internal pure returns (bool) {
        uint256 c = proof.c;
        uint256 s = proof.s;
        // One number, one encoding. The points' numbers are checked by the precompile.
        if (c >= N || s >= N) return false;
        if (!_isPoint(proof.a, statement.recipient, c, s)) return false;
        if (!_isPoint(proof.sR, statement.ephemeral, N - s, 0)) return false;
        if (!_isPoint(proof.cS, statement.shared, N - c, 0)) return false;
        (bool exists, CompressedPoint memory b) = _difference(proof.sR, proof.cS, proof.inverse);
        return exists && c == _challenge(statement, proof.a, b);
    }

    /// @dev Whether `point` is sG - cQ. Fails for c = 0, whatever s is.
    function _isPoint(
        Point calldata point,
        CompressedPoint calldata q,
        uint256 c,
        uint256 s
    ) private pure returns (bool) {
        uint256 x = q.x;
        address found = ecrecover(
            bytes32((N - mulmod(s, x, N)) % N),
            q.isOdd ? 28 : 27,
            bytes32(x),
            bytes32(N - mulmod(c, x, N))
        );
        return found != address(0) && found == address(uint160(uint256(keccak256(abi.encode(point)))));
    }

    /// @dev u - v for points with different x, which `inverse` is the witness of; their coordinates are below the field's order.
    function _difference(
        Point calldata u,
        Point calldata v,
        uint256 inverse
    ) private pure returns (bool exists, CompressedPoint memory point) {
        if (mulmod(addmod(u.x, P - v.x, P), inverse, P) != 1) return (false, point);
        uint256 slope = mulmod(addmod(u.y, v.y, P), inverse, P);
        uint256 x = addmod(mulmod(slope, slope, P), P - addmod(u.x, v.x, P), P);
        uint256 y = addmod(mulmod(slope, addmod(u.x, P - x, P), P), P - u.y, P);
        return (true, CompressedPoint(y % 2 == 1, x));
    }

    function _challenge(
        Statement calldata statement,
        Point calldata a,
        CompressedPoint memory b
    ) private pure returns (uint256) {
        return
            uint256(
                sha256(
                    abi.encodePacked(
                        "neura/opening/1",
                        statement.context,
                        statement.keyCommit,
                        _prefix(statement.recipient.isOdd),
                        statement.recipient.x,
                        _prefix(statement.ephemeral.isOdd),
                        statement.ephemeral.x,
                        _prefix(statement.shared.isOdd),
                        statement.shared.x,
                        _prefix(a.y % 2 == 1),
                        a.x,
                        _prefix(b.isOdd),
                        b.x
                    )
                )
            ) % N;
    }

    function _prefix(bool isOdd) private pure returns (bytes1) {
        return isOdd ? bytes1(0x03) : bytes1(0x02);
    }
}
