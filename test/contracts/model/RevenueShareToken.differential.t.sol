// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {DecimalsERC20} from "../../../contracts/mocks/DecimalsERC20.sol";
import {MockERC20} from "../../../contracts/mocks/MockERC20.sol";
import {ShareHandler} from "./ShareHandler.sol";

/// @notice Random sequences of all that can be done, next to a model that works every figure out from the whole history:
/// each view is the model's, each payment what was shown (I-20), and nobody ever gets more than its part.
contract RevenueShareTokenDifferentialTest is ShareHandler {
    uint256 private constant STEPS = 32;

    function setUp() external {
        addToken(NATIVE, Kind.Clean);
        addToken(address(new DecimalsERC20(6)), Kind.Clean);
        addToken(address(new MockERC20()), Kind.Clean);
        addToken(address(new DecimalsERC20(36)), Kind.Clean);
    }

    /// hardhat-config: default.fuzz.runs = 96
    function testFuzz_I12_I13_I19_I20_fewTokens(uint256 random, uint8 supply) external {
        begin([uint256(1), 2, 3, 7, 13, 127][supply % 6], random);
        run(random);
    }

    /// hardhat-config: default.fuzz.runs = 96
    function testFuzz_I12_I13_I19_I20_manyTokens(uint256 random, bool most, bool late) external {
        begin(most ? MAX_CAP : 1e27, random);
        // Snapshots are in words of 256.
        if (late) vm.warp(share.endOf(253));
        run(random);
    }

    function begin(uint256 supply, uint256 random) private {
        uint256 settings = uint256(keccak256(abi.encode(random, "settings")));
        uint256 length = [uint256(1 days), 7 days, 30 days, 366 days][settings % 4];
        vm.warp((2_000_000_000 / length) * length + (settings % 3 == 0 ? 0 : (settings >> 8) % length));
        settings >>= 64;
        uint256 claimBps = [uint256(0), 1, 3_333, 5_000, 9_999, 10_000][settings % 6];
        bool mints = supply < MAX_CAP && (settings >> 8) % 2 == 0;
        uint256 more = (settings >> 16) % (MAX_CAP - supply + 1);
        if ((settings >> 9) % 2 == 0) more %= 10;
        uint256 until = vm.getBlockTimestamp() + ((settings >> 24) % 20) * length;
        open(length, claimBps, supply, mints ? supply + more : supply, mints ? until : 0, random);
    }

    function run(uint256 random) private {
        for (uint256 i = 0; i < STEPS; ++i) {
            random = uint256(keccak256(abi.encode(random)));
            this.act(random, random >> 16, uint256(keccak256(abi.encode(random, 1))), random >> 32);
        }
        compareEverything();
        this.closeEverything();
    }
}
