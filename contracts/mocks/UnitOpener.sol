// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Evidence, Unit} from "../libraries/Evidence.sol";

/// @notice What an arbiter's contract would do with one unit of a delivery.
contract UnitOpener {
    error UnitOpener_NotDelivered();

    /// @notice For a transaction: reverts with {UnitOpener_NotDelivered} unless the unit is under the evidence.
    function requireUnit(
        bytes32 evidenceHash,
        Evidence calldata evidence,
        Unit calldata unit,
        bytes32[] calldata branch
    ) external pure {
        if (evidence.hash() != evidenceHash || !evidence.holds(unit, branch))
            revert UnitOpener_NotDelivered();
    }
}
