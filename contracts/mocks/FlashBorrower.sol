// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

interface IUniswapV2Factory {
    function createPair(address tokenA, address tokenB) external returns (address pair);

    function getPair(address tokenA, address tokenB) external view returns (address pair);
}

interface IUniswapV2Pair {
    function token0() external view returns (address);

    function mint(address to) external returns (uint256 liquidity);

    function swap(uint256 amount0Out, uint256 amount1Out, address to, bytes calldata data) external;
}

/// @notice Borrows from a Uniswap V2 pair, does what it is told, and gives back with the pair's fee.
contract FlashBorrower {
    struct Call {
        address target;
        uint256 value;
        bytes data;
    }

    receive() external payable {}

    function borrow(IUniswapV2Pair pair, IERC20 token, uint256 amount, Call[] calldata calls) external {
        bool first = pair.token0() == address(token);
        pair.swap(first ? amount : 0, first ? 0 : amount, address(this), abi.encode(token, amount, calls));
    }

    function uniswapV2Call(address, uint256, uint256, bytes calldata data) external {
        (IERC20 token, uint256 amount, Call[] memory calls) = abi.decode(data, (IERC20, uint256, Call[]));
        run(calls);
        // 0.3 % of what is given back, rounded up.
        token.transfer(msg.sender, (amount * 1_000) / 997 + 1);
    }

    function run(Call[] memory calls) public {
        for (uint256 i = 0; i < calls.length; ++i) {
            (bool done, bytes memory reason) = calls[i].target.call{value: calls[i].value}(calls[i].data);
            if (!done) {
                assembly ("memory-safe") {
                    revert(add(reason, 0x20), mload(reason))
                }
            }
        }
    }
}
