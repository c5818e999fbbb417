// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IVerifier} from "../interfaces/IVerifier.sol";

/// @title A small proof system, as an example: one layer of a network, Y = W X over a prime field
/// @notice The product of two n x n matrices takes n^3 multiplications to make and 3 n^2 to check (Freivalds, 1977): with a
/// vector r, W (X r) = Y r. Made non-interactive by a hash of all three matrices, r = (1, z, z^2, ...): where Y is wrong, one
/// row of Y - W X is a polynomial in z other than zero, of a degree below n, and has fewer than n roots among 2^254 values.
/// @dev The proof is the three matrices, row by row, 32 bytes for each number: input W and X, output Y. Nothing is hidden,
/// and nothing is short; what is saved is the work. Each number is below the order of BN254's scalar field.
contract MatrixProductVerifier is IVerifier {
    /// @notice Rows and columns.
    uint256 public immutable size;
    uint256 private constant P =
        21_888_242_871_839_275_222_246_405_745_257_275_088_548_364_400_416_034_343_698_204_186_575_808_495_617;

    error MatrixProductVerifier_ZeroSize();

    constructor(uint256 size_) {
        if (size_ == 0) revert MatrixProductVerifier_ZeroSize();
        size = size_;
    }

    /// @inheritdoc IVerifier
    function verify(
        bytes32 inputHash,
        bytes32 outputHash,
        bytes calldata proof
    ) external view override returns (bool) {
        uint256 n = size;
        uint256 matrix = n * n * 0x20;
        if (proof.length != 3 * matrix) return false;
        if (sha256(proof[:2 * matrix]) != inputHash || sha256(proof[2 * matrix:]) != outputHash) return false;
        if (!_areInField(proof)) return false;
        uint256 z = uint256(keccak256(proof)) % P;
        uint256[] memory r = new uint256[](n);
        r[0] = 1;
        for (uint256 i = 1; i < n; ++i) r[i] = mulmod(r[i - 1], z, P);
        uint256[] memory xr = _times(proof[matrix:2 * matrix], r);
        uint256[] memory wxr = _times(proof[:matrix], xr);
        uint256[] memory yr = _times(proof[2 * matrix:], r);
        for (uint256 i = 0; i < n; ++i) if (wxr[i] != yr[i]) return false;
        return true;
    }

    /// @dev One number, one encoding.
    function _areInField(bytes calldata numbers) private pure returns (bool) {
        for (uint256 i = 0; i < numbers.length; i += 0x20) {
            if (_wordAt(numbers, i) >= P) return false;
        }
        return true;
    }

    function _times(
        bytes calldata matrix,
        uint256[] memory vector
    ) private pure returns (uint256[] memory product) {
        uint256 n = vector.length;
        product = new uint256[](n);
        for (uint256 i = 0; i < n; ++i) {
            uint256 sum = 0;
            for (uint256 k = 0; k < n; ++k) {
                sum = addmod(sum, mulmod(_wordAt(matrix, (i * n + k) * 0x20), vector[k], P), P);
            }
            product[i] = sum;
        }
    }

    function _wordAt(bytes calldata words, uint256 offset) private pure returns (uint256) {
        return uint256(bytes32(words[offset:offset + 0x20]));
    }
}
