// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import {Actor} from "./Actor.sol";

/// @notice An account that is a contract, or an EIP-7702 account's code: signs by the key of a signer that can change,
/// or misbehaves when it is asked for a signature.
contract ContractAccount is Actor, IERC1271 {
    enum Answer {
        /// As its signer signed.
        Honest,
        /// Says yes to everything, as the number one.
        True,
        Refuse,
        BurnGas,
        /// Returns a megabyte.
        Megabyte,
        /// Calls what is armed.
        Reenter
    }

    address public signer;
    Answer public answer;
    address private _calledTarget;
    bytes private _calledData;

    function sign(address signer_, Answer answer_) external {
        (signer, answer) = (signer_, answer_);
    }

    /// @notice Sets the call that {Answer.Reenter} makes.
    function call(address target, bytes calldata data) external {
        (_calledTarget, _calledData) = (target, data);
    }

    function isValidSignature(
        bytes32 digest,
        bytes calldata signature
    ) external view override returns (bytes4) {
        if (answer == Answer.Refuse) revert Actor_Refused(msg.sender, 0);
        if (answer == Answer.BurnGas) while (true) {}
        if (answer == Answer.Megabyte) {
            assembly {
                return(0, 0x100000)
            }
        }
        if (answer == Answer.Reenter) {
            (bool done, ) = _calledTarget.staticcall(_calledData);
            if (done) return IERC1271.isValidSignature.selector;
        }
        if (answer == Answer.True) {
            assembly {
                mstore(0, 1)
                return(0, 0x20)
            }
        }
        (address recovered, ECDSA.RecoverError flaw, ) = ECDSA.tryRecoverCalldata(digest, signature);
        bool valid = flaw == ECDSA.RecoverError.NoError && recovered == signer;
        return valid ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }
}
