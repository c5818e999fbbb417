// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {
    IERC7786GatewaySource,
    IERC7786Recipient
} from "@openzeppelin/contracts/interfaces/draft-IERC7786.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {IBridgeGateway} from "../../../contracts/interfaces/IBridgeGateway.sol";
import {IQuorumGateway} from "../../../contracts/interfaces/IQuorumGateway.sol";
import {MockERC20} from "../../../contracts/mocks/MockERC20.sol";
import {PhantomERC20} from "../../../contracts/mocks/PhantomERC20.sol";
import {BridgeTest, Inbox} from "./BridgeTest.sol";

contract QuorumGatewayTest is BridgeTest {
    uint256 private constant _N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
    uint256 private constant OVERLAP = 1 days;

    IQuorumGateway private _gateway;
    Inbox private _inbox;

    function setUp() external {
        begin(Kind.Vault);
        open(address(new MockERC20()), address(0), address(0));
        _gateway = far.gateway;
        _inbox = new Inbox();
        vm.chainId(FAR_CHAIN);
    }

    // ---- Making one ----

    function test_isMadeWithWhatItSays() external view {
        (uint256 chain, address peer) = _gateway.peer();
        assertEq(chain, HOME_CHAIN, "peer's chain");
        assertEq(peer, address(home.gateway), "peer");
        IQuorumGateway.Quorum memory quorum = _gateway.quorum();
        assertEq(quorum.epoch, 1, "epoch");
        assertEq(quorum.threshold, THRESHOLD, "threshold");
        assertEq(quorum.overlapUntil, 0, "overlap");
        assertTrue(!quorum.distrusted, "distrusted");
        address[] memory accounts = accountsOf(keys);
        assertEq(abi.encode(quorum.attesters), abi.encode(accounts), "attesters");
        for (uint256 i = 0; i < ATTESTERS; ++i) {
            assertTrue(_gateway.isAttester(1, accounts[i]), "is an attester");
            assertTrue(!_gateway.isAttester(0, accounts[i]), "is one of epoch 0");
            assertTrue(!_gateway.isAttester(2, accounts[i]), "is one of epoch 2");
        }
        assertTrue(!_gateway.isAttester(1, STRANGER), "a stranger is");
        assertEq(_gateway.guardian(), GUARDIAN, "guardian");
        assertEq(Ownable(address(_gateway)).owner(), OWNER, "owner");
        assertEq(_gateway.sent(), 0, "sent");
        assertEq(_gateway.quote(0), 0, "fee");
        assertEq(_gateway.quote(10_000), 0, "fee of a long one");
        assertEq(_gateway.OVERLAP(), OVERLAP, "OVERLAP");
    }

    function test_emitsWhatItIsMadeWith() external {
        address made = maker.foresee(5);
        vm.expectEmit(made);
        emit IQuorumGateway.QuorumSet(1, accountsOf(keys), THRESHOLD, 0);
        vm.expectEmit(made);
        emit IQuorumGateway.GuardianSet(GUARDIAN);
        maker.make(codeOfGateway(HOME_CHAIN, address(this), accountsOf(keys), THRESHOLD));
    }

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_RevertWhen_PeerIsNone(uint256 chain) external {
        bytes memory reason = abi.encodeWithSelector(
            IBridgeGateway.BridgeGateway_InvalidPeer.selector,
            chain,
            address(0)
        );
        _refuseMade(codeOfGateway(chain, address(0), accountsOf(keys), THRESHOLD), reason);
    }

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_RevertWhen_PeerIsOnThisChainOrNone(address peer) external {
        for (uint256 i = 0; i < 2; ++i) {
            uint256 chain = i * FAR_CHAIN;
            bytes memory reason = abi.encodeWithSelector(
                IBridgeGateway.BridgeGateway_InvalidPeer.selector,
                chain,
                peer
            );
            _refuseMade(codeOfGateway(chain, peer, accountsOf(keys), THRESHOLD), reason);
        }
    }

    /// @dev At least two thirds and one more, at most all, of at most 32; the same when it is made and when it is set.
    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_RevertWhen_ThresholdIsNoQuorum(uint256 count, uint16 threshold) external {
        count = bound(count, 0, 34);
        address[] memory attesters = new address[](count);
        for (uint256 i = 0; i < count; ++i) attesters[i] = address(uint160(0x100 + i));
        uint256 minimum = 1 + (2 * count) / 3;
        bytes memory data = abi.encodeCall(IQuorumGateway.setQuorum, (attesters, threshold));
        if (count > 0 && count < 33 && threshold >= minimum && threshold <= count) {
            pass(address(_gateway), OWNER, 0, data);
            assertEq(_gateway.quorum().threshold, threshold, "threshold");
            maker.make(codeOfGateway(HOME_CHAIN, address(this), attesters, threshold));
            return;
        }
        bytes memory reason = abi.encodeWithSelector(
            IQuorumGateway.QuorumGateway_InvalidQuorum.selector,
            count,
            threshold,
            minimum
        );
        refuse(address(_gateway), OWNER, data, reason);
        _refuseMade(codeOfGateway(HOME_CHAIN, address(this), attesters, threshold), reason);
    }

    function test_A37_thresholds() external {
        for (uint16 count = 0; count < 34; ++count) {
            uint16 least = uint16((2 * count) / 3 + 1);
            this.testFuzz_RevertWhen_ThresholdIsNoQuorum(count, 0);
            this.testFuzz_RevertWhen_ThresholdIsNoQuorum(count, least - 1);
            this.testFuzz_RevertWhen_ThresholdIsNoQuorum(count, least);
            this.testFuzz_RevertWhen_ThresholdIsNoQuorum(count, count);
            this.testFuzz_RevertWhen_ThresholdIsNoQuorum(count, count + 1);
        }
    }

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_A37_RevertWhen_AttestersAreUnordered(uint8 place, bool twice) external {
        address[] memory attesters = accountsOf(keys);
        uint256 i = bound(place, 1, ATTESTERS - 1);
        if (twice) attesters[i] = attesters[i - 1];
        else (attesters[i - 1], attesters[i]) = (attesters[i], attesters[i - 1]);
        bytes4 why = IQuorumGateway.QuorumGateway_UnorderedAttesters.selector;
        bytes memory reason = abi.encodeWithSelector(why, attesters[i]);
        bytes memory data = abi.encodeCall(IQuorumGateway.setQuorum, (attesters, uint16(THRESHOLD)));
        refuse(address(_gateway), OWNER, data, reason);
        _refuseMade(codeOfGateway(HOME_CHAIN, address(this), attesters, THRESHOLD), reason);
    }

    function test_A37_RevertWhen_AnAttesterIsZero() external {
        address[] memory attesters = accountsOf(keys);
        attesters[0] = address(0);
        bytes4 why = IQuorumGateway.QuorumGateway_UnorderedAttesters.selector;
        _refuseMade(
            codeOfGateway(HOME_CHAIN, address(this), attesters, THRESHOLD),
            abi.encodeWithSelector(why, address(0))
        );
    }

    // ---- Sending ----

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_sends(address sender, address to, bytes calldata payload, uint8 before) external {
        vm.assume(to != address(0) && sender != address(vm));
        for (uint256 i = 0; i < before % 3; ++i) _send(_recipient(HOME_CHAIN, to), "", STRANGER);
        uint256 nonce = 1 + (before % 3);
        IBridgeGateway.Message memory message = messageTo(home, nonce, payload);
        (message.sender, message.recipient) = (sender, to);
        bytes32 id = idOf(message);
        assertTrue(_gateway.idOf(message) == id, "idOf");
        bytes memory recipient = _recipient(HOME_CHAIN, to);
        vm.expectEmit(address(_gateway));
        emit IBridgeGateway.MessageNumbered(id, nonce);
        vm.expectEmit(address(_gateway));
        emit IERC7786GatewaySource.MessageSent(
            id,
            _recipient(FAR_CHAIN, sender),
            recipient,
            payload,
            0,
            new bytes[](0)
        );
        assertTrue(_send(recipient, payload, sender) == id, "id");
        assertEq(_gateway.sent(), nonce, "sent");
    }

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_RevertWhen_RecipientIsNotExact(bytes calldata behind, address to) external {
        vm.assume(behind.length != 0 && to != address(0));
        _refuseRecipient(bytes.concat(_recipient(HOME_CHAIN, to), behind));
    }

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_RevertWhen_RecipientIsOnAnotherChain(uint64 chain, address to) external {
        vm.assume(chain != HOME_CHAIN && to != address(0));
        _refuseRecipient(_recipient(chain, to));
    }

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_RevertWhen_RecipientHasAnotherLength(uint8 length, bytes32 seed) external {
        if (length == 20) length = 0;
        bytes memory account = new bytes(length);
        for (uint256 i = 0; i < length; ++i) account[i] = seed[i % 32];
        _refuseRecipient(abi.encodePacked(hex"00010000_01_01", length, account));
    }

    function test_RevertWhen_RecipientIsNobody() external {
        _refuseRecipient("");
        _refuseRecipient(_recipient(HOME_CHAIN, address(0)));
        // Another version, another kind of chain.
        _refuseRecipient(abi.encodePacked(hex"00020000_01_01_14", ALICE));
        _refuseRecipient(abi.encodePacked(hex"00010002_01_01_14", ALICE));
    }

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_RevertWhen_CoinsAreSentAlong(uint96 value) external {
        uint256 amount = bound(value, 1, type(uint96).max);
        vm.deal(STRANGER, amount);
        bytes memory recipient = _recipient(HOME_CHAIN, ALICE);
        bytes memory data = abi.encodeCall(
            IERC7786GatewaySource.sendMessage,
            (recipient, "", new bytes[](0))
        );
        bytes4 why = IBridgeGateway.BridgeGateway_WrongFee.selector;
        refuse(address(_gateway), STRANGER, amount, data, abi.encodeWithSelector(why, amount, 0));
        assertEq(STRANGER.balance, amount, "kept");
    }

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_RevertWhen_ThereIsAnAttribute(bytes4 selector) external {
        assertTrue(!_gateway.supportsAttribute(selector), "supports one");
        bytes[] memory attributes = new bytes[](1);
        attributes[0] = abi.encodePacked(selector);
        bytes memory recipient = _recipient(HOME_CHAIN, ALICE);
        bytes memory data = abi.encodeCall(IERC7786GatewaySource.sendMessage, (recipient, "", attributes));
        bytes4 why = IERC7786GatewaySource.UnsupportedAttribute.selector;
        refuse(address(_gateway), STRANGER, data, abi.encodeWithSelector(why, selector));
    }

    // ---- Delivery ----

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_delivers(address sender, bytes calldata payload, uint256 nonce, address who) external {
        vm.assume(who != address(vm));
        IBridgeGateway.Message memory message = _message(nonce, payload);
        message.sender = sender;
        bytes32 id = idOf(message);
        assertTrue(!_gateway.isDelivered(id), "delivered before");
        bytes memory data = callOf(far, message);
        vm.expectEmit(address(_gateway));
        emit IBridgeGateway.MessageDelivered(id, who);
        pass(address(_gateway), who, 0, data);
        assertTrue(_gateway.isDelivered(id), "delivered");
        assertEq(_inbox.received(), 1, "received");
        assertEq(_inbox.gateway(), address(_gateway), "by");
        assertTrue(_inbox.receiveId() == id, "id");
        assertEq(_inbox.sender(), _recipient(HOME_CHAIN, sender), "sender");
        assertEq(_inbox.payload(), payload, "payload");
        refuse(
            address(_gateway),
            who,
            data,
            _error(IBridgeGateway.BridgeGateway_AlreadyDelivered.selector, id)
        );
    }

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_digestNamesChainAndGateway(bytes32 id, uint64 epoch) external {
        assertTrue(_gateway.digestOf(id, epoch) == digestFor(far, id, epoch), "far");
        assertTrue(home.gateway.digestOf(id, epoch) != digestFor(home, id, epoch), "home on another chain");
        vm.chainId(HOME_CHAIN);
        assertTrue(home.gateway.digestOf(id, epoch) == digestFor(home, id, epoch), "home");
    }

    /// @dev Any signers of a quorum will do, and all of them; in their order.
    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_anyQuorumWillDo(uint256 nonce, uint8 without) external {
        IBridgeGateway.Message memory message = _message(nonce, "x");
        uint256 left = without % (ATTESTERS + 1);
        bytes32 digest = digestFor(far, idOf(message), 1);
        bytes[] memory signatures = new bytes[](left == ATTESTERS ? ATTESTERS : ATTESTERS - 1);
        uint256 count = 0;
        for (uint256 i = 0; i < ATTESTERS; ++i) if (i != left) signatures[count++] = sign(keys[i], digest);
        pass(address(_gateway), RELAYER, 0, abi.encodeCall(IQuorumGateway.deliver, (message, 1, signatures)));
        assertEq(_inbox.received(), 1, "received");
    }

    function test_deliversInAnyOrder() external {
        for (uint256 i = 3; i > 0; --i) deliver(far, _message(i, ""));
        assertEq(_inbox.received(), 3, "received");
    }

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_A37_RevertWhen_SignaturesAreTooFew(uint256 nonce, uint8 count) external {
        IBridgeGateway.Message memory message = _message(nonce, "");
        uint256 few = bound(count, 0, THRESHOLD - 1);
        bytes[] memory signatures = attest(keys, few, digestFor(far, idOf(message), 1));
        bytes4 why = IQuorumGateway.QuorumGateway_TooFewSignatures.selector;
        _refuse(message, 1, signatures, abi.encodeWithSelector(why, few, THRESHOLD));
    }

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_A37_RevertWhen_ASignatureIsForged(uint256 key, uint8 place, bytes32 other) external {
        key = bound(key, 1, _N - 1);
        IBridgeGateway.Message memory message = _message(1, "");
        bytes32 id = idOf(message);
        vm.assume(other != id);
        bytes[] memory signatures = attest(keys, THRESHOLD, digestFor(far, id, 1));
        // Of somebody else.
        signatures[place % THRESHOLD] = sign(key, digestFor(far, id, 1));
        address signer = vm.addr(key);
        vm.assume(!_gateway.isAttester(1, signer));
        uint256 at_ = place % THRESHOLD;
        _refuse(message, 1, signatures, _invalidSigner(signer, 1));
        // Of an attester, for another message: it is somebody else's for this one.
        signatures[at_] = sign(keys[at_], digestFor(far, other, 1));
        (bool success, ) = address(_gateway).call(
            abi.encodeCall(IQuorumGateway.deliver, (message, 1, signatures))
        );
        assertTrue(!success, "another message's went through");
    }

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_A37_RevertWhen_SignersAreUnordered(uint8 place, bool twice) external {
        IBridgeGateway.Message memory message = _message(1, "");
        bytes[] memory signatures = attest(keys, ATTESTERS, digestFor(far, idOf(message), 1));
        uint256 i = bound(place, 1, ATTESTERS - 1);
        address signer = vm.addr(keys[i - 1]);
        if (twice) signatures[i] = signatures[i - 1];
        else (signatures[i - 1], signatures[i]) = (signatures[i], signatures[i - 1]);
        _refuse(message, 1, signatures, _invalidSigner(signer, 1));
    }

    function test_A37_RevertWhen_OneSignsForAll() external {
        IBridgeGateway.Message memory message = _message(1, "");
        bytes[] memory signatures = new bytes[](THRESHOLD);
        for (uint256 i = 0; i < THRESHOLD; ++i) {
            signatures[i] = sign(keys[3], digestFor(far, idOf(message), 1));
        }
        _refuse(message, 1, signatures, _invalidSigner(vm.addr(keys[3]), 1));
    }

    /// @dev One of four that has lost its key makes no message, whatever it signs and whoever delivers.
    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_A38_oneAttesterMakesNoMessage(uint8 who, uint256 nonce) external {
        IBridgeGateway.Message memory message = _message(nonce, "forged");
        bytes[] memory signatures = new bytes[](1);
        signatures[0] = sign(keys[who % ATTESTERS], digestFor(far, idOf(message), 1));
        bytes4 why = IQuorumGateway.QuorumGateway_TooFewSignatures.selector;
        _refuse(message, 1, signatures, abi.encodeWithSelector(why, 1, THRESHOLD));
    }

    /// @dev Anything else than 65 bytes of a low s is no signature, and zero is no signer.
    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_A37_RevertWhen_SignatureIsMalformed(uint256 nonce, uint8 place, uint8 length) external {
        IBridgeGateway.Message memory message = _message(nonce, "");
        bytes32 digest = digestFor(far, idOf(message), 1);
        uint256 i = place % THRESHOLD;
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keys[i], digest);
        bytes[] memory signatures = attest(keys, THRESHOLD, digest);
        bytes32 highS = bytes32(_N - uint256(s));
        signatures[i] = abi.encodePacked(r, highS, v == 27 ? uint8(28) : uint8(27));
        _refuse(message, 1, signatures, _error(ECDSA.ECDSAInvalidSignatureS.selector, highS));
        signatures[i] = abi.encodePacked(r, bytes32(uint256(s) | (uint256(v - 27) << 255)));
        bytes4 why = ECDSA.ECDSAInvalidSignatureLength.selector;
        _refuse(message, 1, signatures, abi.encodeWithSelector(why, 64));
        if (length == 65) length = 0;
        signatures[i] = new bytes(length);
        _refuse(message, 1, signatures, abi.encodeWithSelector(why, length));
        signatures[i] = new bytes(65);
        _refuse(message, 1, signatures, abi.encodeWithSelector(ECDSA.ECDSAInvalidSignature.selector));
        // The message was good all along.
        signatures[i] = abi.encodePacked(r, s, v);
        pass(address(_gateway), RELAYER, 0, abi.encodeCall(IQuorumGateway.deliver, (message, 1, signatures)));
    }

    /// @dev The same message for another deployment: another chain, gateway, or the other way.
    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_A36_RevertWhen_RouteIsAnother(uint256 chain, address gateway, uint8 field) external {
        vm.assume(chain != HOME_CHAIN && chain != FAR_CHAIN);
        vm.assume(gateway != address(home.gateway) && gateway != address(far.gateway));
        IBridgeGateway.Message memory message = _message(1, "");
        if (field % 5 == 0) message.sourceChain = chain;
        else if (field % 5 == 1) message.sourceGateway = gateway;
        else if (field % 5 == 2) message.destinationChain = chain;
        else if (field % 5 == 3) message.destinationGateway = gateway;
        else {
            (message.sourceChain, message.destinationChain) = (FAR_CHAIN, HOME_CHAIN);
            (message.sourceGateway, message.destinationGateway) = (
                address(far.gateway),
                address(home.gateway)
            );
        }
        bytes32 id = idOf(message);
        bytes[] memory signatures = attest(keys, THRESHOLD, digestFor(far, id, 1));
        _refuse(message, 1, signatures, _error(IBridgeGateway.BridgeGateway_WrongRoute.selector, id));
    }

    function test_A36_routes() external {
        for (uint8 i = 0; i < 5; ++i) this.testFuzz_A36_RevertWhen_RouteIsAnother(5, ALICE, i);
    }

    /// @dev A chain that split in two: what was signed for one is good for one.
    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_A36_RevertWhen_TheChainHasAnotherId(uint64 id) external {
        vm.assume(id != FAR_CHAIN);
        IBridgeGateway.Message memory message = _message(1, "");
        bytes memory data = callOf(far, message);
        vm.chainId(id);
        bytes4 why = IBridgeGateway.BridgeGateway_WrongRoute.selector;
        refuse(address(_gateway), RELAYER, data, _error(why, idOf(message)));
    }

    /// @dev Signatures for the gateway at the other end are none here, with the same attesters.
    function test_A36_RevertWhen_SignedForAnotherDomain() external {
        IBridgeGateway.Message memory message = _message(1, "");
        bytes[] memory signatures = attest(keys, THRESHOLD, digestFor(home, idOf(message), 1));
        address signer = ECDSA.recover(digestFor(far, idOf(message), 1), signatures[0]);
        _refuse(message, 1, signatures, _invalidSigner(signer, 1));
    }

    /// @dev A new deployment with the same attesters and peer takes nothing of the old one's, and the other way around.
    function test_A36_RevertWhen_Redeployed() external {
        IBridgeGateway.Message memory message = _message(1, "");
        bytes memory data = callOf(far, message);
        address again = maker.make(
            codeOfGateway(HOME_CHAIN, address(home.gateway), accountsOf(keys), THRESHOLD)
        );
        bytes4 why = IBridgeGateway.BridgeGateway_WrongRoute.selector;
        refuse(again, RELAYER, data, _error(why, idOf(message)));
        pass(address(_gateway), RELAYER, 0, data);
    }

    // ---- Recipients ----

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_RevertWhen_RecipientRefuses(bytes calldata reason, bytes4 answer) external {
        vm.assume(answer != IERC7786Recipient.receiveMessage.selector && reason.length != 0);
        IBridgeGateway.Message memory message = _message(1, "");
        bytes memory data = callOf(far, message);
        _inbox.setAnswer(answer, reason);
        refuse(address(_gateway), RELAYER, data, reason);
        _inbox.setAnswer(answer, "");
        bytes4 why = IBridgeGateway.BridgeGateway_Refused.selector;
        refuse(address(_gateway), RELAYER, data, abi.encodeWithSelector(why, address(_inbox)));
        assertTrue(!_gateway.isDelivered(idOf(message)), "delivered");
        // Once it does not, the message is still good.
        _inbox.setAnswer(IERC7786Recipient.receiveMessage.selector, "");
        pass(address(_gateway), RELAYER, 0, data);
        assertEq(_inbox.received(), 1, "received");
    }

    /// @dev Whoever writes a message can have `receiveMessage` called, and nothing else: not of the gateway itself, of a
    /// token, of one that answers anything, or of nobody.
    function test_A38_messageCallsNothingPrivileged() external {
        address[5] memory targets = [
            address(_gateway),
            home.token,
            address(new PhantomERC20()),
            ALICE,
            address(vm)
        ];
        MockERC20(home.token).mint(address(_gateway), 5);
        bytes memory payload = abi.encodeCall(IERC20.transfer, (STRANGER, 5));
        for (uint256 i = 0; i < targets.length - 1; ++i) {
            IBridgeGateway.Message memory message = _message(1 + i, payload);
            (message.sender, message.recipient) = (OWNER, targets[i]);
            refuse(address(_gateway), RELAYER, callOf(far, message), "");
        }
        assertEq(MockERC20(home.token).balanceOf(STRANGER), 0, "taken");
    }

    /// @dev In the middle of a delivery nothing else is delivered, and not the same.
    function test_A36_RevertWhen_RecipientReenters() external {
        IBridgeGateway.Message memory message = _message(1, "");
        IBridgeGateway.Message memory second = _message(2, "");
        bytes4 why = ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector;
        _inbox.arm(address(_gateway), callOf(far, second));
        deliver(far, message);
        assertTrue(!_inbox.entered(), "entered with another");
        assertEq(_inbox.returned(), abi.encodeWithSelector(why), "reason");
        message.nonce = 3;
        _inbox.arm(address(_gateway), callOf(far, message));
        deliver(far, message);
        assertTrue(!_inbox.entered(), "entered with the same");
        assertEq(_inbox.received(), 2, "received");
    }

    /// @dev Too little gas fails a delivery; it does not use it up.
    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_A36_littleGasUsesNothingUp(uint256 gas) external {
        IBridgeGateway.Message memory message = _message(1, "");
        bytes memory data = callOf(far, message);
        (bool success, ) = address(_gateway).call{gas: bound(gas, 0, 400_000)}(data);
        assertTrue(success == _gateway.isDelivered(idOf(message)), "used up");
        assertEq(_inbox.received(), success ? 1 : 0, "received");
        if (!success) pass(address(_gateway), RELAYER, 0, data);
    }

    // ---- Attesters ----

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_rotates(uint8 count, uint40 later) external {
        uint256 size = bound(count, 1, 6);
        uint256[] memory next = sortedKeys("next", size);
        uint256 threshold = (2 * size) / 3 + 1;
        vm.warp(NOW + bound(later, 0, 365 days));
        uint256 until = vm.getBlockTimestamp() + OVERLAP;
        vm.expectEmit(address(_gateway));
        emit IQuorumGateway.QuorumSet(2, accountsOf(next), threshold, until);
        _rotate(next, threshold);
        IQuorumGateway.Quorum memory quorum = _gateway.quorum();
        assertEq(quorum.epoch, 2, "epoch");
        assertEq(quorum.threshold, threshold, "threshold");
        assertEq(quorum.overlapUntil, until, "overlap");
        assertEq(abi.encode(quorum.attesters), abi.encode(accountsOf(next)), "attesters");
        assertTrue(!_gateway.isAttester(2, vm.addr(keys[0])), "the old are of the new epoch");
        assertTrue(_gateway.isAttester(2, vm.addr(next[0])), "the new are");
        // Both are good meanwhile, each for its epoch and with its own threshold.
        _deliverBy(next, threshold, 2, 1);
        _deliverBy(keys, THRESHOLD, 1, 2);
        IBridgeGateway.Message memory message = _message(3, "");
        bytes[] memory two = attest(keys, THRESHOLD - 1, digestFor(far, idOf(message), 1));
        bytes4 why = IQuorumGateway.QuorumGateway_TooFewSignatures.selector;
        _refuse(message, 1, two, abi.encodeWithSelector(why, THRESHOLD - 1, THRESHOLD));
        // To the second.
        vm.warp(until);
        _deliverBy(keys, THRESHOLD, 1, 4);
        vm.warp(until + 1);
        _refuseEpoch(keys, THRESHOLD, 1, _invalidEpoch(1, 2));
        _deliverBy(next, threshold, 2, 5);
    }

    /// @dev A removed attester's signature counts neither for the new set nor, after the overlap, for its own.
    function test_A37_RevertWhen_TheSignerWasRemoved() external {
        uint256[] memory rest = new uint256[](3);
        (rest[0], rest[1], rest[2]) = (keys[0], keys[1], keys[2]);
        _rotate(rest, 3);
        IBridgeGateway.Message memory message = _message(1, "");
        bytes32 digest = digestFor(far, idOf(message), 2);
        bytes[] memory signatures = attest(keys, ATTESTERS, digest);
        _refuse(message, 2, signatures, _invalidSigner(vm.addr(keys[3]), 2));
        vm.warp(vm.getBlockTimestamp() + OVERLAP + 1);
        _refuseEpoch(keys, THRESHOLD, 1, _invalidEpoch(1, 2));
    }

    /// @dev Signatures say for which epoch they are: those of an attester that stays are not carried into the next.
    function test_A37_RevertWhen_SignedForAnotherEpoch() external {
        _rotate(keys, THRESHOLD);
        IBridgeGateway.Message memory message = _message(1, "");
        bytes32 id = idOf(message);
        bytes[] memory signatures = attest(keys, THRESHOLD, digestFor(far, id, 1));
        address signer = ECDSA.recover(digestFor(far, id, 2), signatures[0]);
        _refuse(message, 2, signatures, _invalidSigner(signer, 2));
        _deliverBy(keys, THRESHOLD, 1, 1);
    }

    /// @dev No set is good before it is named, and there is none of epoch 0.
    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_A37_RevertWhen_EpochIsNone(uint64 epoch) external {
        if (epoch == 1) epoch = 0;
        _refuseEpoch(keys, THRESHOLD, epoch, _invalidEpoch(epoch, 1));
        _rotate(sortedKeys("a", 1), 1);
        _rotate(sortedKeys("b", 1), 1);
        if (epoch == 2 || epoch == 3) epoch = 4;
        _refuseEpoch(keys, THRESHOLD, epoch, _invalidEpoch(epoch, 3));
    }

    function test_A37_RevertWhen_EpochIsZeroOrLast() external {
        this.testFuzz_A37_RevertWhen_EpochIsNone(type(uint64).max);
        _refuseEpoch(keys, 0, 0, _invalidEpoch(0, 3));
    }

    /// @dev Sets that follow each other quickly: only the last two are good, the older one until a day after the last.
    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_A37_rotationGames(uint32 first, uint32 second) external {
        (first, second) = (uint32(bound(first, 0, 2 days)), uint32(bound(second, 0, 2 days)));
        uint256[] memory a = sortedKeys("a", 4);
        uint256[] memory b = sortedKeys("b", 4);
        _rotate(a, 3);
        vm.warp(vm.getBlockTimestamp() + first);
        _rotate(b, 3);
        _refuseEpoch(keys, THRESHOLD, 1, _invalidEpoch(1, 3));
        vm.warp(vm.getBlockTimestamp() + second);
        if (second <= OVERLAP) _deliverBy(a, 3, 2, 1);
        else _refuseEpoch(a, 3, 2, _invalidEpoch(2, 3));
        _deliverBy(b, 3, 3, 2);
        // A signature of one set beside two of another.
        IBridgeGateway.Message memory message = _message(3, "");
        bytes[] memory mixed = attest(b, 3, digestFor(far, idOf(message), 3));
        mixed[1] = sign(a[1], digestFor(far, idOf(message), 3));
        (bool success, ) = address(_gateway).call(
            abi.encodeCall(IQuorumGateway.deliver, (message, 3, mixed))
        );
        assertTrue(!success, "a mixture went through");
    }

    /// @dev The first set named again starts anew: what it signed in its first epoch is not good again.
    function test_A37_theSameSetAgain() external {
        _rotate(sortedKeys("a", 4), 3);
        _rotate(keys, THRESHOLD);
        _refuseEpoch(keys, THRESHOLD, 1, _invalidEpoch(1, 3));
        _deliverBy(keys, THRESHOLD, 3, 1);
    }

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_distrustEndsAllSets(bool byOwner, uint32 before) external {
        uint256[] memory next = sortedKeys("next", 4);
        _rotate(next, 3);
        vm.warp(vm.getBlockTimestamp() + (before % 3 days));
        vm.expectEmit(address(_gateway));
        emit IQuorumGateway.Distrusted(2);
        pass(address(_gateway), byOwner ? OWNER : GUARDIAN, 0, abi.encodeCall(IQuorumGateway.distrust, ()));
        assertTrue(_gateway.quorum().distrusted, "distrusted");
        assertEq(_gateway.quorum().overlapUntil, 0, "overlap");
        bytes memory reason = abi.encodeWithSelector(IQuorumGateway.QuorumGateway_Distrusted.selector, 2);
        for (uint64 epoch = 0; epoch < 4; ++epoch) {
            _refuseEpoch(epoch == 1 ? keys : next, 3, epoch, reason);
        }
        // The set that follows is good alone.
        uint256[] memory third = sortedKeys("third", 4);
        vm.expectEmit(address(_gateway));
        emit IQuorumGateway.QuorumSet(3, accountsOf(third), 3, 0);
        _rotate(third, 3);
        assertTrue(!_gateway.quorum().distrusted, "still distrusted");
        _refuseEpoch(next, 3, 2, _invalidEpoch(2, 3));
        _refuseEpoch(keys, 3, 1, _invalidEpoch(1, 3));
        _deliverBy(third, 3, 3, 1);
        // And has an overlap like any other.
        _rotate(keys, 3);
        _deliverBy(third, 3, 3, 2);
        _deliverBy(keys, 3, 4, 3);
    }

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_RevertWhen_StrangerDistrusts(address caller) external {
        vm.assume(caller != GUARDIAN && caller != OWNER && caller != address(vm));
        bytes4 why = IQuorumGateway.QuorumGateway_NotGuardian.selector;
        bytes memory data = abi.encodeCall(IQuorumGateway.distrust, ());
        refuse(address(_gateway), caller, data, abi.encodeWithSelector(why, caller));
    }

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_A40_RevertWhen_CallerIsNotOwner(address caller) external {
        vm.assume(caller != OWNER && caller != address(vm));
        bytes memory reason = abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, caller);
        address[] memory attesters = accountsOf(keys);
        bytes memory data = abi.encodeCall(IQuorumGateway.setQuorum, (attesters, uint16(THRESHOLD)));
        refuse(address(_gateway), caller, data, reason);
        refuse(address(_gateway), caller, abi.encodeCall(IQuorumGateway.setGuardian, (caller)), reason);
    }

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_setsGuardian(address guardian) external {
        vm.expectEmit(address(_gateway));
        emit IQuorumGateway.GuardianSet(guardian);
        pass(address(_gateway), OWNER, 0, abi.encodeCall(IQuorumGateway.setGuardian, (guardian)));
        assertEq(_gateway.guardian(), guardian, "guardian");
        if (guardian == GUARDIAN || guardian == OWNER) return;
        bytes4 why = IQuorumGateway.QuorumGateway_NotGuardian.selector;
        bytes memory data = abi.encodeCall(IQuorumGateway.distrust, ());
        refuse(address(_gateway), GUARDIAN, data, abi.encodeWithSelector(why, GUARDIAN));
    }

    // ---- Helpers ----

    function _recipient(uint256 chain, address account) private pure returns (bytes memory) {
        uint8 length = 1;
        while (chain >> (8 * length) != 0) ++length;
        bytes memory link = new bytes(length);
        for (uint256 i = 0; i < length; ++i) link[i] = bytes1(uint8(chain >> (8 * (length - 1 - i))));
        return abi.encodePacked(hex"00010000", length, link, uint8(20), account);
    }

    function _send(bytes memory recipient, bytes memory payload, address sender) private returns (bytes32) {
        vm.prank(sender);
        return _gateway.sendMessage(recipient, payload, new bytes[](0));
    }

    function _refuseRecipient(bytes memory recipient) private {
        bytes memory data = abi.encodeCall(
            IERC7786GatewaySource.sendMessage,
            (recipient, "", new bytes[](0))
        );
        bytes4 why = IBridgeGateway.BridgeGateway_InvalidRecipient.selector;
        refuse(address(_gateway), STRANGER, data, abi.encodeWithSelector(why, recipient));
        assertEq(_gateway.sent(), 0, "sent");
    }

    function _refuseMade(bytes memory code, bytes memory reason) private {
        refuse(address(maker), address(this), abi.encodeCall(maker.make, (code)), reason);
    }

    function _message(
        uint256 nonce,
        bytes memory payload
    ) private view returns (IBridgeGateway.Message memory message) {
        message = messageTo(far, nonce, payload);
        message.recipient = address(_inbox);
    }

    function _refuse(
        IBridgeGateway.Message memory message,
        uint64 epoch,
        bytes[] memory signatures,
        bytes memory reason
    ) private {
        bytes memory data = abi.encodeCall(IQuorumGateway.deliver, (message, epoch, signatures));
        refuse(address(_gateway), RELAYER, data, reason);
        assertTrue(!_gateway.isDelivered(idOf(message)), "delivered");
    }

    function _rotate(uint256[] memory next, uint256 threshold) private {
        bytes memory data = abi.encodeCall(IQuorumGateway.setQuorum, (accountsOf(next), uint16(threshold)));
        pass(address(_gateway), OWNER, 0, data);
    }

    function _deliverBy(uint256[] memory signers, uint256 count, uint64 epoch, uint256 nonce) private {
        IBridgeGateway.Message memory message = _message(nonce, "");
        bytes[] memory signatures = attest(signers, count, digestFor(far, idOf(message), epoch));
        uint256 before = _inbox.received();
        pass(
            address(_gateway),
            RELAYER,
            0,
            abi.encodeCall(IQuorumGateway.deliver, (message, epoch, signatures))
        );
        assertEq(_inbox.received(), before + 1, "received");
    }

    function _refuseEpoch(
        uint256[] memory signers,
        uint256 count,
        uint64 epoch,
        bytes memory reason
    ) private {
        IBridgeGateway.Message memory message = _message(99, "");
        _refuse(message, epoch, attest(signers, count, digestFor(far, idOf(message), epoch)), reason);
    }

    function _error(bytes4 why, bytes32 id) private pure returns (bytes memory) {
        return abi.encodeWithSelector(why, id);
    }

    function _invalidSigner(address signer, uint256 epoch) private pure returns (bytes memory) {
        bytes4 why = IQuorumGateway.QuorumGateway_InvalidSigner.selector;
        return abi.encodeWithSelector(why, signer, epoch);
    }

    function _invalidEpoch(uint256 epoch, uint256 current) private pure returns (bytes memory) {
        bytes4 why = IQuorumGateway.QuorumGateway_InvalidEpoch.selector;
        return abi.encodeWithSelector(why, epoch, current);
    }
}
