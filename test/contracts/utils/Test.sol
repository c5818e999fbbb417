// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Vm} from "./Vm.sol";

/// @notice What every Solidity test starts from.
abstract contract Test {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    address[] private _targets;

    error NotEqual(uint256 actual, uint256 expected, string what);
    error NotAtMost(uint256 actual, uint256 maximum, string what);
    error NotTrue(string what);

    function assertEq(uint256 actual, uint256 expected, string memory what) internal pure {
        if (actual != expected) revert NotEqual(actual, expected, what);
    }

    function assertEq(address actual, address expected, string memory what) internal pure {
        assertEq(uint160(actual), uint160(expected), what);
    }

    function assertEq(bytes memory actual, bytes memory expected, string memory what) internal pure {
        assertTrue(keccak256(actual) == keccak256(expected), what);
    }

    function assertLe(uint256 actual, uint256 maximum, string memory what) internal pure {
        if (actual > maximum) revert NotAtMost(actual, maximum, what);
    }

    function assertTrue(bool condition, string memory what) internal pure {
        if (!condition) revert NotTrue(what);
    }

    /// @notice Brings a random `value` into `minimum .. maximum`; values inside stay as they are.
    function bound(uint256 value, uint256 minimum, uint256 maximum) internal pure returns (uint256) {
        if (value >= minimum && value <= maximum) return value;
        uint256 range = maximum - minimum;
        return range == type(uint256).max ? value : minimum + (value % (range + 1));
    }

    /// @notice Makes the contract that is built as `artifact`, as it is deployed; fails with its error. What a test makes
    /// with `new` is compiled as tests are: quickly.
    function create(string memory artifact, bytes memory arguments) internal returns (address created) {
        bytes memory code = bytes.concat(vm.getCode(artifact), arguments);
        assembly ("memory-safe") {
            created := create(0, add(code, 0x20), mload(code))
            if iszero(created) {
                let free := mload(0x40)
                returndatacopy(free, 0, returndatasize())
                revert(free, returndatasize())
            }
        }
    }

    /// @notice Invariants are tried with random calls to `handler` alone.
    function targetContract(address handler) internal {
        _targets.push(handler);
    }

    /// @dev The runner asks for it.
    function targetContracts() external view returns (address[] memory) {
        return _targets;
    }

    /// @dev The runner asks for it. One account that is no party: a party that is drawn as the sender has its
    /// balance changed by the runner.
    function targetSenders() external pure returns (address[] memory senders) {
        senders = new address[](1);
        senders[0] = address(0x5E4DE4);
    }
}
