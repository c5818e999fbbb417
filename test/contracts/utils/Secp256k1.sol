// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @notice The public keys of secp256k1, y² = x³ + 7 (SEC 2, section 2.4.1), in Jacobian coordinates.
library Secp256k1 {
    struct Point {
        uint256 x;
        uint256 y;
        uint256 z;
    }

    uint256 internal constant ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
    uint256 private constant P = type(uint256).max - (1 << 32) - 976;
    uint256 private constant GX = 0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798;
    uint256 private constant GY = 0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8;

    /// @notice The affine point that is `secret` times the generator; `0 < secret < ORDER`.
    function publicKey(uint256 secret) internal view returns (uint256 x, uint256 y) {
        Point memory sum;
        for (uint256 bit = 256; bit > 0; --bit) {
            sum = double(sum);
            if ((secret >> (bit - 1)) % 2 == 1) sum = addGenerator(sum);
        }
        uint256 inverse = Math.invModPrime(sum.z, P);
        uint256 square = mulmod(inverse, inverse, P);
        return (mulmod(sum.x, square, P), mulmod(sum.y, mulmod(square, inverse, P), P));
    }

    function double(Point memory p) private pure returns (Point memory) {
        uint256 yy = mulmod(p.y, p.y, P);
        uint256 s = mulmod(4, mulmod(p.x, yy, P), P);
        uint256 m = mulmod(3, mulmod(p.x, p.x, P), P);
        uint256 x = sub(mulmod(m, m, P), addmod(s, s, P));
        uint256 y = sub(mulmod(m, sub(s, x), P), mulmod(8, mulmod(yy, yy, P), P));
        return Point(x, y, mulmod(2, mulmod(p.y, p.z, P), P));
    }

    /// @dev The sum is never the generator itself or its negative within {publicKey}.
    function addGenerator(Point memory p) private pure returns (Point memory) {
        if (p.z == 0) return Point(GX, GY, 1);
        uint256 zz = mulmod(p.z, p.z, P);
        uint256 h = sub(mulmod(GX, zz, P), p.x);
        uint256 r = sub(mulmod(GY, mulmod(zz, p.z, P), P), p.y);
        uint256 hh = mulmod(h, h, P);
        uint256 hhh = mulmod(hh, h, P);
        uint256 v = mulmod(p.x, hh, P);
        uint256 x = sub(sub(mulmod(r, r, P), hhh), addmod(v, v, P));
        uint256 y = sub(mulmod(r, sub(v, x), P), mulmod(p.y, hhh, P));
        return Point(x, y, mulmod(p.z, h, P));
    }

    function sub(uint256 a, uint256 b) private pure returns (uint256) {
        return addmod(a, P - b, P);
    }
}
