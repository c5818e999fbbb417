// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {CrosschainLinked} from "@openzeppelin/contracts/crosschain/CrosschainLinked.sol";
import {BridgeFungible} from "@openzeppelin/contracts/crosschain/bridges/abstract/BridgeFungible.sol";
import {IERC7786GatewaySource} from "@openzeppelin/contracts/interfaces/draft-IERC7786.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {IAnkrBridge} from "../interfaces/IAnkrBridge.sol";
import {IBridgeGateway} from "../interfaces/IBridgeGateway.sol";
import {Currency_WrongValue} from "../libraries/Currency.sol";
import {RateLimit, RateLimitLib} from "./RateLimit.sol";

/// @title What both ends of the ANKR bridge have in common; see {IAnkrBridge}.
/// @dev On OpenZeppelin's bridge of fungible tokens, which this closes: transfers have numbers and are received once, native
/// coins are taken with the call that sends them, and an account is 20 bytes or refused.
abstract contract AnkrBridge is IAnkrBridge, BridgeFungible, Ownable2Step, ReentrancyGuardTransient {
    // ---- Types ----

    /// @notice What is fixed when an end is made.
    struct Creation {
        address gateway;
        uint256 peerChain;
        /// The other end; it may not be there yet, its address is computed beforehand.
        address peer;
        address market;
        address owner;
        address guardian;
        Settings settings;
    }

    // ---- Constants and immutables ----

    /// @inheritdoc IAnkrBridge
    uint256 public constant override MAX_PAUSE = 7 days;
    /// @inheritdoc IAnkrBridge
    uint256 public constant override MAX_FEE = 100 ether;
    /// @inheritdoc IAnkrBridge
    uint256 public constant override MAX_MINIMUM = 10_000 ether;
    /// @inheritdoc IAnkrBridge
    uint256 public constant override MAX_WAIT = 30 days;
    /// @inheritdoc IAnkrBridge
    uint256 public constant override MIN_PAY_CAPACITY = 1_000 ether;
    /// @dev Number, sender, recipient, amount and target.
    uint256 private constant _PAYLOAD_BYTES = 5 * 32;
    /// @dev What a payment may use [gas].
    uint256 internal constant _PAYMENT_GAS = 100_000;

    uint256 private immutable _peerChain;
    address private immutable _peer;
    /// @inheritdoc IAnkrBridge
    address public immutable override gateway;
    /// @inheritdoc IAnkrBridge
    address public immutable override market;

    // ---- Storage ----

    RateLimit private _sendLimit;
    RateLimit private _payLimit;
    Settings private _settings;
    // What changes with each transfer; then what changes with those that are not paid at once.
    uint96 private _outstanding;
    uint96 private _fees;
    uint64 private _sent;
    uint96 private _waitingSum;
    uint96 private _claimableSum;
    uint40 private _pausedUntil;
    /// @inheritdoc IAnkrBridge
    address public override guardian;
    /// @inheritdoc IAnkrBridge
    mapping(bytes32 transfer => bool) public override isReceived;
    mapping(bytes32 transfer => Waiting) private _waiting;
    /// @inheritdoc IAnkrBridge
    mapping(address account => uint256) public override claimableOf;

    constructor(Creation memory creation) CrosschainLinked(_links(creation)) Ownable(creation.owner) {
        if (creation.peer == address(0)) revert AnkrBridge_InvalidSetting("peer");
        if (creation.peerChain == block.chainid) revert AnkrBridge_InvalidSetting("peerChain");
        gateway = creation.gateway;
        _peerChain = creation.peerChain;
        _peer = creation.peer;
        market = creation.market;
        Settings memory first = creation.settings;
        _check(first);
        _sendLimit = RateLimitLib.full(first.sendCapacity, first.sendPeriod);
        _payLimit = RateLimitLib.full(first.payCapacity, first.payPeriod);
        _settings = first;
        emit SettingsSet(first);
        _setGuardian(creation.guardian);
    }

    function _links(Creation memory creation) private pure returns (Link[] memory links) {
        links = new Link[](1);
        links[0].gateway = creation.gateway;
        links[0].counterpart = InteroperableAddress.formatEvmV1(creation.peerChain, creation.peer);
    }

    // ---- Sending ----

    /// @inheritdoc IAnkrBridge
    function send(
        address to,
        uint256 amount,
        Target target
    ) external payable override nonReentrant returns (bytes32 transfer) {
        (transfer, ) = _send(to, amount, target);
    }

    /// @inheritdoc BridgeFungible
    /// @dev {send} to an account, for who knows OpenZeppelin's interface; not of coins, nor where the gateway takes a fee:
    /// no value can come with it.
    function crosschainTransfer(
        bytes memory to,
        uint256 amount
    ) public override nonReentrant returns (bytes32 sendId) {
        if (currency() == address(0)) revert AnkrBridge_UseSend();
        (uint256 chain, address account) = InteroperableAddress.parseEvmV1(to);
        // Bytes behind the account are no part of it: who pads an account would pay another one.
        if (chain != _peerChain || to.length != 26 + uint8(to[4]))
            revert AnkrBridge_InvalidRecipient(account);
        (, sendId) = _send(account, amount, Target.Account);
    }

    function _send(
        address to,
        uint256 amount,
        Target target
    ) private whenNotPaused returns (bytes32 transfer, bytes32 sendId) {
        // Check
        if (to == address(0) || to == _peer) revert AnkrBridge_InvalidRecipient(to);
        uint256 fee = _settings.fee;
        uint256 minimum = Math.max(_settings.minimum, fee + 1);
        if (amount < minimum || amount > type(uint96).max) revert AnkrBridge_BelowMinimum(amount, minimum);
        uint256 left = amount - fee;
        uint256 most = _sendLimit.available();
        if (left > most) revert AnkrBridge_SendLimit(left, most);
        // Effects
        _sendLimit = _sendLimit.consume(left);
        _payLimit = _payLimit.credit(left);
        _book(left, _isHome());
        _fees += uint96(fee);
        uint256 number = ++_sent;
        transfer = _transferOf(block.chainid, address(this), number);
        // Interactions
        _onSend(msg.sender, amount);
        sendId = _announce(abi.encode(number, msg.sender, to, left, target), amount);
        emit Sent(transfer, msg.sender, to, number, left, fee, target, sendId);
    }

    /// @inheritdoc IAnkrBridge
    function gatewayFee() external view override returns (uint256) {
        return IBridgeGateway(gateway).quote(_PAYLOAD_BYTES);
    }

    /// @dev To the other end; what came along besides `amount` is the gateway's.
    function _announce(bytes memory payload, uint256 amount) private returns (bytes32 sendId) {
        uint256 own = currency() == address(0) ? amount : 0;
        if (msg.value < own) revert Currency_WrongValue(msg.value, own);
        bytes memory peer = InteroperableAddress.formatEvmV1(_peerChain, _peer);
        return
            IERC7786GatewaySource(gateway).sendMessage{value: msg.value - own}(peer, payload, new bytes[](0));
    }

    // ---- Receiving ----

    /// @dev The gateway and the sender are known (CrosschainLinked).
    function _processMessage(
        address,
        bytes32,
        bytes calldata,
        bytes calldata payload
    ) internal override nonReentrant whenNotPaused {
        (uint256 number, address from, address to, uint256 amount, Target target) = abi.decode(
            payload,
            (uint256, address, address, uint256, Target)
        );
        bytes32 transfer = _transferOf(_peerChain, _peer, number);
        // Check
        if (isReceived[transfer]) revert AnkrBridge_AlreadyReceived(transfer);
        // Effects
        isReceived[transfer] = true;
        _book(amount, !_isHome());
        _sendLimit = _sendLimit.credit(amount);
        emit Received(transfer, from, to, amount, target);
        if (amount > _settings.threshold) {
            _wait(transfer, to, amount, target, block.timestamp + _settings.waitSeconds);
        } else if (amount > _payLimit.available()) {
            _wait(transfer, to, amount, target, block.timestamp);
        } else {
            _payLimit = _payLimit.consume(amount);
            // Interaction
            _pay(transfer, to, amount, target);
        }
    }

    /// @dev Adds to what is outstanding, or takes away what is.
    function _book(uint256 amount, bool more) private {
        uint256 outstanding = _outstanding;
        if (amount > (more ? type(uint96).max - outstanding : outstanding)) {
            revert AnkrBridge_NotOutstanding(amount, outstanding);
        }
        _outstanding = uint96(more ? outstanding + amount : outstanding - amount);
    }

    function _wait(bytes32 transfer, address to, uint256 amount, Target target, uint256 from) private {
        _waitingSum += uint96(amount);
        _waiting[transfer] = Waiting({
            to: to,
            target: target,
            vetoed: false,
            from: uint40(from),
            amount: uint96(amount)
        });
        emit WaitBegan(transfer, to, amount, from);
    }

    /// @inheritdoc IAnkrBridge
    function release(bytes32 transfer) external override nonReentrant whenNotPaused returns (uint256 paid) {
        Waiting memory waiting = _waiting[transfer];
        // Check
        if (waiting.amount == 0) revert AnkrBridge_NotWaiting(transfer);
        if (waiting.vetoed) revert AnkrBridge_IsVetoed(transfer);
        if (block.timestamp < waiting.from) revert AnkrBridge_Early(transfer, waiting.from);
        paid = Math.min(waiting.amount, _payLimit.available());
        if (paid == 0) revert AnkrBridge_PayLimit(transfer);
        // Effects
        _payLimit = _payLimit.consume(paid);
        _waitingSum -= uint96(paid);
        if (paid == waiting.amount) delete _waiting[transfer];
        else _waiting[transfer].amount = waiting.amount - uint96(paid);
        // Interaction
        _pay(transfer, waiting.to, paid, waiting.target);
    }

    /// @dev Whoever cannot be paid is credited, and so is what the market does not take.
    function _pay(bytes32 transfer, address to, uint256 amount, Target target) private {
        bool toMarket = target == Target.Market && market != address(0);
        bool paid = toMarket ? _giveToMarket(to, amount) : _give(to, amount);
        if (paid) {
            emit Paid(transfer, to, amount, target);
        } else {
            _claimableSum += uint96(amount);
            claimableOf[to] += amount;
            emit Credited(transfer, to, amount);
        }
    }

    /// @inheritdoc IAnkrBridge
    function claim(address to) external override nonReentrant returns (uint256 amount) {
        amount = claimableOf[msg.sender];
        // Check
        if (amount == 0) revert AnkrBridge_NothingClaimable(msg.sender);
        if (to == address(0)) revert AnkrBridge_InvalidRecipient(to);
        // Effects
        claimableOf[msg.sender] = 0;
        _claimableSum -= uint96(amount);
        emit Claimed(msg.sender, to, amount);
        // Interaction
        _onReceive(to, amount);
    }

    // ---- Guardian ----

    /// @inheritdoc IAnkrBridge
    function veto(bytes32 transfer) external override onlyGuardian {
        Waiting storage waiting = _waiting[transfer];
        if (waiting.amount == 0) revert AnkrBridge_NotWaiting(transfer);
        if (waiting.vetoed) revert AnkrBridge_IsVetoed(transfer);
        waiting.vetoed = true;
        emit Vetoed(transfer, waiting.amount);
    }

    /// @inheritdoc IAnkrBridge
    function pause() external override onlyGuardian {
        // The same time has to pass without one, so that pauses cannot be strung together.
        uint256 again = uint256(_pausedUntil) + MAX_PAUSE;
        if (_pausedUntil != 0 && block.timestamp < again) revert AnkrBridge_PauseSpent(again);
        _pausedUntil = uint40(block.timestamp + MAX_PAUSE);
        emit PausedUntil(_pausedUntil);
    }

    /// @inheritdoc IAnkrBridge
    function unpause() external override {
        if (msg.sender != guardian && msg.sender != owner()) revert AnkrBridge_NotGuardian(msg.sender);
        if (block.timestamp < _pausedUntil) _pausedUntil = uint40(block.timestamp);
        emit PausedUntil(_pausedUntil);
    }

    modifier onlyGuardian() {
        if (msg.sender != guardian) revert AnkrBridge_NotGuardian(msg.sender);
        _;
    }

    modifier whenNotPaused() {
        if (block.timestamp < _pausedUntil) revert AnkrBridge_Paused(_pausedUntil);
        _;
    }

    // ---- Owner ----

    /// @inheritdoc IAnkrBridge
    function restore(bytes32 transfer) external override onlyOwner {
        Waiting storage waiting = _waiting[transfer];
        if (!waiting.vetoed) revert AnkrBridge_NotVetoed(transfer);
        waiting.vetoed = false;
        waiting.from = uint40(block.timestamp + _settings.waitSeconds);
        emit Restored(transfer, waiting.amount, waiting.from);
    }

    /// @inheritdoc IAnkrBridge
    function setSettings(Settings calldata next) external override onlyOwner {
        _check(next);
        _sendLimit = _sendLimit.resize(next.sendCapacity, next.sendPeriod);
        _payLimit = _payLimit.resize(next.payCapacity, next.payPeriod);
        _settings = next;
        emit SettingsSet(next);
    }

    function _check(Settings memory next) private pure {
        if (next.minimum > MAX_MINIMUM) revert AnkrBridge_InvalidSetting("minimum");
        if (next.fee > MAX_FEE) revert AnkrBridge_InvalidSetting("fee");
        if (next.fee != 0 && next.feeReceiver == address(0)) revert AnkrBridge_InvalidSetting("feeReceiver");
        if (next.waitSeconds == 0 || next.waitSeconds > MAX_WAIT) {
            revert AnkrBridge_InvalidSetting("waitSeconds");
        }
        if (next.sendPeriod == 0) revert AnkrBridge_InvalidSetting("sendPeriod");
        // What is owed cannot be held back for good.
        if (next.payCapacity < MIN_PAY_CAPACITY) revert AnkrBridge_InvalidSetting("payCapacity");
        if (next.payPeriod == 0 || next.payPeriod > MAX_WAIT) revert AnkrBridge_InvalidSetting("payPeriod");
    }

    /// @inheritdoc IAnkrBridge
    function setGuardian(address guardian_) external override onlyOwner {
        _setGuardian(guardian_);
    }

    function _setGuardian(address guardian_) private {
        guardian = guardian_;
        emit GuardianSet(guardian_);
    }

    /// @inheritdoc IAnkrBridge
    function collectFees() external override nonReentrant returns (uint256 amount) {
        amount = _fees;
        address receiver = _settings.feeReceiver;
        // Check: there may be none once there is no fee, and fees of before.
        if (amount != 0 && receiver == address(0)) revert AnkrBridge_InvalidRecipient(receiver);
        // Effects
        _fees = 0;
        emit FeesCollected(receiver, amount);
        // Interaction
        if (amount != 0) _onReceive(receiver, amount);
    }

    // ---- What differs between the ends ----

    // `_onSend` takes exactly so much of a token, `_onReceive` pays it or reverts (BridgeFungible).

    /// @dev Whether sending adds to what is outstanding, as it does at the escrow; at a far end, receiving does.
    function _isHome() internal pure virtual returns (bool);

    /// @dev Pays `amount` to `to` if that can be done.
    function _give(address to, uint256 amount) internal virtual returns (bool);

    /// @dev Pays `amount` into the market for `to` if that can be done.
    function _giveToMarket(address to, uint256 amount) internal virtual returns (bool);

    /// @dev What is here to pay with.
    function _liquidity() internal view virtual returns (uint256);

    /// @inheritdoc IAnkrBridge
    function currency() public view virtual override returns (address);

    // ---- Views ----

    function _transferOf(uint256 chain, address bridge, uint256 number) private pure returns (bytes32) {
        return keccak256(abi.encode(chain, bridge, number));
    }

    /// @inheritdoc IAnkrBridge
    function settings() external view override returns (Settings memory) {
        return _settings;
    }

    /// @inheritdoc IAnkrBridge
    function books() external view override returns (Books memory) {
        return
            Books({
                outstanding: _outstanding,
                waiting: _waitingSum,
                claimable: _claimableSum,
                fees: _fees,
                liquidity: _liquidity()
            });
    }

    /// @inheritdoc IAnkrBridge
    function available() external view override returns (uint256 toSend, uint256 toPay) {
        return (_sendLimit.available(), _payLimit.available());
    }

    /// @inheritdoc IAnkrBridge
    function waitingOf(bytes32 transfer) external view override returns (Waiting memory) {
        return _waiting[transfer];
    }

    /// @inheritdoc IAnkrBridge
    function sent() external view override returns (uint256) {
        return _sent;
    }

    /// @inheritdoc IAnkrBridge
    function pausedUntil() external view override returns (uint256) {
        return _pausedUntil;
    }

    /// @inheritdoc IAnkrBridge
    function counterpart() external view override returns (uint256 chain, address bridge) {
        return (_peerChain, _peer);
    }
}
