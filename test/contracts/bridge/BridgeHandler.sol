// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC7786Recipient} from "@openzeppelin/contracts/crosschain/ERC7786Recipient.sol";
import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";

import {IAnkrBridge} from "../../../contracts/interfaces/IAnkrBridge.sol";
import {IBridgeGateway} from "../../../contracts/interfaces/IBridgeGateway.sol";
import {IQuorumGateway} from "../../../contracts/interfaces/IQuorumGateway.sol";
import {Actor} from "../../../contracts/mocks/Actor.sol";
import {MockERC20} from "../../../contracts/mocks/MockERC20.sol";
import {BridgeTest} from "./BridgeTest.sol";

/// @notice Does with both ends of a bridge whatever can be done, beside a model in plain numbers that says what comes of each
/// call; reverts where the two differ.
/// @dev The attesters are honest: what they sign was sent. Of the four accounts one is a contract that misbehaves.
abstract contract BridgeHandler is BridgeTest {
    enum Verb {
        Send,
        SendTooMuch,
        Deliver,
        DeliverAgain,
        Forge,
        Smuggle,
        Release,
        Claim,
        Veto,
        Restore,
        Pause,
        Unpause,
        CollectFees,
        SetSettings,
        Donate,
        Rotate,
        Distrust,
        Misbehave,
        Wait
    }

    struct Transfer {
        bool toFar;
        uint256 number;
        uint256 nonce;
        address from;
        address to;
        uint256 amount;
        IAnkrBridge.Target target;
        bool delivered;
        /// What waits of it.
        uint256 left;
        uint256 since;
        bool vetoed;
    }

    struct Bucket {
        uint256 level;
        uint256 capacity;
        uint256 period;
        uint256 since;
    }

    struct Model {
        uint256 outstanding;
        uint256 waiting;
        uint256 claimable;
        uint256 fees;
        /// Sums: left from here, arrived here, paid out here, given, and coins or tokens taken in.
        uint256 sent;
        uint256 received;
        uint256 paid;
        uint256 given;
        uint256 taken;
        uint256 pausedUntil;
        uint64 epoch;
        bool distrusted;
        Bucket toSend;
        Bucket toPay;
    }

    /// @notice What was paid, or made room for paying.
    struct Flow {
        uint256 time;
        uint256 out;
        uint256 credit;
    }

    uint256 public constant ACCOUNTS = 4;
    address private constant _SAFE = address(0x5AFE);
    address[] public accounts;
    uint256 public steps;
    mapping(Verb => uint256) public done;

    Transfer[] internal _transfers;
    mapping(bool isFar => Model) internal _models;
    /// Since the limits were set last.
    mapping(bool isFar => Flow[]) private _flows;
    mapping(bool isFar => mapping(address account => uint256)) private _claimables;
    Actor private _actor;
    Actor.Manner private _manner;

    // ---- Set up ----

    function start(Kind kind) internal {
        begin(kind);
        open(address(new MockERC20()), address(0), address(0));
        _actor = new Actor();
        accounts = [ALICE, BOB, STRANGER, address(_actor)];
        for (uint256 i = 0; i < 2; ++i) {
            Model storage model = _models[i == 1];
            model.epoch = 1;
            model.toSend = Bucket(10_000 ether, 10_000 ether, 1 days, NOW);
            model.toPay = Bucket(5_000 ether, 5_000 ether, 2 days, NOW);
        }
        if (kind == Kind.Vault) {
            vm.deal(address(far.bridge), 3_000 ether);
            _models[true].given = 3_000 ether;
        }
    }

    function _sideOf(bool isFar) internal view returns (Side storage) {
        return isFar ? far : home;
    }

    // ---- What happens ----

    /// @notice One step: who, where and how much is in the numbers.
    function act(uint256 verb, uint256 a, uint256 b, uint256 c) external {
        Verb chosen = _verbOf(verb % 40);
        bool isFar = a % 2 == 1;
        vm.chainId(_sideOf(isFar).chain);
        ++steps;
        if (_act(chosen, isFar, accounts[(a >> 1) % ACCOUNTS], b, c)) ++done[chosen];
        _compare(true);
        _compare(false);
    }

    function _verbOf(uint256 number) private pure returns (Verb) {
        if (number <= uint256(Verb.Wait)) return Verb(number);
        if (number < 25) return Verb.Send;
        if (number < 31) return Verb.Deliver;
        if (number < 33) return Verb.Release;
        if (number < 36) return Verb.Veto;
        if (number < 38) return Verb.Restore;
        return number == 38 ? Verb.Wait : Verb.Claim;
    }

    /// @return Whether it did something.
    function _act(Verb verb, bool isFar, address who, uint256 b, uint256 c) private returns (bool) {
        if (verb == Verb.Send) return _send(isFar, who, accounts[c % ACCOUNTS], _someAmount(b));
        if (verb == Verb.SendTooMuch) return _sendTooMuch(isFar, who, b);
        if (verb == Verb.Deliver) return _deliver(isFar, _someTransfer(c, isFar, false));
        if (verb == Verb.DeliverAgain) return _deliver(isFar, _someTransfer(c, isFar, true));
        if (verb == Verb.Forge) return _forge(isFar, c, b);
        if (verb == Verb.Smuggle) return _smuggle(isFar, who, b);
        if (verb == Verb.Release) return _release(isFar, _someWaiting(c, isFar));
        if (verb == Verb.Claim) return _claim(isFar, _someClaimant(c, isFar));
        if (verb == Verb.Veto) return _veto(isFar, _someWaiting(c, isFar));
        if (verb == Verb.Restore) return _restore(isFar, _someWaiting(c, isFar));
        if (verb == Verb.Pause) return _pause(isFar);
        if (verb == Verb.Unpause) return _unpause(isFar, b % 2 == 0);
        if (verb == Verb.CollectFees) return _collectFees(isFar);
        if (verb == Verb.SetSettings) return _setSettings(isFar, b, c);
        if (verb == Verb.Donate) return _donate(isFar, _someAmount(b));
        if (verb == Verb.Rotate) return _rotate(isFar);
        if (verb == Verb.Distrust) return _distrust(isFar, b);
        if (verb == Verb.Misbehave) return _misbehave(b);
        return _wait(b);
    }

    // ---- Sending ----

    function _send(bool isFar, address from, address to, uint256 amount) private returns (bool) {
        Side storage side = _sideOf(isFar);
        Model storage model = _models[isFar];
        if (isFar && amount > moneyOf(side, from)) {
            // At the vault coins may come from anywhere; tokens only from the bridge.
            if (side.token != address(0)) return false;
            vm.deal(from, amount);
        } else if (!isFar) {
            enrich(side, from, amount);
        }
        IAnkrBridge.Settings memory settings = side.bridge.settings();
        bytes memory data = abi.encodeCall(
            side.bridge.send,
            (to, amount, amount % 2 == 0 ? MARKET : ACCOUNT)
        );
        uint256 value = side.token == address(0) ? amount : 0;
        bytes memory problem = _problemOfSending(model, settings, isFar, amount);
        if (problem.length != 0) {
            refuse(address(side.bridge), from, value, data, problem);
            return false;
        }
        uint256 had = moneyOf(side, from);
        bytes memory returned = pass(address(side.bridge), from, value, data);
        assertEq(had - moneyOf(side, from), amount, "taken");
        assertTrue(
            abi.decode(returned, (bytes32)) == transferFrom(side, side.bridge.sent()),
            "I-15 transfer"
        );
        _sent(isFar, from, to, amount, settings.fee);
        return true;
    }

    function _sent(bool isFar, address from, address to, uint256 amount, uint256 fee) private {
        Model storage model = _models[isFar];
        uint256 left = amount - fee;
        model.toSend.level = _levelOf(model.toSend) - left;
        model.toSend.since = vm.getBlockTimestamp();
        _credit(model.toPay, left);
        _flows[isFar].push(Flow(vm.getBlockTimestamp(), 0, left));
        if (isFar) model.outstanding -= left;
        else model.outstanding += left;
        model.fees += fee;
        model.sent += left;
        model.taken += amount;
        Transfer storage transfer = _transfers.push();
        transfer.toFar = !isFar;
        transfer.number = _sideOf(isFar).bridge.sent();
        transfer.nonce = _sideOf(isFar).gateway.sent();
        (transfer.from, transfer.to) = (from, to);
        transfer.amount = left;
        transfer.target = amount % 2 == 0 ? MARKET : ACCOUNT;
    }

    function _problemOfSending(
        Model storage model,
        IAnkrBridge.Settings memory settings,
        bool isFar,
        uint256 amount
    ) private view returns (bytes memory) {
        if (vm.getBlockTimestamp() < model.pausedUntil) return _paused(model);
        uint256 least = settings.minimum > settings.fee ? settings.minimum : settings.fee + 1;
        if (amount < least) {
            return abi.encodeWithSelector(IAnkrBridge.AnkrBridge_BelowMinimum.selector, amount, least);
        }
        uint256 left = amount - settings.fee;
        uint256 most = _levelOf(model.toSend);
        if (left > most) return abi.encodeWithSelector(IAnkrBridge.AnkrBridge_SendLimit.selector, left, most);
        if (isFar && left > model.outstanding) {
            bytes4 why = IAnkrBridge.AnkrBridge_NotOutstanding.selector;
            return abi.encodeWithSelector(why, left, model.outstanding);
        }
        return "";
    }

    /// @dev More than came, as a far chain that makes coins can try; or more than the limit.
    function _sendTooMuch(bool isFar, address who, uint256 b) private returns (bool) {
        Model storage model = _models[isFar];
        uint256 most = isFar ? model.outstanding : _levelOf(model.toSend);
        if (isFar && far.token != address(0)) return false;
        assertTrue(!_send(isFar, who, who, most + 101 ether + (b % 1 ether)), "I-15 too much went");
        return true;
    }

    // ---- Delivering ----

    function _deliver(bool isFar, uint256 i) private returns (bool) {
        if (i == _transfers.length) return false;
        Side storage side = _sideOf(isFar);
        Model storage model = _models[isFar];
        Transfer storage transfer = _transfers[i];
        IBridgeGateway.Message memory message = _messageOf(transfer);
        bytes memory data = _callOf(side, message, model.epoch, THRESHOLD);
        bytes memory problem = _problemOfDelivering(model, transfer, idOf(message));
        if (problem.length != 0) {
            refuse(address(side.gateway), RELAYER, data, problem);
            return false;
        }
        uint256 before = moneyOf(side, transfer.to);
        pass(address(side.gateway), RELAYER, 0, data);
        _arrived(isFar, transfer, before);
        return true;
    }

    function _arrived(bool isFar, Transfer storage transfer, uint256 before) private {
        Side storage side = _sideOf(isFar);
        Model storage model = _models[isFar];
        transfer.delivered = true;
        model.received += transfer.amount;
        if (isFar) model.outstanding += transfer.amount;
        else model.outstanding -= transfer.amount;
        _credit(model.toSend, transfer.amount);
        IAnkrBridge.Settings memory settings = side.bridge.settings();
        bool above = transfer.amount > settings.threshold;
        if (above || transfer.amount > _levelOf(model.toPay)) {
            transfer.left = transfer.amount;
            model.waiting += transfer.amount;
            transfer.since = vm.getBlockTimestamp() + (above ? settings.waitSeconds : 0);
            assertEq(moneyOf(side, transfer.to), before, "paid though it waits");
        } else {
            _paid(isFar, transfer, transfer.amount, before);
        }
    }

    function _problemOfDelivering(
        Model storage model,
        Transfer storage transfer,
        bytes32 id
    ) private view returns (bytes memory) {
        if (transfer.delivered) {
            return abi.encodeWithSelector(IBridgeGateway.BridgeGateway_AlreadyDelivered.selector, id);
        }
        if (model.distrusted) {
            return abi.encodeWithSelector(IQuorumGateway.QuorumGateway_Distrusted.selector, model.epoch);
        }
        return vm.getBlockTimestamp() < model.pausedUntil ? _paused(model) : bytes("");
    }

    /// @dev Of what was taken from the limit, each bit is paid or credited.
    function _paid(bool isFar, Transfer storage transfer, uint256 amount, uint256 before) private {
        Side storage side = _sideOf(isFar);
        Model storage model = _models[isFar];
        model.toPay.level = _levelOf(model.toPay) - amount;
        model.toPay.since = vm.getBlockTimestamp();
        _flows[isFar].push(Flow(vm.getBlockTimestamp(), amount, 0));
        uint256 claimable = side.bridge.claimableOf(transfer.to);
        uint256 credited = claimable - _claimables[isFar][transfer.to];
        uint256 got = moneyOf(side, transfer.to) - before;
        assertEq(got + credited, amount, "paid or credited");
        assertTrue(got == 0 || credited == 0, "paid and credited");
        bool coins = side.token == address(0);
        bool misbehaves = coins && transfer.to == address(_actor) && _manner != Actor.Manner.Accept;
        bool short = coins && _heldByModel() < amount;
        if (!misbehaves) assertTrue((credited != 0) == short, "credited without a reason");
        model.claimable += credited;
        model.paid += got;
        _claimables[isFar][transfer.to] = claimable;
    }

    /// @dev What the vault has, without asking it.
    function _heldByModel() private view returns (uint256) {
        Model storage model = _models[true];
        return model.given + model.taken - model.paid;
    }

    /// @dev What nobody signed, or too few, or for another place, is not delivered.
    function _forge(bool isFar, uint256 c, uint256 b) private returns (bool) {
        Side storage side = _sideOf(isFar);
        uint256 i = _someTransfer(c, isFar, b % 8 == 0);
        if (i == _transfers.length || _models[isFar].distrusted) return false;
        bytes memory data = _forged(isFar, _transfers[i], (b >> 8) % 8, b >> 16);
        vm.prank(STRANGER);
        (bool success, ) = address(side.gateway).call(data);
        assertTrue(!success, "A37 a forged message went through");
        return true;
    }

    function _forged(
        bool isFar,
        Transfer storage transfer,
        uint256 kind,
        uint256 random
    ) private view returns (bytes memory) {
        Side storage side = _sideOf(isFar);
        uint64 epoch = _models[isFar].epoch;
        IBridgeGateway.Message memory message = _messageOf(transfer);
        bytes32 id = idOf(message);
        bytes[] memory signatures = attest(keys, kind == 3 ? 2 : 3, digestFor(side, id, epoch));
        if (kind == 0) message.nonce += 1_000 + (random % 1_000);
        else if (kind == 1) message.payload = abi.encode(transfer.number, ALICE, STRANGER, 5_000 ether, 0);
        else if (kind == 2) message.sender = STRANGER;
        else if (kind == 4) signatures[1] = signatures[0];
        else if (kind == 5) signatures = attest(keys, 3, digestFor(otherOf(side), id, epoch));
        else if (kind == 6) {
            address source = message.sourceGateway;
            (message.sourceGateway, message.destinationGateway) = (message.destinationGateway, source);
        } else if (kind == 7) epoch += 1;
        return abi.encodeCall(IQuorumGateway.deliver, (message, epoch, signatures));
    }

    /// @dev Anybody's message to the other end, really sent and signed, is not the bridge's.
    function _smuggle(bool isFar, address who, uint256 b) private returns (bool) {
        Side storage side = _sideOf(isFar);
        Side storage other = otherOf(side);
        if (_models[!isFar].distrusted) return false;
        bytes memory payload = payloadOf(1 + (b % 100), who, who, _someAmount(b), ACCOUNT);
        bytes memory to = InteroperableAddress.formatEvmV1(other.chain, address(other.bridge));
        vm.prank(who);
        side.gateway.sendMessage(to, payload, new bytes[](0));
        IBridgeGateway.Message memory message = messageTo(other, side.gateway.sent(), payload);
        message.sender = who;
        _refuseSmuggled(!isFar, message, who);
        return true;
    }

    function _refuseSmuggled(bool isFar, IBridgeGateway.Message memory message, address who) private {
        Side storage side = _sideOf(isFar);
        vm.chainId(side.chain);
        bytes memory sender = InteroperableAddress.formatEvmV1(otherOf(side).chain, who);
        bytes4 why = ERC7786Recipient.ERC7786RecipientUnauthorizedGateway.selector;
        bytes memory reason = abi.encodeWithSelector(why, address(side.gateway), sender);
        bytes memory data = _callOf(side, message, _models[isFar].epoch, ATTESTERS);
        refuse(address(side.gateway), who, data, reason);
    }

    // ---- What waits ----

    function _release(bool isFar, uint256 i) private returns (bool) {
        if (i == _transfers.length) return false;
        Side storage side = _sideOf(isFar);
        Model storage model = _models[isFar];
        Transfer storage transfer = _transfers[i];
        bytes32 id = transferTo(side, transfer.number);
        bytes memory data = abi.encodeCall(side.bridge.release, (id));
        bytes memory problem = _problemOfReleasing(model, transfer, id);
        if (problem.length != 0) {
            refuse(address(side.bridge), RELAYER, data, problem);
            return false;
        }
        uint256 part = _levelOf(model.toPay);
        if (transfer.left < part) part = transfer.left;
        uint256 before = moneyOf(side, transfer.to);
        assertEq(abi.decode(pass(address(side.bridge), RELAYER, 0, data), (uint256)), part, "released");
        transfer.left -= part;
        model.waiting -= part;
        _paid(isFar, transfer, part, before);
        return true;
    }

    function _problemOfReleasing(
        Model storage model,
        Transfer storage transfer,
        bytes32 id
    ) private view returns (bytes memory) {
        if (vm.getBlockTimestamp() < model.pausedUntil) return _paused(model);
        if (transfer.left == 0) return abi.encodeWithSelector(IAnkrBridge.AnkrBridge_NotWaiting.selector, id);
        if (transfer.vetoed) return abi.encodeWithSelector(IAnkrBridge.AnkrBridge_IsVetoed.selector, id);
        if (vm.getBlockTimestamp() < transfer.since) {
            return abi.encodeWithSelector(IAnkrBridge.AnkrBridge_Early.selector, id, transfer.since);
        }
        if (_levelOf(model.toPay) == 0) {
            return abi.encodeWithSelector(IAnkrBridge.AnkrBridge_PayLimit.selector, id);
        }
        return "";
    }

    /// @dev Never paused; to somewhere else, since it may not take it itself.
    function _claim(bool isFar, address who) private returns (bool) {
        Side storage side = _sideOf(isFar);
        Model storage model = _models[isFar];
        uint256 due = _claimables[isFar][who];
        bytes memory data = abi.encodeCall(side.bridge.claim, (_SAFE));
        if (due == 0) {
            bytes4 why = IAnkrBridge.AnkrBridge_NothingClaimable.selector;
            refuse(address(side.bridge), who, data, abi.encodeWithSelector(why, who));
            return false;
        }
        if (side.token == address(0) && _heldByModel() < due) return false;
        uint256 before = moneyOf(side, _SAFE);
        assertEq(abi.decode(pass(address(side.bridge), who, 0, data), (uint256)), due, "claimed");
        assertEq(moneyOf(side, _SAFE) - before, due, "received");
        model.claimable -= due;
        model.paid += due;
        delete _claimables[isFar][who];
        return true;
    }

    function _veto(bool isFar, uint256 i) private returns (bool) {
        if (i == _transfers.length || _transfers[i].left == 0 || _transfers[i].vetoed) return false;
        Side storage side = _sideOf(isFar);
        bytes32 id = transferTo(side, _transfers[i].number);
        pass(address(side.bridge), GUARDIAN, 0, abi.encodeCall(side.bridge.veto, (id)));
        return _transfers[i].vetoed = true;
    }

    function _restore(bool isFar, uint256 i) private returns (bool) {
        if (i == _transfers.length || !_transfers[i].vetoed) return false;
        Side storage side = _sideOf(isFar);
        bytes32 id = transferTo(side, _transfers[i].number);
        pass(address(side.bridge), OWNER, 0, abi.encodeCall(side.bridge.restore, (id)));
        _transfers[i].vetoed = false;
        _transfers[i].since = vm.getBlockTimestamp() + side.bridge.settings().waitSeconds;
        return true;
    }

    // ---- Roles ----

    function _pause(bool isFar) private returns (bool) {
        Side storage side = _sideOf(isFar);
        Model storage model = _models[isFar];
        bytes memory data = abi.encodeCall(side.bridge.pause, ());
        uint256 again = model.pausedUntil + 7 days;
        if (model.pausedUntil != 0 && vm.getBlockTimestamp() < again) {
            bytes4 why = IAnkrBridge.AnkrBridge_PauseSpent.selector;
            refuse(address(side.bridge), GUARDIAN, data, abi.encodeWithSelector(why, again));
            return false;
        }
        pass(address(side.bridge), GUARDIAN, 0, data);
        model.pausedUntil = vm.getBlockTimestamp() + 7 days;
        return true;
    }

    function _unpause(bool isFar, bool byOwner) private returns (bool ends) {
        Side storage side = _sideOf(isFar);
        Model storage model = _models[isFar];
        ends = vm.getBlockTimestamp() < model.pausedUntil;
        pass(address(side.bridge), byOwner ? OWNER : GUARDIAN, 0, abi.encodeCall(side.bridge.unpause, ()));
        if (ends) model.pausedUntil = vm.getBlockTimestamp();
    }

    function _collectFees(bool isFar) private returns (bool) {
        Side storage side = _sideOf(isFar);
        Model storage model = _models[isFar];
        if (side.token == address(0) && _heldByModel() < model.fees) return false;
        uint256 before = moneyOf(side, FEES);
        assertEq(side.bridge.collectFees(), model.fees, "fees");
        assertEq(moneyOf(side, FEES) - before, model.fees, "fees received");
        bool some = model.fees != 0;
        model.paid += model.fees;
        model.fees = 0;
        return some;
    }

    function _setSettings(bool isFar, uint256 b, uint256 c) private returns (bool) {
        Side storage side = _sideOf(isFar);
        Model storage model = _models[isFar];
        IAnkrBridge.Settings memory settings = someSettings();
        settings.minimum = uint96(b % 5 ether);
        settings.fee = uint96((b >> 64) % 3 ether);
        settings.threshold = uint96(200 ether + ((b >> 128) % 2_000 ether));
        settings.waitSeconds = uint32(1 + (c % 3 days));
        settings.sendCapacity = uint96(1_000 ether + ((c >> 32) % 9_000 ether));
        settings.payCapacity = uint96(1_000 ether + ((c >> 96) % 5_000 ether));
        settings.sendPeriod = uint24(1 hours + ((c >> 160) % 3 days));
        settings.payPeriod = uint24(1 hours + ((c >> 190) % 3 days));
        set(side, settings);
        _resize(model.toSend, settings.sendCapacity, settings.sendPeriod);
        _resize(model.toPay, settings.payCapacity, settings.payPeriod);
        delete _flows[isFar];
        return true;
    }

    /// @dev What comes without a call.
    function _donate(bool isFar, uint256 amount) private returns (bool) {
        Side storage side = _sideOf(isFar);
        if (isFar && side.token != address(0)) return false;
        if (isFar) vm.deal(address(side.bridge), address(side.bridge).balance + amount);
        else MockERC20(side.token).mint(address(side.bridge), amount);
        _models[isFar].given += amount;
        return true;
    }

    function _rotate(bool isFar) private returns (bool) {
        Side storage side = _sideOf(isFar);
        bytes memory data = abi.encodeCall(IQuorumGateway.setQuorum, (accountsOf(keys), uint16(THRESHOLD)));
        pass(address(side.gateway), OWNER, 0, data);
        ++_models[isFar].epoch;
        _models[isFar].distrusted = false;
        return true;
    }

    function _distrust(bool isFar, uint256 b) private returns (bool) {
        if (b % 4 != 0) return false;
        pass(address(_sideOf(isFar).gateway), GUARDIAN, 0, abi.encodeCall(IQuorumGateway.distrust, ()));
        return _models[isFar].distrusted = true;
    }

    /// @dev From now on the contract refuses, burns gas, or calls back.
    function _misbehave(uint256 b) private returns (bool) {
        _manner = Actor.Manner(b % 5);
        _actor.setManner(_manner);
        if (_manner != Actor.Manner.Reenter) return true;
        uint256 kind = (b >> 8) % 4;
        bytes memory data = abi.encodeCall(IAnkrBridge.claim, (address(_actor)));
        if (kind == 1) data = abi.encodeCall(IAnkrBridge.send, (STRANGER, 1 ether, ACCOUNT));
        if (kind == 2) data = abi.encodeCall(IAnkrBridge.collectFees, ());
        if (kind == 3) data = abi.encodeCall(IAnkrBridge.release, (transferTo(far, 1)));
        _actor.arm(address(far.bridge), 0, data);
        return true;
    }

    function _wait(uint256 b) private returns (bool) {
        uint256 length =
            b % 4 == 0
                ? 8 days
                : b % 4 == 1
                    ? 1 days
                    : 1 hours;
        vm.warp(vm.getBlockTimestamp() + ((b >> 8) % length));
        return true;
    }

    // ---- The end ----

    /// @notice I-8: without the owner and the guardians all that was sent arrives, and all that is not vetoed is paid, by
    /// anybody; only sets that are distrusted have to be named anew.
    function closeEverything() external {
        _manner = Actor.Manner.Accept;
        _actor.setManner(_manner);
        for (uint256 s = 0; s < 2; ++s) {
            if (_models[s == 1].distrusted) _rotate(s == 1);
        }
        vm.warp(vm.getBlockTimestamp() + 30 days);
        if (far.token == address(0)) {
            vm.chainId(FAR_CHAIN);
            _donate(true, 100_000 ether);
        }
        for (uint256 i = 0; i < _transfers.length; ++i) {
            bool toFar = _transfers[i].toFar;
            vm.chainId(_sideOf(toFar).chain);
            if (!_transfers[i].delivered) assertTrue(_deliver(toFar, i), "I-8 not delivered");
        }
        vm.warp(vm.getBlockTimestamp() + 30 days);
        for (uint256 i = 0; i < _transfers.length; ++i) {
            bool toFar = _transfers[i].toFar;
            vm.chainId(_sideOf(toFar).chain);
            while (_transfers[i].left != 0 && !_transfers[i].vetoed) {
                assertTrue(_release(toFar, i), "I-8 not released");
                vm.warp(vm.getBlockTimestamp() + _models[toFar].toPay.period);
            }
        }
        for (uint256 i = 0; i < 2 * ACCOUNTS; ++i) {
            vm.chainId(_sideOf(i % 2 == 1).chain);
            _claim(i % 2 == 1, accounts[i / 2]);
        }
        _compare(true);
        _compare(false);
        for (uint256 s = 0; s < 2; ++s) {
            Model storage model = _models[s == 1];
            assertEq(model.claimable, 0, "I-8 claimable");
            uint256 vetoed = 0;
            for (uint256 i = 0; i < _transfers.length; ++i) {
                if (_transfers[i].toFar == (s == 1) && _transfers[i].vetoed) vetoed += _transfers[i].left;
            }
            assertEq(model.waiting, vetoed, "I-8 waiting");
        }
        assertEq(_models[true].outstanding, _models[false].outstanding, "I-15 nothing is in flight");
    }

    // ---- Comparison ----

    function _compare(bool isFar) private view {
        Side storage side = _sideOf(isFar);
        Model storage model = _models[isFar];
        assertBooks(side, model.outstanding, model.waiting, model.claimable, model.fees);
        (uint256 toSend, uint256 toPay) = side.bridge.available();
        assertEq(toSend, _levelOf(model.toSend), "to send");
        assertEq(toPay, _levelOf(model.toPay), "to pay");
        assertEq(side.bridge.pausedUntil(), model.pausedUntil, "paused until");
        for (uint256 i = 0; i < ACCOUNTS; ++i) {
            assertEq(side.bridge.claimableOf(accounts[i]), _claimables[isFar][accounts[i]], "I-6 claimable");
        }
        if (_transfers.length == 0) return;
        Transfer storage transfer = _transfers[steps % _transfers.length];
        if (transfer.toFar != isFar) return;
        bytes32 id = transferTo(side, transfer.number);
        assertTrue(side.bridge.isReceived(id) == transfer.delivered, "received");
        IAnkrBridge.Waiting memory waiting = side.bridge.waitingOf(id);
        assertEq(waiting.amount, transfer.left, "left");
        if (transfer.left == 0) return;
        assertEq(waiting.from, transfer.since, "from");
        assertTrue(waiting.vetoed == transfer.vetoed, "vetoed");
    }

    /// @notice What passed in any stretch of time since the limits were set is within them.
    function checkWindows(bool isFar) external view {
        Flow[] storage flows = _flows[isFar];
        Bucket storage bucket = _models[isFar].toPay;
        for (uint256 i = 0; i < flows.length; ++i) {
            (uint256 out, uint256 credit) = (0, 0);
            for (uint256 k = i; k < flows.length; ++k) {
                (out, credit) = (out + flows[k].out, credit + flows[k].credit);
                uint256 filled = (bucket.capacity * (flows[k].time - flows[i].time)) / bucket.period;
                assertLe(out, bucket.capacity + filled + credit, "I-15 outflow in a window");
            }
        }
    }

    // ---- Looks ----

    function sideOf(bool isFar) external view returns (Side memory) {
        return _sideOf(isFar);
    }

    function modelOf(bool isFar) external view returns (Model memory) {
        return _models[isFar];
    }

    /// @notice What was sent from `fromFar` and has not arrived.
    function inFlight(bool fromFar) external view returns (uint256 sum) {
        for (uint256 i = 0; i < _transfers.length; ++i) {
            if (_transfers[i].toFar != fromFar && !_transfers[i].delivered) sum += _transfers[i].amount;
        }
    }

    // ---- Helpers ----

    function _messageOf(Transfer storage transfer) private view returns (IBridgeGateway.Message memory) {
        Side storage side = _sideOf(transfer.toFar);
        bytes memory payload = payloadOf(
            transfer.number,
            transfer.from,
            transfer.to,
            transfer.amount,
            transfer.target
        );
        return messageTo(side, transfer.nonce, payload);
    }

    function _callOf(
        Side storage side,
        IBridgeGateway.Message memory message,
        uint64 epoch,
        uint256 count
    ) private view returns (bytes memory) {
        bytes[] memory signatures = attest(keys, count, digestFor(side, idOf(message), epoch));
        return abi.encodeCall(IQuorumGateway.deliver, (message, epoch, signatures));
    }

    function _paused(Model storage model) private view returns (bytes memory) {
        return abi.encodeWithSelector(IAnkrBridge.AnkrBridge_Paused.selector, model.pausedUntil);
    }

    function _levelOf(Bucket storage bucket) private view returns (uint256) {
        uint256 filled = (bucket.capacity * (vm.getBlockTimestamp() - bucket.since)) / bucket.period;
        uint256 level = bucket.level + filled;
        return level < bucket.capacity ? level : bucket.capacity;
    }

    function _credit(Bucket storage bucket, uint256 amount) private {
        uint256 level = _levelOf(bucket) + amount;
        bucket.level = level < bucket.capacity ? level : bucket.capacity;
        bucket.since = vm.getBlockTimestamp();
    }

    function _resize(Bucket storage bucket, uint256 capacity, uint256 period) private {
        uint256 level = _levelOf(bucket);
        bucket.level = level < capacity ? level : capacity;
        (bucket.capacity, bucket.period, bucket.since) = (capacity, period, vm.getBlockTimestamp());
    }

    function _someAmount(uint256 random) private pure returns (uint256) {
        uint256 kind = random % 8;
        random >>= 8;
        if (kind == 0) return random % 1 ether;
        if (kind < 4) return 1_000 ether + (random % 3_000 ether);
        return 3 ether + (random % 600 ether);
    }

    /// @dev One to this side, if there is one near the place that is named.
    function _someTransfer(uint256 random, bool toFar, bool delivered) private view returns (uint256) {
        uint256 count = _transfers.length;
        for (uint256 k = 0; k < count; ++k) {
            uint256 i = ((random % count) + k) % count;
            if (_transfers[i].toFar == toFar && _transfers[i].delivered == delivered) return i;
        }
        return count;
    }

    function _someClaimant(uint256 random, bool isFar) private view returns (address) {
        for (uint256 k = 0; k < ACCOUNTS; ++k) {
            address account = accounts[((random % ACCOUNTS) + k) % ACCOUNTS];
            if (_claimables[isFar][account] != 0) return account;
        }
        return accounts[random % ACCOUNTS];
    }

    function _someWaiting(uint256 random, bool toFar) private view returns (uint256) {
        uint256 count = _transfers.length;
        for (uint256 k = 0; k < count; ++k) {
            uint256 i = ((random % count) + k) % count;
            if (_transfers[i].toFar == toFar && _transfers[i].left != 0) return i;
        }
        return random % 4 == 0 ? _someTransfer(random, toFar, true) : count;
    }
}
