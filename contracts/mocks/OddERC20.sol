// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {MockERC20} from "./MockERC20.sol";

/// @notice Answers `transfer` and `transferFrom` in every way but the standard's.
contract OddERC20 is MockERC20 {
    enum Answer {
        True,
        /// Moves nothing and says so.
        False,
        /// Moves, but says that it did not.
        FalseAfterMoving,
        /// Moves nothing and says that it did.
        TrueWithoutMoving,
        /// Moves and returns no data, as USDT does.
        Nothing,
        /// Moves and returns the number two.
        Two,
        /// Moves and returns true and another word.
        TwoWords,
        /// Moves and returns true and a megabyte.
        Megabyte,
        /// Reverts with a megabyte of data.
        RevertMegabyte,
        /// Uses up all gas.
        BurnGas
    }

    uint256 private constant MEGABYTE = 1 << 20;

    Answer public answer;

    function setAnswer(Answer answer_) external {
        answer = answer_;
    }

    function transfer(address to, uint256 amount) public override returns (bool) {
        if (_moves()) super.transfer(to, amount);
        return _answer();
    }

    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        if (_moves()) super.transferFrom(from, to, amount);
        return _answer();
    }

    function _moves() private view returns (bool) {
        return answer != Answer.False && answer != Answer.TrueWithoutMoving;
    }

    function _answer() private view returns (bool) {
        Answer chosen = answer;
        if (chosen == Answer.BurnGas) {
            assembly {
                invalid()
            }
        }
        (uint256 word, uint256 length) = (1, 32);
        if (chosen == Answer.False || chosen == Answer.FalseAfterMoving) word = 0;
        else if (chosen == Answer.Nothing) length = 0;
        else if (chosen == Answer.Two) word = 2;
        else if (chosen == Answer.TwoWords) length = 64;
        else if (chosen == Answer.Megabyte || chosen == Answer.RevertMegabyte) length = MEGABYTE;
        bool fails = chosen == Answer.RevertMegabyte;
        // Ends the call, so what the memory holds does not matter.
        assembly {
            mstore(0, word)
            if fails {
                revert(0, length)
            }
            return(0, length)
        }
    }
}
