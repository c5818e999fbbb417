// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IArbiter} from "../interfaces/IArbiter.sol";
import {Actor} from "./Actor.sol";

/// @notice An arbiter that asks for what it is told to, or misbehaves when it is asked.
contract OddArbiter is Actor, IArbiter {
    enum Answer {
        Terms,
        Refuse,
        BurnGas,
        /// Returns a megabyte whose first words are the terms.
        Megabyte
    }

    Answer private _answer;
    uint256 private _feeWei;
    uint256 private _rulingSeconds;

    function ask(Answer answer, uint256 feeWei, uint256 rulingSeconds) external {
        (_answer, _feeWei, _rulingSeconds) = (answer, feeWei, rulingSeconds);
    }

    function quote(uint256) external view override returns (uint256 feeWei, uint256 rulingSeconds) {
        (feeWei, rulingSeconds) = (_feeWei, _rulingSeconds);
        if (_answer == Answer.Refuse) revert Actor_Refused(msg.sender, 0);
        if (_answer == Answer.BurnGas) while (true) {}
        if (_answer == Answer.Megabyte) {
            assembly {
                mstore(0, feeWei)
                mstore(0x20, rulingSeconds)
                return(0, 0x100000)
            }
        }
    }
}
