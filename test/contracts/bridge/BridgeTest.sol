// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC7786Recipient} from "@openzeppelin/contracts/interfaces/draft-IERC7786.sol";

import {AnkrBridge} from "../../../contracts/bridge/AnkrBridge.sol";
import {BridgedAnkr} from "../../../contracts/bridge/BridgedAnkr.sol";
import {IAnkrBridge} from "../../../contracts/interfaces/IAnkrBridge.sol";
import {IBridgeGateway} from "../../../contracts/interfaces/IBridgeGateway.sol";
import {IQuorumGateway} from "../../../contracts/interfaces/IQuorumGateway.sol";
import {Currency} from "../../../contracts/libraries/Currency.sol";
import {MockERC20} from "../../../contracts/mocks/MockERC20.sol";
import {MarketTest} from "../market/MarketTest.sol";

/// @notice Makes contracts at addresses that are known before.
contract Maker {
    function make(bytes memory code) external returns (address made) {
        assembly ("memory-safe") {
            made := create(0, add(code, 0x20), mload(code))
            if iszero(made) {
                let free := mload(0x40)
                returndatacopy(free, 0, returndatasize())
                revert(free, returndatasize())
            }
        }
    }

    /// @notice What it makes as the `number`th, from 1 to 127, is there.
    function foresee(uint256 number) external view returns (address) {
        bytes memory encoded = abi.encodePacked(bytes2(0xd694), address(this), uint8(number));
        return address(uint160(uint256(keccak256(encoded))));
    }
}

/// @notice Receives messages, and keeps the last one.
contract Inbox is IERC7786Recipient {
    bytes4 public answer = IERC7786Recipient.receiveMessage.selector;
    bytes public reason;
    address private _target;
    bytes private _data;

    uint256 public received;
    address public gateway;
    bytes32 public receiveId;
    bytes public sender;
    bytes public payload;
    bool public entered;
    bytes public returned;

    function setAnswer(bytes4 answer_, bytes calldata reason_) external {
        (answer, reason) = (answer_, reason_);
    }

    /// @notice Makes this call in the middle of receiving.
    function arm(address target, bytes calldata data) external {
        (_target, _data) = (target, data);
    }

    function receiveMessage(
        bytes32 receiveId_,
        bytes calldata sender_,
        bytes calldata payload_
    ) external payable override returns (bytes4) {
        if (reason.length != 0) {
            bytes memory copy = reason;
            assembly ("memory-safe") {
                revert(add(copy, 0x20), mload(copy))
            }
        }
        ++received;
        (gateway, receiveId, sender, payload) = (msg.sender, receiveId_, sender_, payload_);
        if (_target != address(0)) (entered, returned) = _target.call(_data);
        return answer;
    }
}

