// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IVerifier} from "../../../contracts/interfaces/IVerifier.sol";
import {Test} from "../utils/Test.sol";

/// @dev A layer of a network, and what shows that it was computed.
abstract contract Layers is Test {
    uint256 internal constant N = 4;
    uint256 internal constant P =
        21_888_242_871_839_275_222_246_405_745_257_275_088_548_364_400_416_034_343_698_204_186_575_808_495_617;

    function layer(bytes32 seed) internal pure returns (bytes memory input, bytes memory output) {
        uint256[] memory w = new uint256[](N * N);
        uint256[] memory x = new uint256[](N * N);
        uint256[] memory y = new uint256[](N * N);
        for (uint256 i = 0; i < N * N; ++i) {
            w[i] = uint256(keccak256(abi.encode(seed, i))) % P;
            x[i] = uint256(keccak256(abi.encode(seed, N * N + i))) % P;
        }
        for (uint256 i = 0; i < N * N; ++i) {
            for (uint256 k = 0; k < N; ++k) {
                y[i] = addmod(y[i], mulmod(w[(i / N) * N + k], x[k * N + (i % N)], P), P);
            }
        }
        input = abi.encodePacked(w, x);
        output = abi.encodePacked(y);
    }
}

contract MatrixProductVerifierTest is Layers {
    IVerifier private verifier;

    function setUp() external {
        verifier = IVerifier(
            create("contracts/verifiers/MatrixProductVerifier.sol:MatrixProductVerifier", abi.encode(N))
        );
    }

    function holds(bytes memory input, bytes memory output) private view returns (bool) {
        return verifier.verify(sha256(input), sha256(output), bytes.concat(input, output));
    }

    /// @dev Complete: what was computed is believed. Sound: one bit of any number elsewhere is not.
    function testFuzz_productsAreBelievedAndNothingElse(bytes32 seed, uint16 place, uint8 bit) external view {
        (bytes memory input, bytes memory output) = layer(seed);
        assertTrue(holds(input, output), "right");
        bytes memory wrong = bytes.concat(output);
        uint256 at_ = place % wrong.length;
        wrong[at_] = bytes1(uint8(wrong[at_]) ^ uint8(1 << (bit % 8)));
        assertTrue(!holds(input, wrong), "another output");
        wrong = bytes.concat(input);
        at_ = place % wrong.length;
        wrong[at_] = bytes1(uint8(wrong[at_]) ^ uint8(1 << (bit % 8)));
        assertTrue(!holds(wrong, output), "another input");
    }

    /// @dev The same bytes or none: a proof of other hashes, of another length, or with another form of a number.
    function testFuzz_A28_oneEncoding(bytes32 seed, uint8 place) external view {
        (bytes memory input, bytes memory output) = layer(seed);
        bytes memory proof = bytes.concat(input, output);
        assertTrue(!verifier.verify(sha256(output), sha256(output), proof), "input's hash");
        assertTrue(!verifier.verify(sha256(input), sha256(input), proof), "output's hash");
        assertTrue(!verifier.verify(sha256(input), sha256(output), bytes.concat(proof, hex"00")), "longer");
        assertTrue(!verifier.verify(sha256(input), sha256(output), ""), "nothing");
        // The same number and once more the field's order.
        uint256 word = 32 + 32 * uint256(place % (N * N));
        uint256 value;
        assembly {
            value := mload(add(output, word))
        }
        if (value > type(uint256).max - P) return;
        assembly {
            mstore(add(output, word), add(value, P))
        }
        assertTrue(!holds(input, output), "beyond the field");
    }

    /// @dev Rows that trade places, or whose sums are right, are wrong rows.
    function testFuzz_sumsDoNotPass(bytes32 seed, uint8 row, uint256 by) external view {
        (bytes memory input, bytes memory output) = layer(seed);
        by = bound(by, 1, P - 1);
        // Adds to one column what it takes from the next: the row's sum is the same.
        uint256 word = 32 + 32 * N * uint256(row % N);
        assembly {
            let place := add(output, word)
            mstore(place, addmod(mload(place), by, P))
            mstore(add(place, 32), addmod(mload(add(place, 32)), sub(P, by), P))
        }
        assertTrue(!holds(input, output), "same sum");
    }

    function test_RevertWhen_ItHasNoSize() external {
        try this.make(0) {
            revert("made");
        } catch {}
    }

    function make(uint256 size) external returns (address) {
        return
            create("contracts/verifiers/MatrixProductVerifier.sol:MatrixProductVerifier", abi.encode(size));
    }
}
