// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {IEscrow} from "../../../contracts/interfaces/IEscrow.sol";
import {ILeases} from "../../../contracts/interfaces/ILeases.sol";
import {IOrders} from "../../../contracts/interfaces/IOrders.sol";
import {IProviderRegistry} from "../../../contracts/interfaces/IProviderRegistry.sol";
import {Resources} from "../../../contracts/libraries/Resources.sol";
import {
    Assurance,
    Conditions,
    Delivered,
    Delivery,
    Outcome,
    Price,
    Status,
    TaskId,
    Terms,
    Work
} from "../../../contracts/market/Tasks.sol";
import {Actor} from "../../../contracts/mocks/Actor.sol";
import {HookERC20} from "../../../contracts/mocks/HookERC20.sol";
import {MarketTest} from "./MarketTest.sol";

/// @notice A call that moves money hands control to one party, which is owner, provider, arbiter, backup's operator and
/// admin at once, and that
/// makes a second call from inside. Every pair of calls is tried. Afterwards the chain stands as if the second call
/// had been refused, or as if the two had been made one after the other; inside, all views together show the state
/// before or the state after the outer call.
abstract contract ReentrancyTest is MarketTest {
    /// The first ones move money out of or into a wallet; the first four into the party's.
    enum Call {
        Withdraw,
        WithdrawTo,
        Payout,
        WithdrawStake,
        Deposit,
        DepositFor,
        Submit,
        Fail,
        Abandon,
        Stake,
        DepositWithPermit,
        Order,
        TopUp,
        Dispute,
        Concede,
        Rule,
        EndLease,
        SubmitFromBalance,
        Cancel,
        Accept,
        Deliver,
        DeliverActive,
        Decline,
        Expire,
        Settle,
        Draw,
        Heartbeat,
        Close,
        Ready,
        AcceptOpen,
        PublishPayloadKey,
        TakeOver,
        RevokeOrder,
        CancelQuotes,
        Batch,
        CollectFees,
        SetDelegate,
        ScheduleFee,
        SetTreasury,
        TransferOwnership,
        AcceptOwnership,
        RenounceOwnership,
        Transfer,
        CancelUnstake,
        Unstake,
        None
    }

    /// Tasks of the party with itself, by what can be done with them when the calls are made.
    enum TaskName {
        Large,
        Small,
        Funded,
        Late,
        Active,
        Overdue,
        /// Of an owner that signs, sponsored by the party, with a quote of its operator's.
        Ordered,
        Lease,
        Starting,
        Down,
        Delivered,
        Conceding,
        Ruling,
        Open,
        Sealed,
        Standby
    }

    uint256 private constant COST = 1e17;
    uint256 private constant COLLATERAL = 1e18;
    /// So much that a dispute's bond exceeds the party's balance [wei].
    uint256 private constant JUDGED_COST = 1_000 * COST;
    uint256 private constant OWNER_KEY = 0xA11CE;
    uint256 private constant OPERATOR_KEY = 0x0BE;
    uint256 internal constant MOVERS = uint256(Call.EndLease) + 1;
    address private constant DELEGATE = address(0xDE1);
    address private constant BACKUP = address(0xBAC);

    Actor private actor;
    /// Zero: the native coin.
    HookERC20 private token;
    Work private work;
    uint256 private start;
    uint256 private largeCost;

    // What the second call is, and what came of it.
    Call private second;
    bool public entered;
    bool public succeeded;
    bytes32 public viewsInside;

    /// @dev The state in which the calls are made.
    function open(bool native) internal {
        actor = new Actor();
        if (!native) token = new HookERC20();
        openMarket(address(token), 250);
        vm.prank(ADMIN);
        market.transferOwnership(address(actor));
        execute(Call.AcceptOwnership);
        execute(Call.TransferOwnership);
        work = someWork();
        fund();
        vm.prank(BACKUP);
        registry.register(address(actor), BACKUP, offer());
        actor.execute(
            address(registry),
            0,
            abi.encodeCall(registry.register, (vm.addr(OPERATOR_KEY), address(actor), offer()))
        );
        for (uint256 i = 0; i < 14; ++i) execute(Call.Stake);
        execute(Call.Unstake);
        start = NOW + 46 days;
        vm.warp(start - 500);
        execute(TaskName.Ruling);
        vm.warp(start);
        execute(TaskName.Overdue);
        execute(TaskName.Active);
        execute(TaskName.Late);
        execute(TaskName.Down);
        vm.warp(start + 800);
        for (uint256 i = 0; i <= uint256(type(TaskName).max); ++i) {
            TaskName task = TaskName(i);
            if (task > TaskName.Ordered && task != TaskName.Ruling && task != TaskName.Down) execute(task);
        }
        vm.warp(start + 830);
        execute(Call.Heartbeat);
        vm.warp(start + 850);
        execute(TaskName.Funded);
        // What was earned leaves fees due; the balance is enough for a small task.
        execute(Call.Submit);
        actor.execute(address(market), 0, deliver(TaskName.Large));
        actor.execute(address(market), valueOf(2 * COST), abi.encodeCall(market.deposit, (2 * COST)));
        // More than the balance, so that it has to be transferred.
        largeCost = market.balanceOf(address(actor)) + COST;
    }

    // ---- What is tried ----

    function tryEverything(Call first, HookERC20.Moment moment) internal {
        bytes32 before = state();
        bytes32 viewsBefore = views();
        uint256 snapshot = vm.snapshotState();

        assertTrue(enter(first, Call.None, moment), "the call alone");
        assertTrue(entered, "control is handed over");
        bytes32 afterFirst = state();
        bytes32 inside = viewsInside;
        bytes32 viewsAfter = views();
        assertTrue(inside == viewsBefore || inside == viewsAfter, "A04 a state between");

        for (uint256 i = 0; i < uint256(Call.None); ++i) {
            if (Call(i) == Call.Transfer && address(token) != address(0)) continue;
            // A call of its own, so that what it takes of the memory is free again.
            this.tryPair(first, i, moment, snapshot, before, afterFirst);
        }
        vm.revertToState(snapshot);
    }

    function tryPair(
        Call first,
        uint256 then_,
        HookERC20.Moment moment,
        uint256 snapshot,
        bytes32 before,
        bytes32 afterFirst
    ) external {
        vm.revertToState(snapshot);
        bool done = enter(first, Call(then_), moment);
        bytes32 reached = state();
        bool both = done && succeeded;
        if (!done) {
            assertTrue(reached == before, name(first, then_, "a failure left something"));
        } else if (!both) {
            assertTrue(reached == afterFirst, name(first, then_, "a refusal left something"));
        } else {
            assertTrue(
                reached == inOrder(snapshot, first, Call(then_)) ||
                    reached == inOrder(snapshot, Call(then_), first),
                name(first, then_, "neither one after the other")
            );
        }
    }

    /// @dev Makes the first call and from inside it the second.
    function enter(Call first, Call inside, HookERC20.Moment moment) private returns (bool success) {
        second = inside;
        (entered, succeeded) = (false, false);
        bytes memory interruption = abi.encodeCall(this.interrupt, ());
        if (address(token) == address(0)) actor.arm(address(this), 0, interruption);
        else token.setHook(moment, address(this), interruption);
        (success, ) = tryCall(first);
        if (address(token) == address(0)) actor.setManner(Actor.Manner.Accept);
        else token.setHook(HookERC20.Moment.Never, address(0), "");
    }

    /// @notice The token or the actor that is paid calls this.
    function interrupt() external {
        if (entered) return;
        entered = true;
        viewsInside = views();
        assertSolvent();
        if (second == Call.None) return;
        (succeeded, ) = tryCall(second);
        assertSolvent();
    }

    /// @return The state after the two calls one after the other; 0 where one is refused.
    function inOrder(uint256 snapshot, Call first, Call then_) private returns (bytes32) {
        vm.revertToState(snapshot);
        (bool done, ) = tryCall(first);
        (bool too, ) = tryCall(then_);
        return done && too ? state() : bytes32(0);
    }

    // ---- What is looked at ----

    /// @dev Everything that the contracts tell of everybody.
    function views() private view returns (bytes32) {
        bytes32 tasks;
        for (uint256 i = 0; i <= uint256(type(TaskName).max); ++i) {
            tasks = keccak256(abi.encode(tasks, viewsOf(TaskName(i))));
        }
        (uint256 completed, uint256 sold) = market.recordOf(address(actor));
        bytes memory money = abi.encode(
            market.balanceOf(address(actor)),
            market.balanceOf(TREASURY),
            market.balanceOf(DELEGATE),
            market.feesDue(address(actor)),
            completed,
            sold,
            market.delegationOf(address(actor), DELEGATE)
        );
        bytes memory rule = abi.encode(
            market.feeBps(),
            market.treasury(),
            market.owner(),
            Ownable2Step(address(market)).pendingOwner(),
            market.usedQuotes(address(actor), 0),
            market.usedQuotes(address(actor), 5)
        );
        bytes memory stakes = abi.encode(
            registry.providerOf(address(actor)),
            registry.providerOf(BACKUP),
            registry.freeStakeOf(address(actor)),
            registry.providerCount()
        );
        return keccak256(abi.encode(tasks, money, rule, stakes));
    }

    function viewsOf(TaskName task) private view returns (bytes memory) {
        Terms memory terms = termsOf(task);
        TaskId id = market.idOf(terms, hashOf(task));
        return
            abi.encode(
                statusOf(id),
                assignmentOf(task, terms),
                market.leaseOf(id),
                market.disputeOf(id),
                market.deliveryDigestOf(id),
                market.payerOf(terms, hashOf(task)),
                market.hasBackup(id)
            );
    }

    function statusOf(TaskId id) private view returns (bytes memory) {
        (Status status, Outcome outcome, uint256 since, uint256 feeBps) = market.taskOf(id);
        return abi.encode(status, outcome, since, feeBps);
    }

    function assignmentOf(TaskName task, Terms memory terms) private view returns (bytes memory) {
        (address provider, uint256 acceptedAt, uint256 priceWei) = market.assignmentOf(terms, hashOf(task));
        return abi.encode(provider, acceptedAt, priceWei);
    }

    /// @dev The views, and whose money is where.
    function state() private view returns (bytes32) {
        assertSolvent();
        return
            keccak256(
                abi.encode(
                    views(),
                    wallet(address(actor)),
                    wallet(address(market)),
                    wallet(address(registry)),
                    wallet(TREASURY)
                )
            );
    }

    /// @dev I-1 over both contracts, since what is slashed is on its way from one to the other.
    function assertSolvent() private view {
        uint256 owed =
            market.balanceOf(address(actor)) +
                market.balanceOf(TREASURY) +
                market.balanceOf(DELEGATE) +
                market.feesDue(address(actor)) +
                registry.providerOf(address(actor)).stake;
        for (uint256 i = 0; i <= uint256(type(TaskName).max); ++i) owed += escrowOf(TaskName(i));
        assertLe(owed, wallet(address(market)) + wallet(address(registry)), "I-1");
    }

    function escrowOf(TaskName task) private view returns (uint256 escrow) {
        Terms memory terms = termsOf(task);
        TaskId id = market.idOf(terms, hashOf(task));
        (Status status, , , ) = market.taskOf(id);
        if (status == Status.None || status >= Status.Settled) return 0;
        escrow = market.costOf(terms);
        if (status == Status.Disputed) escrow += market.disputeOf(id).bondWei;
        if (isLease(task)) {
            ILeases.Lease memory lease = market.leaseOf(id);
            escrow += terms.price.amountWei() * lease.extraSeconds;
            escrow -= terms.price.amountWei() * lease.drawnSeconds;
        }
    }

    function wallet(address account) private view returns (uint256) {
        return address(token) == address(0) ? account.balance : token.balanceOf(account);
    }

    // ---- Calls of the party ----

    function tryCall(Call what) private returns (bool, bytes memory) {
        (address target, uint256 value, bytes memory data) = callOf(what);
        return address(actor).call(abi.encodeCall(actor.execute, (target, value, data)));
    }

    function execute(Call what) private {
        (address target, uint256 value, bytes memory data) = callOf(what);
        actor.execute(target, value, data);
    }

    /// @dev Submits the task and brings it to where its name says.
    function execute(TaskName task) private {
        Terms memory terms = termsOf(task);
        uint256 value = valueOf(market.costOf(terms));
        if (task == TaskName.Standby) {
            actor.execute(address(market), value, abi.encodeCall(market.order, (orderOf(task))));
            run(abi.encodeCall(market.decline, (terms, hashOf(task), Outcome.NoCapacity)));
            return;
        }
        actor.execute(address(market), value, abi.encodeCall(market.submit, (terms, work)));
        if (task == TaskName.Active || task == TaskName.Overdue || isLease(task)) {
            run(abi.encodeCall(market.accept, (terms, hashOf(task))));
        }
        if (task == TaskName.Lease || task == TaskName.Down) run(ready(task));
        if (task == TaskName.Sealed) run(acceptOpen(task));
        if (!isJudged(task)) return;
        run(deliver(task));
        if (task != TaskName.Delivered) {
            actor.execute(address(market), valueOf(JUDGED_COST / 20), dispute(task));
        }
    }

    function run(bytes memory data) private {
        actor.execute(address(market), 0, data);
    }

    function callOf(Call what) private view returns (address target, uint256 value, bytes memory data) {
        target = address(market);
        if (what == Call.Withdraw) data = abi.encodeCall(market.withdraw, (3));
        else if (what == Call.WithdrawTo) data = abi.encodeCall(market.withdrawTo, (address(actor), 5));
        else if (what == Call.Payout) data = abi.encodeCall(market.payout, (address(actor)));
        else if (what == Call.WithdrawStake) {
            target = address(registry);
            data = abi.encodeCall(registry.withdrawStake, (address(actor)));
        } else if (what == Call.Deposit) {
            (value, data) = (valueOf(7), abi.encodeCall(market.deposit, (7)));
        } else if (what == Call.DepositFor) {
            (value, data) = (valueOf(11), abi.encodeCall(market.depositFor, (DELEGATE, 11)));
        } else if (what == Call.Submit) {
            Terms memory terms = termsOf(TaskName.Large);
            value = valueOf(market.costOf(terms));
            data = abi.encodeCall(market.submit, (terms, work));
        } else if (what == Call.Stake) {
            (target, value) = (address(registry), valueOf(COLLATERAL));
            data = abi.encodeCall(registry.stake, (COLLATERAL));
        } else if (what == Call.SubmitFromBalance) {
            data = abi.encodeCall(market.submit, (termsOf(TaskName.Small), work));
        } else if (what == Call.Cancel) {
            data = abi.encodeCall(market.cancel, (termsOf(TaskName.Funded), hashOf(TaskName.Funded)));
        } else if (what == Call.Accept) {
            data = abi.encodeCall(market.accept, (termsOf(TaskName.Funded), hashOf(TaskName.Funded)));
        } else if (what == Call.Expire) {
            data = abi.encodeCall(market.expire, (termsOf(TaskName.Late), hashOf(TaskName.Late)));
        } else if (what == Call.Fail) {
            data = abi.encodeCall(market.fail, (termsOf(TaskName.Overdue), hashOf(TaskName.Overdue)));
        } else if (what == Call.Abandon) {
            data = abi.encodeCall(market.abandon, (termsOf(TaskName.Active), hashOf(TaskName.Active)));
        } else if (what < Call.SubmitFromBalance) (value, data) = paidCallOf(what);
        else if (what > Call.Expire && what < Call.CollectFees) data = laterCallOf(what);
        else if (what == Call.Deliver) data = deliver(TaskName.Funded);
        else if (what == Call.DeliverActive) data = deliver(TaskName.Active);
        else if (what == Call.Decline) {
            data = abi.encodeCall(
                market.decline,
                (termsOf(TaskName.Funded), hashOf(TaskName.Funded), Outcome.PolicyRefused)
            );
        } else if (what == Call.CollectFees) {
            address[] memory accounts = new address[](1);
            accounts[0] = address(actor);
            data = abi.encodeCall(market.collectFees, (accounts));
        } else if (what == Call.SetDelegate) {
            data = abi.encodeCall(
                market.setDelegate,
                (DELEGATE, IEscrow.Delegation(1, address(0), type(uint40).max, 0))
            );
        } else if (what == Call.ScheduleFee) data = abi.encodeCall(market.scheduleFee, (1));
        else if (what == Call.SetTreasury) data = abi.encodeCall(market.setTreasury, (DELEGATE));
        else if (what == Call.TransferOwnership) {
            data = abi.encodeCall(market.transferOwnership, (address(actor)));
        } else if (what == Call.AcceptOwnership) data = abi.encodeCall(market.acceptOwnership, ());
        else if (what == Call.RenounceOwnership) data = abi.encodeCall(Ownable.renounceOwnership, ());
        else if (what == Call.Transfer) value = 13;
        else if (what == Call.CancelUnstake) {
            (target, data) = (address(registry), abi.encodeCall(registry.cancelUnstake, ()));
        } else {
            (target, data) = (address(registry), abi.encodeCall(registry.unstake, (COLLATERAL)));
        }
    }

    /// @dev Those that take money in, or out of the registry.
    function paidCallOf(Call what) private view returns (uint256 value, bytes memory data) {
        if (what == Call.DepositWithPermit) {
            data = abi.encodeCall(market.depositWithPermit, (17, type(uint256).max, 27, 0, 0));
        } else if (what == Call.Order) {
            value = valueOf(market.costOf(termsOf(TaskName.Ordered)));
            data = abi.encodeCall(market.order, (orderOf(TaskName.Ordered)));
        } else if (what == Call.TopUp) {
            Terms memory terms = termsOf(TaskName.Lease);
            value = valueOf(10 * COST);
            data = abi.encodeCall(market.topUp, (terms, hashOf(TaskName.Lease), 10));
        } else if (what == Call.Dispute) {
            (value, data) = (valueOf(JUDGED_COST / 20), dispute(TaskName.Delivered));
        } else if (what == Call.Concede) {
            TaskName task = TaskName.Conceding;
            data = abi.encodeCall(market.concede, (termsOf(task), hashOf(task), delivered()));
        } else if (what == Call.Rule) {
            TaskName task = TaskName.Ruling;
            data = abi.encodeCall(market.rule, (termsOf(task), hashOf(task), delivered(), 3_333));
        } else {
            data = abi.encodeCall(market.endLease, (termsOf(TaskName.Down), hashOf(TaskName.Down)));
        }
    }

    function laterCallOf(Call what) private view returns (bytes memory) {
        Terms memory terms = termsOf(TaskName.Lease);
        bytes32 hash = hashOf(TaskName.Lease);
        if (what == Call.Settle) {
            TaskName task = TaskName.Delivered;
            return abi.encodeCall(market.settle, (termsOf(task), hashOf(task), delivered()));
        }
        if (what == Call.Draw) return abi.encodeCall(market.draw, (terms, hash));
        if (what == Call.Heartbeat) {
            TaskId[] memory ids = new TaskId[](2);
            ids[0] = market.idOf(terms, hash);
            ids[1] = market.idOf(termsOf(TaskName.Starting), hash);
            return abi.encodeCall(market.heartbeat, (ids));
        }
        if (what == Call.Close) return abi.encodeCall(market.close, (terms, hash, Outcome.OwnerClosed));
        if (what == Call.Ready) return ready(TaskName.Starting);
        if (what == Call.AcceptOpen) return acceptOpen(TaskName.Open);
        if (what == Call.PublishPayloadKey) {
            TaskName task = TaskName.Sealed;
            return abi.encodeCall(market.publishPayloadKey, (termsOf(task), hashOf(task), "header"));
        }
        if (what == Call.TakeOver) {
            return abi.encodeCall(market.takeOver, (termsOf(TaskName.Standby), work, BACKUP));
        }
        if (what == Call.RevokeOrder) {
            TaskName task = TaskName.Small;
            return abi.encodeCall(market.revokeOrder, (termsOf(task), hashOf(task)));
        }
        if (what == Call.CancelQuotes) return abi.encodeCall(market.cancelQuotes, (0, 1 << 7));
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(market.cancelQuotes, (5, 1));
        calls[1] = abi.encodeCall(market.accept, (termsOf(TaskName.Funded), hashOf(TaskName.Funded)));
        return abi.encodeCall(market.batch, (calls));
    }

    function ready(TaskName task) private view returns (bytes memory) {
        return abi.encodeCall(market.ready, (termsOf(task), hashOf(task), "ticket"));
    }

    function acceptOpen(TaskName task) private view returns (bytes memory) {
        return abi.encodeCall(market.acceptOpen, (termsOf(task), work, address(actor)));
    }

    function deliver(TaskName task) private view returns (bytes memory) {
        Delivery memory delivery = deliveryOf(Outcome.Completed, 0);
        return abi.encodeCall(market.deliver, (termsOf(task), hashOf(task), delivery));
    }

    function delivered() private pure returns (Delivered memory) {
        return deliveredOf(deliveryOf(Outcome.Completed, 0));
    }

    function dispute(TaskName task) private view returns (bytes memory) {
        return
            abi.encodeCall(
                market.dispute,
                (termsOf(task), hashOf(task), delivered(), 0, bytes32(0), type(uint256).max)
            );
    }

    function orderOf(TaskName task) private view returns (IOrders.Order memory order) {
        order.terms = termsOf(task);
        order.work = work;
        if (task == TaskName.Standby) {
            order.backup = BACKUP;
            return order;
        }
        TaskId id = market.idOf(order.terms, hashOf(task));
        order.sponsored = true;
        order.signature = sign(OWNER_KEY, TaskId.unwrap(id));
        order.quote.nonce = 7;
        order.quote.expiresAt = type(uint40).max;
        order.quote.signature = sign(OPERATOR_KEY, market.quoteDigest(id, 7, type(uint40).max));
    }

    function hashOf(TaskName task) private view returns (bytes32) {
        return market.hashWork(work, task == TaskName.Standby ? BACKUP : address(0));
    }

    function isLease(TaskName task) private pure returns (bool) {
        return task == TaskName.Lease || task == TaskName.Starting || task == TaskName.Down;
    }

    function isJudged(TaskName task) private pure returns (bool) {
        return task == TaskName.Delivered || task == TaskName.Conceding || task == TaskName.Ruling;
    }

    function termsOf(TaskName task) private view returns (Terms memory terms) {
        bool early = task == TaskName.Late || task == TaskName.Overdue;
        bool isOpen = task == TaskName.Open || task == TaskName.Sealed;
        terms.owner = task == TaskName.Ordered ? vm.addr(OWNER_KEY) : address(actor);
        terms.provider = isOpen ? address(0) : address(actor);
        uint256 price = COST;
        if (task == TaskName.Large && largeCost != 0) price = largeCost;
        if (task == TaskName.Ordered) price = 10 * COST;
        if (isJudged(task)) price = JUDGED_COST;
        if (isOpen) price |= COST << 96;
        if (isLease(task)) price |= METERED | (60 << 200);
        terms.price = Price.wrap(price);
        uint256 conditions =
            (start + (early ? 100 : 1_500)) |
                ((start + (task == TaskName.Overdue ? 200 : 10_000)) << 40) |
                (uint256(isLease(task) ? 5_000 : 50) << 80);
        if (isJudged(task)) conditions |= 10_000 << 112;
        if (isLease(task)) conditions |= 1 << 144;
        if (task == TaskName.Sealed) conditions |= 1 << 248;
        terms.conditions = Conditions.wrap(conditions);
        terms.assurance = Assurance.wrap(
            (task == TaskName.Standby ? 0 : COLLATERAL) |
                (isJudged(task) ? uint256(uint160(address(actor))) << 96 : 0)
        );
        terms.salt = bytes32(uint256(task));
    }

    function offer() private pure returns (IProviderRegistry.Offer memory) {
        return IProviderRegistry.Offer({shape: Resources.wrap(0), rateWei: 1, slots: 10, metadata: ""});
    }

    function fund() private {
        if (address(token) == address(0)) {
            vm.deal(address(actor), 1e24);
            return;
        }
        token.mint(address(actor), 1e24);
        address[2] memory spenders = [address(market), address(registry)];
        for (uint256 i = 0; i < 2; ++i) {
            bytes memory approval = abi.encodeCall(IERC20.approve, (spenders[i], type(uint256).max));
            actor.execute(address(token), 0, approval);
        }
    }

    function valueOf(uint256 amount) private view returns (uint256) {
        return address(token) == address(0) ? amount : 0;
    }

    /// @dev The pair's numbers in {Call}, for who has to find out.
    function name(Call first, uint256 then_, string memory what) private pure returns (string memory) {
        bytes memory digits = "0123456789";
        bytes memory pair = "00, 00: ";
        (pair[0], pair[1]) = (digits[uint256(first) / 10], digits[uint256(first) % 10]);
        (pair[4], pair[5]) = (digits[then_ / 10], digits[then_ % 10]);
        return string.concat(string(pair), what);
    }
}

contract TokenReentrancyTest is ReentrancyTest {
    function setUp() external {
        open(false);
    }

    function test_A01_A04_tokenCallsBeforeItMovesBalances() external {
        for (uint256 i = 0; i < MOVERS; ++i) tryEverything(Call(i), HookERC20.Moment.Before);
    }

    function test_A01_A04_tokenCallsAfterItMovedBalances() external {
        for (uint256 i = 0; i < MOVERS; ++i) tryEverything(Call(i), HookERC20.Moment.After);
    }
}

contract NativeReentrancyTest is ReentrancyTest {
    function setUp() external {
        open(true);
    }

    /// @dev Only what pays out hands over control.
    function test_A02_A04_receiverCalls() external {
        for (uint256 i = 0; i < 4; ++i) tryEverything(Call(i), HookERC20.Moment.Never);
    }
}
