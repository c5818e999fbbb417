// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IRevenueShareToken} from "../../../contracts/interfaces/IRevenueShareToken.sol";
import {MockERC20} from "../../../contracts/mocks/MockERC20.sol";
import {Test} from "../utils/Test.sol";

/// @dev A share from the code that is built for the chain, its parties and their money.
abstract contract ShareTest is Test {
    uint256 internal constant PERIOD = 7 days;
    /// @dev First second of a period.
    uint256 internal constant START = 2_977 * PERIOD;
    uint256 internal constant BPS = 10_000;
    uint256 internal constant MAX_CAP = 2 ** 90 - 1;
    address internal constant NATIVE = address(0);
    address internal constant OWNER = address(0x0E);
    address internal constant MINTER = address(0x417);
    address internal constant BENEFICIARY = address(0xBEEF);
    address internal constant BRIDGE = address(0xB41D);
    address internal constant PAYER = address(0xFA7E);
    address internal constant STRANGER = address(0x57A);
    address internal constant ALICE = address(0xA11CE);
    address internal constant BOB = address(0xB0B);
    address internal constant CAROL = address(0xCA401);

    IRevenueShareToken internal share;

    // ---- Set up ----

    /// @notice Weekly, eight tenths claimable, no minting, a bridge, the native coin alone; nobody has tokens.
    function someSettings() internal pure returns (IRevenueShareToken.Settings memory settings) {
        settings.name = "Share";
        settings.symbol = "SHR";
        settings.periodSeconds = uint32(PERIOD);
        settings.claimBps = 8_000;
        settings.cap = MAX_CAP;
        settings.beneficiary = BENEFICIARY;
        settings.owner = OWNER;
        settings.bridge = BRIDGE;
    }

    function deploy(IRevenueShareToken.Settings memory settings) internal returns (IRevenueShareToken) {
        return
            IRevenueShareToken(
                create("contracts/model/RevenueShareToken.sol:RevenueShareToken", abi.encode(settings))
            );
    }

    function allocate(
        IRevenueShareToken.Settings memory settings,
        address account,
        uint256 amount
    ) internal pure {
        IRevenueShareToken.Allocation[] memory before = settings.allocations;
        settings.allocations = new IRevenueShareToken.Allocation[](before.length + 1);
        for (uint256 i = 0; i < before.length; ++i) settings.allocations[i] = before[i];
        settings.allocations[before.length] = IRevenueShareToken.Allocation(account, amount);
    }

    function listOf(address only) internal pure returns (address[] memory list) {
        list = new address[](1);
        list[0] = only;
    }

    function listOf(address first, address second) internal pure returns (address[] memory list) {
        list = new address[](2);
        (list[0], list[1]) = (first, second);
    }

    // ---- Time ----

    function period() internal view returns (uint256) {
        return vm.getBlockTimestamp() / share.periodSeconds() - START / share.periodSeconds();
    }

    /// @notice Goes to the first second of the next period.
    function nextPeriod() internal {
        vm.warp(share.endOf(period() + 1));
    }

    // ---- Money ----

    /// @notice {PAYER} brings `amount` of `token` as revenue.
    function pay(address token, uint256 amount) internal returns (uint256 received) {
        return payAs(PAYER, token, amount);
    }

    function payAs(address payer, address token, uint256 amount) internal returns (uint256 received) {
        enrich(payer, token, amount);
        vm.prank(payer);
        return share.deposit{value: token == NATIVE ? amount : 0}(token, amount);
    }

    /// @notice Gives `account` `amount` more, and the share the right to take it.
    function enrich(address account, address token, uint256 amount) internal {
        if (token == NATIVE) {
            vm.deal(account, account.balance + amount);
            return;
        }
        MockERC20(token).mint(account, amount);
        vm.prank(account);
        MockERC20(token).approve(address(share), type(uint256).max);
    }

    /// @notice What comes without a call.
    function donate(address token, uint256 amount) internal {
        if (token == NATIVE) vm.deal(address(share), address(share).balance + amount);
        else MockERC20(token).mint(address(share), amount);
    }

    function moneyOf(address account, address token) internal view returns (uint256) {
        return token == NATIVE ? account.balance : MockERC20(token).balanceOf(account);
    }

    // ---- Looks ----

    function claimable(address account, uint256 id, address token) internal view returns (uint256) {
        return
            token == NATIVE ? share.claimableRevenue(account, id) : share.claimableERC20(account, id, token);
    }

    function redeemable(uint256 amount, address token) internal view returns (uint256) {
        return token == NATIVE ? share.redeemableOnBurn(amount) : share.redeemableERC20OnBurn(amount, token);
    }

    /// @notice What {IRevenueShareToken-claimAll} would pay.
    function claimableOf(address account, address token) internal view returns (uint256) {
        return share.positionOf(account).claimable[numberOf(token)];
    }

    function numberOf(address token) internal view returns (uint256 number) {
        address[] memory list = share.tokens();
        while (list[number] != token) ++number;
    }

    /// @notice The call fails for this reason.
    function assertRefused(address caller, bytes memory data, bytes memory reason) internal {
        assertRefused(caller, 0, data, reason);
    }

    function assertRefused(address caller, uint256 value, bytes memory data, bytes memory reason) internal {
        vm.prank(caller);
        (bool success, bytes memory actual) = address(share).call{value: value}(data);
        assertTrue(!success, "went through");
        assertEq(actual, reason, "reason");
    }
}
