// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {IUniswapV2Pair} from "./FlashBorrower.sol";

interface IUniswapV3Factory {
    function createPool(address tokenA, address tokenB, uint24 fee) external returns (address pool);
}

interface IUniswapV3Pool {
    function token0() external view returns (address);

    function token1() external view returns (address);

    function initialize(uint160 sqrtPriceX96) external;

    function mint(
        address recipient,
        int24 tickLower,
        int24 tickUpper,
        uint128 amount,
        bytes calldata data
    ) external returns (uint256 amount0, uint256 amount1);

    function swap(
        address recipient,
        bool zeroForOne,
        int256 amountSpecified,
        uint160 sqrtPriceLimitX96,
        bytes calldata data
    ) external returns (int256 amount0, int256 amount1);
}

/// @notice Trades with pools of Uniswap V2 and V3 for whoever calls, with the caller's tokens.
contract PoolTrader {
    uint160 private constant _MIN_SQRT_RATIO = 4295128739;
    uint160 private constant _MAX_SQRT_RATIO = 1461446703485210103287273052203988822378723970342;

    // ---- Uniswap V2 ----

    function addV2(IUniswapV2Pair pair, IERC20 a, uint256 amountA, IERC20 b, uint256 amountB) external {
        a.transferFrom(msg.sender, address(pair), amountA);
        b.transferFrom(msg.sender, address(pair), amountB);
        pair.mint(msg.sender);
    }

    /// @notice Pays `paid` of one token and gets `bought` of the other.
    function swapV2(IUniswapV2Pair pair, IERC20 paying, uint256 paid, uint256 bought) external {
        paying.transferFrom(msg.sender, address(pair), paid);
        bool first = pair.token0() == address(paying);
        pair.swap(first ? 0 : bought, first ? bought : 0, msg.sender, "");
    }

    // ---- Uniswap V3 ----

    function addV3(IUniswapV3Pool pool, int24 tickLower, int24 tickUpper, uint128 liquidity) external {
        pool.mint(msg.sender, tickLower, tickUpper, liquidity, abi.encode(msg.sender));
    }

    /// @notice An amount that is paid, or minus one that is bought.
    function swapV3(IUniswapV3Pool pool, bool zeroForOne, int256 amount) external {
        uint160 limit = zeroForOne ? _MIN_SQRT_RATIO + 1 : _MAX_SQRT_RATIO - 1;
        pool.swap(msg.sender, zeroForOne, amount, limit, abi.encode(msg.sender));
    }

    function uniswapV3MintCallback(uint256 owed0, uint256 owed1, bytes calldata data) external {
        _pay(int256(owed0), int256(owed1), data);
    }

    function uniswapV3SwapCallback(int256 owed0, int256 owed1, bytes calldata data) external {
        _pay(owed0, owed1, data);
    }

    function _pay(int256 owed0, int256 owed1, bytes calldata data) private {
        address payer = abi.decode(data, (address));
        IUniswapV3Pool pool = IUniswapV3Pool(msg.sender);
        if (owed0 > 0) IERC20(pool.token0()).transferFrom(payer, msg.sender, uint256(owed0));
        if (owed1 > 0) IERC20(pool.token1()).transferFrom(payer, msg.sender, uint256(owed1));
    }
}
