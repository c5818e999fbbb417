// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice An account that is a contract: it calls what it is told to call, and misbehaves as it is told when it
/// receives the native coin or is called by {HookERC20}.
contract Actor {
    enum Manner {
        Accept,
        /// Makes the armed call.
        Reenter,
        Refuse,
        /// Reverts with a megabyte of data.
        RefuseMegabyte,
        BurnGas
    }

    Manner private _manner;
    address private _target;
    uint256 private _value;
    bytes private _data;
    bool private _entering;

    /// How often the armed call was made.
    uint256 public entries;
    /// Whether the last armed call went through, and what it returned.
    bool public succeeded;
    bytes public returned;

    error Actor_Refused(address from, uint256 value);

    receive() external payable {
        if (_manner == Manner.Reenter) reenter();
        else if (_manner == Manner.Refuse) revert Actor_Refused(msg.sender, msg.value);
        else if (_manner == Manner.RefuseMegabyte) {
            assembly {
                revert(0, 0x100000)
            }
        } else if (_manner == Manner.BurnGas) {
            assembly {
                invalid()
            }
        }
    }

    /// @notice From now on meets the native coin in `manner`.
    function setManner(Manner manner) external {
        _manner = manner;
    }

    /// @notice Sets the call that {reenter} makes, and with {Manner.Reenter} the native coin's arrival too.
    function arm(address target, uint256 value, bytes calldata data) external {
        (_manner, _target, _value, _data) = (Manner.Reenter, target, value, data);
        delete entries;
        delete succeeded;
        delete returned;
    }

    /// @notice Makes the armed call and keeps what came of it; a failure is kept, not passed on. Does nothing while
    /// an armed call is under way, so that it ends.
    function reenter() public {
        if (_entering) return;
        _entering = true;
        ++entries;
        (succeeded, returned) = _target.call{value: _value}(_data);
        _entering = false;
    }

    /// @notice Calls `target` in this contract's name; a failure is passed on.
    function execute(
        address target,
        uint256 value,
        bytes calldata data
    ) external payable returns (bytes memory result) {
        bool success;
        (success, result) = target.call{value: value}(data);
        if (success) return result;
        assembly ("memory-safe") {
            revert(add(result, 0x20), mload(result))
        }
    }
}
