// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice The cheatcodes that the tests use, of those that the test runner knows.
/// @dev https://getfoundry.sh/reference/cheatcodes/overview
interface Vm {
    // ---- Chain ----

    function warp(uint256 timestamp) external;

    /// @notice The time of now, also after a {warp} in the same function: the compiler takes `block.timestamp` for a
    /// constant of the transaction.
    function getBlockTimestamp() external view returns (uint256 timestamp);

    function roll(uint256 blockNumber) external;

    function chainId(uint256 id) external;

    function deal(address account, uint256 balance) external;

    /// @notice The code that makes a contract, as it is built for the chain: "path:name".
    function getCode(string calldata artifact) external view returns (bytes memory creationCode);

    /// @notice `account` has this code from now on.
    function etch(address account, bytes calldata code) external;

    /// @notice Keeps the state of the whole chain, to go back to it with {revertToState} any number of times.
    function snapshotState() external returns (uint256 id);

    function revertToState(uint256 id) external returns (bool success);

    // ---- Callers and keys ----

    /// @notice The next call comes from `sender`.
    function prank(address sender) external;

    /// @notice All calls come from `sender` until {stopPrank}.
    function startPrank(address sender) external;

    function stopPrank() external;

    function addr(uint256 privateKey) external pure returns (address);

    function sign(uint256 privateKey, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);

    // ---- Expectations ----

    /// @notice Inputs that do not meet `condition` are thrown away.
    function assume(bool condition) external pure;

    /// @notice The next call reverts with exactly `data`.
    function expectRevert(bytes calldata data) external;

    /// @notice The next call emits, from `emitter`, what is emitted between this and it.
    function expectEmit(address emitter) external;

    // ---- Logs ----

    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    /// @notice Records what is logged from now on.
    function recordLogs() external;

    /// @notice What was logged since {recordLogs}, or since this was called last.
    function getRecordedLogs() external returns (Log[] memory logs);

    // ---- Text ----

    /// @notice The string at `key` of a JSON text, such as ".list[0].name"; reverts where there is none.
    function parseJsonString(string calldata json, string calldata key) external pure returns (string memory);

    // ---- Storage ----

    /// @notice Records the storage that calls touch from now on.
    function record() external;

    /// @notice The slots of `account` that were read and written since {record}.
    function accesses(address account) external returns (bytes32[] memory reads, bytes32[] memory writes);

    function load(address account, bytes32 slot) external view returns (bytes32 value);

    function store(address account, bytes32 slot, bytes32 value) external;
}
