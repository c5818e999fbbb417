// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Actor} from "./Actor.sol";

/// @notice Asks in one call what many calls of many accounts would come to, and undoes each before the next. The
/// accounts have the code of {Actor}.
contract Prober {
    struct Probe {
        /// Who calls; the zero address: this contract.
        address from;
        address target;
        uint256 value;
        bytes data;
    }

    struct Answer {
        bool done;
        bytes returned;
    }

    /// @dev Carries the answer out of what it undoes.
    error Prober_Undone(Answer answer);

    function probe(Probe[] calldata probes) external returns (Answer[] memory answers) {
        answers = new Answer[](probes.length);
        for (uint256 i = 0; i < probes.length; ++i) {
            try this.attempt(probes[i]) {} catch (bytes memory reason) {
                assembly ("memory-safe") {
                    // Without the selector.
                    mstore(add(reason, 4), sub(mload(reason), 4))
                    reason := add(reason, 4)
                }
                answers[i] = abi.decode(reason, (Answer));
            }
        }
    }

    function attempt(Probe calldata one) external {
        Answer memory answer;
        (answer.done, answer.returned) =
            one.from == address(0)
                ? one.target.call{value: one.value}(one.data)
                : one.from.call(abi.encodeCall(Actor.execute, (one.target, one.value, one.data)));
        revert Prober_Undone(answer);
    }

    function balanceOf(address account) external view returns (uint256) {
        return account.balance;
    }
}
