// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Fingerprints} from "../libraries/Fingerprints.sol";

/// @title Compares fingerprints as a jury does, for tests of what makes them
contract FingerprintChecker {
    function isNear(uint256 one, uint256 other) external pure returns (bool) {
        return Fingerprints.isNear(one, other);
    }

    function median(uint256[] calldata fingerprints) external pure returns (uint256) {
        return Fingerprints.median(fingerprints, fingerprints.length);
    }
}