/// @dev Both ends of a bridge in one machine, whose chain id is switched, from the code that is built for the chain; its
/// parties, its attesters' keys and its money.
abstract contract BridgeTest is MarketTest {
    enum Kind {
        Vault,
        Minting
    }

    struct Side {
        uint256 chain;
        IQuorumGateway gateway;
        IAnkrBridge bridge;
        /// Zero: the coin.
        address token;
    }

    uint256 internal constant HOME_CHAIN = 1;
    uint256 internal constant FAR_CHAIN = 267;
    uint256 internal constant ATTESTERS = 4;
    uint256 internal constant THRESHOLD = 3;
    uint256 internal constant MAX_AMOUNT = type(uint96).max;
    IAnkrBridge.Target internal constant ACCOUNT = IAnkrBridge.Target.Account;
    IAnkrBridge.Target internal constant MARKET = IAnkrBridge.Target.Market;
    address internal constant OWNER = address(0x0E);
    address internal constant GUARDIAN = address(0x6A4D);
    address internal constant FEES = address(0xFEE);
    address internal constant STRANGER = address(0x57A);
    address internal constant RELAYER = address(0x4E1A);
    address internal constant ALICE = address(0xA11CE);
    address internal constant BOB = address(0xB0B);

    Side internal home;
    Side internal far;
    Maker internal maker;
    /// In the order of their accounts.
    uint256[] internal keys;

    // ---- Set up ----

    /// @notice The addresses of all parts are fixed, and the far token is there if it is one.
    function begin(Kind kind) internal {
        maker = new Maker();
        (home.chain, far.chain) = (HOME_CHAIN, FAR_CHAIN);
        home.gateway = IQuorumGateway(maker.foresee(1));
        far.gateway = IQuorumGateway(maker.foresee(2));
        home.bridge = IAnkrBridge(maker.foresee(3));
        far.bridge = IAnkrBridge(maker.foresee(4));
        delete far.token;
        if (kind == Kind.Minting) {
            far.token = create("contracts/bridge/BridgedAnkr.sol:BridgedAnkr", abi.encode(far.bridge));
        }
        keys = sortedKeys("attester", ATTESTERS);
        vm.warp(NOW);
    }

    /// @notice All parts of a bridge of `token`, after {begin}; the chain is home.
    function open(address token, address homeMarket, address farMarket) internal {
        home.token = token;
        openGateway(home);
        openGateway(far);
        vm.chainId(HOME_CHAIN);
        maker.make(codeOfHome(creationOf(home, homeMarket), token));
        vm.chainId(FAR_CHAIN);
        maker.make(codeOfFar(creationOf(far, farMarket)));
        vm.chainId(HOME_CHAIN);
        assertTrue(address(home.bridge).code.length != 0, "home is not where it was said");
        assertTrue(address(far.bridge).code.length != 0, "far is not where it was said");
    }

    function openGateway(Side storage side) internal {
        vm.chainId(side.chain);
        Side storage peer = otherOf(side);
        address[] memory attesters = accountsOf(keys);
        maker.make(codeOfGateway(peer.chain, address(peer.gateway), attesters, THRESHOLD));
    }

    function codeOfGateway(
        uint256 peerChain,
        address peer,
        address[] memory attesters,
        uint256 threshold
    ) internal view returns (bytes memory) {
        bytes memory arguments = abi.encode(peerChain, peer, attesters, uint16(threshold), OWNER, GUARDIAN);
        return bytes.concat(vm.getCode("contracts/bridge/QuorumGateway.sol:QuorumGateway"), arguments);
    }

    function codeOfHome(
        AnkrBridge.Creation memory creation,
        address token
    ) internal view returns (bytes memory) {
        bytes memory code = vm.getCode("contracts/bridge/BridgedAnkrEscrow.sol:BridgedAnkrEscrow");
        return bytes.concat(code, abi.encode(creation, Currency.wrap(token)));
    }

    function codeOfFar(AnkrBridge.Creation memory creation) internal view returns (bytes memory) {
        if (far.token == address(0)) {
            bytes memory vault = vm.getCode("contracts/bridge/NativeAnkrVault.sol:NativeAnkrVault");
            return bytes.concat(vault, abi.encode(creation));
        }
        bytes memory code = vm.getCode("contracts/bridge/MintingAnkrBridge.sol:MintingAnkrBridge");
        return bytes.concat(code, abi.encode(creation, BridgedAnkr(far.token)));
    }

    function creationOf(
        Side storage side,
        address market_
    ) internal view returns (AnkrBridge.Creation memory creation) {
        Side storage peer = otherOf(side);
        creation.gateway = address(side.gateway);
        creation.peerChain = peer.chain;
        creation.peer = address(peer.bridge);
        creation.market = market_;
        creation.owner = OWNER;
        creation.guardian = GUARDIAN;
        creation.settings = someSettings();
    }

    function someSettings() internal pure returns (IAnkrBridge.Settings memory settings) {
        settings.minimum = 0.5 ether;
        settings.fee = 0.25 ether;
        settings.feeReceiver = FEES;
        settings.threshold = 1_000 ether;
        settings.waitSeconds = 1 days;
        settings.sendCapacity = 10_000 ether;
        settings.sendPeriod = 1 days;
        settings.payCapacity = 5_000 ether;
        settings.payPeriod = 2 days;
    }

    function set(Side storage side, IAnkrBridge.Settings memory settings) internal {
        vm.prank(OWNER);
        side.bridge.setSettings(settings);
    }

    /// @notice No limit and no threshold is in the way.
    function loosen(Side storage side) internal {
        IAnkrBridge.Settings memory settings = side.bridge.settings();
        settings.threshold = uint96(MAX_AMOUNT);
        settings.sendCapacity = uint96(MAX_AMOUNT);
        settings.payCapacity = uint96(MAX_AMOUNT);
        (settings.sendPeriod, settings.payPeriod) = (1, 1);
        set(side, settings);
        vm.warp(vm.getBlockTimestamp() + 1);
    }

    function otherOf(Side storage side) internal view returns (Side storage) {
        return side.chain == HOME_CHAIN ? far : home;
    }

    // ---- Attesters ----

    function sortedKeys(string memory seed, uint256 count) internal pure returns (uint256[] memory sorted) {
        sorted = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) {
            uint256 key = uint256(keccak256(abi.encode(seed, i))) >> 1;
            uint256 k = i;
            for (; k > 0 && vm.addr(sorted[k - 1]) > vm.addr(key); --k) sorted[k] = sorted[k - 1];
            sorted[k] = key;
        }
    }

    function accountsOf(uint256[] memory list) internal pure returns (address[] memory accounts) {
        accounts = new address[](list.length);
        for (uint256 i = 0; i < list.length; ++i) accounts[i] = vm.addr(list[i]);
    }

    /// @notice The EIP-712 digest, computed apart from the gateway.
    function digestFor(Side storage side, bytes32 id, uint64 epoch) internal view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256(
                    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
                ),
                keccak256("Neura QuorumGateway"),
                keccak256("1"),
                side.chain,
                address(side.gateway)
            )
        );
        bytes32 attestation = keccak256(
            abi.encode(keccak256("Attestation(bytes32 message,uint64 epoch)"), id, epoch)
        );
        return keccak256(abi.encodePacked(bytes2(0x1901), domain, attestation));
    }

    function attest(
        uint256[] memory signers,
        uint256 count,
        bytes32 digest
    ) internal pure returns (bytes[] memory signatures) {
        signatures = new bytes[](count);
        for (uint256 i = 0; i < count; ++i) signatures[i] = sign(signers[i], digest);
    }

    // ---- Messages ----

    /// @notice A message from the other side's bridge to this side's.
    function messageTo(
        Side storage side,
        uint256 nonce,
        bytes memory payload
    ) internal view returns (IBridgeGateway.Message memory message) {
        Side storage peer = otherOf(side);
        message.sourceChain = peer.chain;
        message.sourceGateway = address(peer.gateway);
        message.nonce = nonce;
        message.sender = address(peer.bridge);
        message.destinationChain = side.chain;
        message.destinationGateway = address(side.gateway);
        message.recipient = address(side.bridge);
        message.payload = payload;
    }

    function idOf(IBridgeGateway.Message memory message) internal pure returns (bytes32) {
        return keccak256(abi.encode(message));
    }

    function payloadOf(
        uint256 number,
        address from,
        address to,
        uint256 amount,
        IAnkrBridge.Target target
    ) internal pure returns (bytes memory) {
        return abi.encode(number, from, to, amount, target);
    }

    /// @notice The call that delivers it, with the signatures of a quorum of the first epoch.
    function callOf(
        Side storage side,
        IBridgeGateway.Message memory message
    ) internal view returns (bytes memory) {
        bytes[] memory signatures = attest(keys, THRESHOLD, digestFor(side, idOf(message), 1));
        return abi.encodeCall(IQuorumGateway.deliver, (message, 1, signatures));
    }

    function deliver(Side storage side, IBridgeGateway.Message memory message) internal {
        vm.chainId(side.chain);
        pass(address(side.gateway), RELAYER, 0, callOf(side, message));
    }

    /// @notice A transfer arrives at `side`, of ALICE's on the other chain; as `number` and by the message of that number.
    function arrive(
        Side storage side,
        uint256 number,
        address to,
        uint256 amount,
        IAnkrBridge.Target target
    ) internal returns (bytes32 transfer) {
        deliver(side, messageTo(side, number, payloadOf(number, ALICE, to, amount, target)));
        return transferTo(side, number);
    }

    /// @notice What transfer `number` from `side` is known by.
    function transferFrom(Side storage side, uint256 number) internal view returns (bytes32) {
        return keccak256(abi.encode(side.chain, address(side.bridge), number));
    }

    function transferTo(Side storage side, uint256 number) internal view returns (bytes32) {
        return transferFrom(otherOf(side), number);
    }

    // ---- Money ----

    /// @notice `who` has `amount` more at `side`, and the bridge may take it.
    function enrich(Side storage side, address who, uint256 amount) internal {
        if (side.token == address(0)) {
            vm.deal(who, who.balance + amount);
        } else if (side.chain == FAR_CHAIN) {
            vm.prank(address(side.bridge));
            BridgedAnkr(side.token).crosschainMint(who, amount);
        } else {
            MockERC20(side.token).mint(who, amount);
            vm.prank(who);
            MockERC20(side.token).approve(address(side.bridge), type(uint256).max);
        }
    }

    function moneyOf(Side storage side, address who) internal view returns (uint256) {
        return side.token == address(0) ? who.balance : MockERC20(side.token).balanceOf(who);
    }

    /// @notice `who` gets `amount` and sends it.
    function send(
        Side storage side,
        address who,
        address to,
        uint256 amount,
        IAnkrBridge.Target target
    ) internal returns (bytes32 transfer) {
        enrich(side, who, amount);
        vm.chainId(side.chain);
        vm.prank(who);
        return side.bridge.send{value: side.token == address(0) ? amount : 0}(to, amount, target);
    }

    /// @notice So much has gone from home, that can come back.
    function lock(uint256 amount) internal {
        IAnkrBridge.Settings memory settings = home.bridge.settings();
        loosen(home);
        send(home, BOB, BOB, amount + settings.fee, ACCOUNT);
        set(home, settings);
        vm.warp(vm.getBlockTimestamp() + settings.sendPeriod + settings.payPeriod);
    }

    // ---- Calls ----

    /// @notice The call goes through.
    function pass(
        address target,
        address caller,
        uint256 value,
        bytes memory data
    ) internal returns (bytes memory) {
        vm.prank(caller);
        (bool success, bytes memory returned) = target.call{value: value}(data);
        if (success) return returned;
        assembly ("memory-safe") {
            revert(add(returned, 0x20), mload(returned))
        }
    }

    /// @notice The call fails for this reason.
    function refuse(address target, address caller, bytes memory data, bytes memory reason) internal {
        refuse(target, caller, 0, data, reason);
    }

    function refuse(
        address target,
        address caller,
        uint256 value,
        bytes memory data,
        bytes memory reason
    ) internal {
        vm.prank(caller);
        (bool success, bytes memory actual) = target.call{value: value}(data);
        assertTrue(!success, "went through");
        assertEq(actual, reason, "reason");
    }

    function assertBooks(
        Side storage side,
        uint256 outstanding,
        uint256 waiting,
        uint256 claimable,
        uint256 fees
    ) internal view {
        IAnkrBridge.Books memory books = side.bridge.books();
        assertEq(books.outstanding, outstanding, "outstanding");
        assertEq(books.waiting, waiting, "waiting");
        assertEq(books.claimable, claimable, "claimable");
        assertEq(books.fees, fees, "fees");
    }
}
