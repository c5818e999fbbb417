// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {IEscrow} from "../../../contracts/interfaces/IEscrow.sol";
import {IProviderRegistry} from "../../../contracts/interfaces/IProviderRegistry.sol";
import {Currency} from "../../../contracts/libraries/Currency.sol";
import {Resources} from "../../../contracts/libraries/Resources.sol";
import {
    Assurance,
    Conditions,
    Delivery,
    Outcome,
    Price,
    Report,
    Status,
    Terms,
    Work
} from "../../../contracts/market/Tasks.sol";
import {Actor} from "../../../contracts/mocks/Actor.sol";
import {HookERC20} from "../../../contracts/mocks/HookERC20.sol";
import {TaskMarket} from "../../../contracts/market/TaskMarket.sol";
import {ProviderRegistry} from "../../../contracts/registry/ProviderRegistry.sol";
import {Test} from "../utils/Test.sol";

/// @notice A call that moves money hands control to one party, which is owner, provider and admin at once, and that
/// makes a second call from inside. Every pair of calls is tried. Afterwards the chain stands as if the second call
/// had been refused, or as if the two had been made one after the other; inside, all views together show the state
/// before or the state after the outer call.
abstract contract ReentrancyTest is Test {
    /// The first ten move money out of or into the wallet of the party.
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
        SubmitFromBalance,
        Cancel,
        Accept,
        Deliver,
        DeliverActive,
        Decline,
        Expire,
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
        Overdue
    }

    uint256 private constant NOW = 1_800_000_000;
    uint256 private constant COST = 1e17;
    uint256 private constant COLLATERAL = 1e18;
    address private constant TREASURY = address(0x7EA5);
    address private constant DELEGATE = address(0xDE1);

    Actor private actor;
    /// Zero: the native coin.
    HookERC20 private token;
    TaskMarket private market;
    ProviderRegistry private registry;
    Work private work;
    bytes32 private workHash;
    uint256 private start;
    uint256 private largeCost;

    // What the second call is, and what came of it.
    Call private second;
    bool public entered;
    bool public succeeded;
    bytes32 public viewsInside;

    /// @dev The state in which the calls are made.
    function open(bool native) internal {
        vm.warp(NOW);
        actor = new Actor();
        if (!native) token = new HookERC20();
        Currency currency = Currency.wrap(address(token));
        registry = new ProviderRegistry(currency, 45 days, address(this));
        market = new TaskMarket(currency, registry, 600, address(this), TREASURY, 250);
        registry.authorizeMarket(address(market));
        market.transferOwnership(address(actor));
        execute(Call.AcceptOwnership);
        execute(Call.TransferOwnership);
        work = Work({resources: Resources.wrap(0), payloadHash: bytes32(uint256(1)), payload: "ar://x"});
        workHash = market.hashWork(work);
        fund();
        actor.execute(
            address(registry),
            0,
            abi.encodeCall(
                registry.register,
                (
                    address(actor),
                    address(actor),
                    IProviderRegistry.Offer({shape: Resources.wrap(0), rateWei: 1, slots: 1, metadata: ""})
                )
            )
        );
        for (uint256 i = 0; i < 9; ++i) execute(Call.Stake);
        execute(Call.Unstake);
        start = NOW + 46 days;
        vm.warp(start);
        execute(TaskName.Overdue);
        execute(TaskName.Active);
        execute(TaskName.Late);
        vm.warp(start + 800);
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
            vm.revertToState(snapshot);
            bool done = enter(first, Call(i), moment);
            bytes32 reached = state();
            bool both = done && succeeded;
            if (!done) {
                assertTrue(reached == before, name(first, i, "a failure left something"));
            } else if (!both) {
                assertTrue(reached == afterFirst, name(first, i, "a refusal left something"));
            } else {
                assertTrue(
                    reached == inOrder(snapshot, first, Call(i)) ||
                        reached == inOrder(snapshot, Call(i), first),
                    name(first, i, "neither one after the other")
                );
            }
        }
        vm.revertToState(snapshot);
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

    /// @dev Everything that the two contracts tell of everybody.
    function views() private view returns (bytes32) {
        bytes memory tasks;
        for (uint256 i = 0; i <= uint256(type(TaskName).max); ++i) {
            (Status status, Outcome outcome, uint256 since, uint256 feeBps) = market.taskOf(
                market.idOf(termsOf(TaskName(i)), workHash)
            );
            tasks = abi.encode(tasks, status, outcome, since, feeBps);
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
            market.pendingOwner()
        );
        bytes memory stakes = abi.encode(
            registry.providerOf(address(actor)),
            registry.freeStakeOf(address(actor)),
            registry.providerCount()
        );
        return keccak256(abi.encode(tasks, money, rule, stakes));
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
        for (uint256 i = 0; i <= uint256(type(TaskName).max); ++i) {
            Terms memory terms = termsOf(TaskName(i));
            (Status status, , , ) = market.taskOf(market.idOf(terms, workHash));
            if (status == Status.Funded || status == Status.Active) owed += market.costOf(terms);
        }
        assertLe(owed, wallet(address(market)) + wallet(address(registry)), "I-1");
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

    /// @dev Submits the task and, where its name says so, accepts it.
    function execute(TaskName task) private {
        Terms memory terms = termsOf(task);
        actor.execute(
            address(market),
            valueOf(market.costOf(terms)),
            abi.encodeCall(market.submit, (terms, work))
        );
        if (task == TaskName.Active || task == TaskName.Overdue) {
            actor.execute(address(market), 0, abi.encodeCall(market.accept, (terms, workHash)));
        }
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
            data = abi.encodeCall(market.cancel, (termsOf(TaskName.Funded), workHash));
        } else if (what == Call.Accept) {
            data = abi.encodeCall(market.accept, (termsOf(TaskName.Funded), workHash));
        } else if (what == Call.Expire) {
            data = abi.encodeCall(market.expire, (termsOf(TaskName.Late), workHash));
        } else if (what == Call.Fail) {
            data = abi.encodeCall(market.fail, (termsOf(TaskName.Overdue), workHash));
        } else if (what == Call.Abandon) {
            data = abi.encodeCall(market.abandon, (termsOf(TaskName.Active), workHash));
        } else if (what == Call.Deliver) data = deliver(TaskName.Funded);
        else if (what == Call.DeliverActive) data = deliver(TaskName.Active);
        else if (what == Call.Decline) {
            data = abi.encodeCall(
                market.decline,
                (termsOf(TaskName.Funded), workHash, Outcome.PolicyRefused)
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
        else if (what == Call.RenounceOwnership) data = abi.encodeCall(market.renounceOwnership, ());
        else if (what == Call.Transfer) value = 13;
        else if (what == Call.CancelUnstake) {
            (target, data) = (address(registry), abi.encodeCall(registry.cancelUnstake, ()));
        } else {
            (target, data) = (address(registry), abi.encodeCall(registry.unstake, (COLLATERAL)));
        }
    }

    function deliver(TaskName task) private view returns (bytes memory) {
        Delivery memory delivery = Delivery({
            report: Report.wrap(1),
            resultHash: bytes32(uint256(1)),
            evidenceHash: bytes32(uint256(2)),
            result: "ar://y"
        });
        return abi.encodeCall(market.deliver, (termsOf(task), workHash, delivery));
    }

    function termsOf(TaskName task) private view returns (Terms memory) {
        uint256 startBy = start + 1_500;
        uint256 completeBy = start + 10_000;
        if (task == TaskName.Late || task == TaskName.Overdue) startBy = start + 100;
        if (task == TaskName.Overdue) completeBy = start + 200;
        return
            Terms({
                owner: address(actor),
                provider: address(actor),
                price: Price.wrap(task == TaskName.Large && largeCost != 0 ? largeCost : COST),
                conditions: Conditions.wrap(startBy | (completeBy << 40) | (50 << 80)),
                assurance: Assurance.wrap(COLLATERAL),
                salt: bytes32(uint256(task))
            });
    }

    function fund() private {
        if (address(token) == address(0)) {
            vm.deal(address(actor), 1e20);
            return;
        }
        token.mint(address(actor), 1e20);
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
        for (uint256 i = 0; i < 10; ++i) tryEverything(Call(i), HookERC20.Moment.Before);
    }

    function test_A01_A04_tokenCallsAfterItMovedBalances() external {
        for (uint256 i = 0; i < 10; ++i) tryEverything(Call(i), HookERC20.Moment.After);
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
