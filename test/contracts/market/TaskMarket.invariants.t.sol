// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

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
    TaskId,
    Terms,
    Work
} from "../../../contracts/market/Tasks.sol";
import {TaskMarket} from "../../../contracts/market/TaskMarket.sol";
import {ProviderRegistry} from "../../../contracts/registry/ProviderRegistry.sol";
import {Test} from "../utils/Test.sol";

/// @notice An owner that is a contract and calls the market again whenever it is paid.
contract ReenteringOwner {
    address private immutable _market;
    bytes private _call;
    /// How many of its second calls went through.
    uint256 public reentered;

    constructor(address market) {
        _market = market;
    }

    function arm(bytes calldata call) external {
        _call = call;
    }

    receive() external payable {
        bytes memory call = _call;
        if (call.length == 0) return;
        delete _call;
        (bool success, ) = _market.call(call);
        if (success) ++reentered;
    }
}

/// @notice Random calls by random parties on random tasks, and the sums that must hold after each.
contract TaskMarketHandler is Test {
    uint256 private constant TASKS_AT_MOST = 64;
    uint256 private constant BPS = 10_000;

    TaskMarket public immutable market;
    ProviderRegistry public immutable registry;
    address public immutable admin;
    address private immutable _test = msg.sender;
    ReenteringOwner public immutable reentering;

    address[] public parties;
    Terms[] private _tasks;
    bytes32[] private _workHashes;
    /// Status of each task after the last call.
    Status[] private _statuses;
    /// How often each task's escrow left.
    uint256[] public exits;

    // What went in and out of the market by the handler's own count [wei].
    uint256 public paidIn;
    uint256 public paidOut;
    uint256 public donated;
    // What was slashed [wei] by the registry's count.
    uint256 public slashed;
    /// The first broken promise that a single call can show; empty while all hold.
    string public broken;

    constructor(TaskMarket market_, ProviderRegistry registry_, address admin_) payable {
        market = market_;
        registry = registry_;
        admin = admin_;
        reentering = new ReenteringOwner(address(market_));
        for (uint160 i = 1; i <= 5; ++i) {
            address party = address(0xA11CE0000 + i);
            vm.deal(party, 1e24);
            parties.push(party);
        }
        parties.push(address(reentering));
        vm.deal(address(reentering), 1e24);
        // The second and the third are providers.
        for (uint256 i = 1; i <= 2; ++i) {
            vm.prank(parties[i]);
            registry_.register(
                address(uint160(0x0BE0 + i)),
                parties[i],
                IProviderRegistry.Offer({shape: Resources.wrap(0), rateWei: 1, slots: 1, metadata: ""})
            );
            vm.prank(parties[i]);
            registry_.stake{value: 1e21}(1e21);
        }
    }

    // ---- Money ----

    function deposit(uint256 who, uint256 to, uint256 amount) external {
        amount = bound(amount, 1, 1e20);
        vm.prank(_party(who));
        market.depositFor{value: amount}(_party(to), amount);
        paidIn += amount;
    }

    function transferIn(uint256 who, uint256 amount) external {
        amount = bound(amount, 1, 1e20);
        vm.prank(_party(who));
        (bool success, ) = address(market).call{value: amount}("");
        assertTrue(success, "plain transfer");
        paidIn += amount;
    }

    /// @dev Coins that arrive without a call (A09).
    function donate(uint256 amount) external {
        amount = bound(amount, 1, 1e18);
        vm.deal(address(market), address(market).balance + amount);
        donated += amount;
    }

    function withdraw(uint256 who, uint256 amount) external {
        address party = _party(who);
        uint256 balance = market.balanceOf(party);
        if (balance == 0) return;
        amount = bound(amount, 1, balance);
        vm.prank(party);
        market.withdraw(amount);
        paidOut += amount;
    }

    /// @dev A payment whose receiver acts on a task in the middle of it (A02); what it does is caught up with after.
    function withdrawAndReenter(uint256 seed, uint256 which, uint256 amount) external {
        uint256 balance = market.balanceOf(address(reentering));
        if (balance == 0 || _tasks.length == 0) return;
        uint256 i = which % _tasks.length;
        bytes memory call =
            seed % 3 == 0
                ? abi.encodeCall(market.cancel, (_tasks[i], _workHashes[i]))
                : seed % 3 == 1
                    ? abi.encodeCall(market.withdraw, (1))
                    : abi.encodeCall(market.expire, (_tasks[i], _workHashes[i]));
        reentering.arm(call);
        amount = bound(amount, 1, balance);
        vm.prank(address(reentering));
        market.withdraw(amount);
        paidOut += amount;
        _catchUp(i);
    }

    function collect(uint256 who) external {
        address[] memory accounts = new address[](1);
        accounts[0] = _party(who);
        market.collectFees(accounts);
    }

    function setFee(uint256 bps) external {
        vm.prank(admin);
        market.scheduleFee(bound(bps, 0, market.MAX_FEE_BPS()));
    }

    // ---- Stake ----

    function stake(uint256 who, uint256 amount) external {
        amount = bound(amount, 1, 1e20);
        vm.prank(parties[1 + (who % 2)]);
        registry.stake{value: amount}(amount);
    }

    function unstake(uint256 who, uint256 amount) external {
        address provider = parties[1 + (who % 2)];
        uint256 free = registry.freeStakeOf(provider);
        if (free == 0) return;
        vm.prank(provider);
        registry.unstake(bound(amount, 1, free));
    }

    function withdrawStake(uint256 who) external {
        address provider = parties[1 + (who % 2)];
        vm.prank(provider);
        try registry.withdrawStake(provider) {} catch {}
    }

    // ---- Tasks ----

    function submit(
        uint256 seed,
        uint256 amount,
        uint256 seconds_,
        uint256 collateral,
        uint256 value
    ) external {
        if (_tasks.length == TASKS_AT_MOST) return;
        address owner = _party(seed);
        bool metered = seed % 2 == 0;
        seconds_ = bound(seconds_, 1, 1 days);
        amount = bound(amount, 1, metered ? 1e15 : 1e19);
        collateral = seed % 3 == 0 ? 0 : bound(collateral, 0, 1e19);
        uint256 startBy = block.timestamp + (seed % 1 days);
        Terms memory terms = Terms({
            owner: owner,
            provider: parties[1 + (seed % 2)],
            price: Price.wrap(amount | (metered ? uint256(1) << 192 : 0)),
            conditions: Conditions.wrap(
                startBy |
                    ((startBy + seconds_ + (seed % 1000)) << 40) |
                    (seconds_ << 80) |
                    (uint256(1) << 152)
            ),
            assurance: Assurance.wrap(collateral),
            salt: bytes32(_tasks.length)
        });
        Work memory work = Work({
            resources: Resources.wrap(0),
            payloadHash: bytes32(uint256(1)),
            payload: "ar://x"
        });
        uint256 cost = market.costOf(terms);
        uint256 balance = market.balanceOf(owner);
        // From what is sent, from the balance, or both; sometimes too little.
        value = bound(value, 0, cost + 1e18);
        bool covered = value + balance >= cost;
        vm.prank(owner);
        try market.submit{value: value}(terms, work) {
            if (!covered) broken = "I-7: a task without its money";
            paidIn += value;
            _tasks.push(terms);
            _workHashes.push(market.hashWork(work));
            _statuses.push(Status.Funded);
            exits.push(0);
        } catch {
            if (covered) broken = "a covered task was refused";
        }
    }

    function accept(uint256 which, uint256 who) external {
        _act(which, who, abi.encodeWithSelector(market.accept.selector, 0));
    }

    function cancel(uint256 which, uint256 who) external {
        _act(which, who, abi.encodeWithSelector(market.cancel.selector, 0));
    }

    function expire(uint256 which, uint256 who) external {
        _act(which, who, abi.encodeWithSelector(market.expire.selector, 0));
    }

    function fail(uint256 which, uint256 who) external {
        _act(which, who, abi.encodeWithSelector(market.fail.selector, 0));
    }

    function abandon(uint256 which, uint256 who) external {
        _act(which, who, abi.encodeWithSelector(market.abandon.selector, 0));
    }

    function decline(uint256 which, uint256 who, uint256 reason) external {
        if (_tasks.length == 0) return;
        uint256 i = which % _tasks.length;
        _call(
            i,
            _actor(who, i),
            abi.encodeCall(market.decline, (_tasks[i], _workHashes[i], Outcome(bound(reason, 5, 14))))
        );
    }

    function deliver(uint256 which, uint256 who, uint256 used, uint256 outcome) external {
        if (_tasks.length == 0) return;
        uint256 i = which % _tasks.length;
        uint256 report = bound(outcome, 0, 6) | (bound(used, 0, 2 days) << 8);
        Delivery memory delivery = Delivery({
            report: Report.wrap(report),
            resultHash: bytes32(uint256(1)),
            evidenceHash: bytes32(0),
            result: "ar://y"
        });
        _call(i, _actor(who, i), abi.encodeCall(market.deliver, (_tasks[i], _workHashes[i], delivery)));
    }

    function wait(uint256 seconds_) external {
        vm.warp(block.timestamp + bound(seconds_, 0, 12 hours));
    }

    // ---- What must hold ----

    function taskCount() external view returns (uint256) {
        return _tasks.length;
    }

    function idOf(uint256 i) public view returns (TaskId) {
        return market.idOf(_tasks[i], _workHashes[i]);
    }

    function statusOf(uint256 i) public view returns (Status status) {
        (status, , , ) = market.taskOf(idOf(i));
    }

    /// @return wei_ All escrow of live tasks.
    function liveEscrow() external view returns (uint256 wei_) {
        for (uint256 i = 0; i < _tasks.length; ++i) {
            if (_isLive(statusOf(i))) wei_ += market.costOf(_tasks[i]);
        }
    }

    /// @return wei_ All balances and fees due.
    function ledger() external view returns (uint256 wei_) {
        for (uint256 i = 0; i < parties.length; ++i) {
            wei_ += market.balanceOf(parties[i]) + market.feesDue(parties[i]);
        }
        wei_ += market.balanceOf(market.treasury());
        for (uint160 i = 1; i <= 2; ++i) wei_ += market.balanceOf(address(0x0BE0 + i));
    }

    /// @return wei_ Collateral of the active tasks of the i-th provider.
    function activeCollateral(uint256 provider) external view returns (uint256 wei_) {
        for (uint256 i = 0; i < _tasks.length; ++i) {
            if (statusOf(i) == Status.Active && _tasks[i].provider == parties[provider]) {
                wei_ += _tasks[i].assurance.collateralWei();
            }
        }
    }

    /// @notice Ends every live task as a stranger, when all deadlines have passed (I-8), and takes everything out.
    function closeEverything() external {
        if (msg.sender != _test) return;
        vm.warp(block.timestamp + 40 days);
        for (uint256 i = 0; i < _tasks.length; ++i) {
            Status status = statusOf(i);
            if (status == Status.Funded) market.expire(_tasks[i], _workHashes[i]);
            else if (status == Status.Active) market.fail(_tasks[i], _workHashes[i]);
        }
        market.collectFees(parties);
        _empty(address(this));
        _empty(market.treasury());
        for (uint256 i = 0; i < parties.length; ++i) _empty(parties[i]);
        for (uint160 i = 1; i <= 2; ++i) _empty(address(0x0BE0 + i));
    }

    receive() external payable {}

    function _empty(address party) private {
        uint256 balance = market.balanceOf(party);
        if (balance == 0) return;
        vm.prank(party);
        market.withdrawTo(address(0xDEAD), balance);
    }

    // ---- Calls ----

    function _act(uint256 which, uint256 who, bytes memory selector) private {
        if (_tasks.length == 0) return;
        uint256 i = which % _tasks.length;
        bytes4 name = bytes4(selector);
        _call(i, _actor(who, i), abi.encodeWithSelector(name, _tasks[i], _workHashes[i]));
    }

    /// @dev Makes the call and checks what a single call can break: terminal states, third parties, other tasks.
    function _call(uint256 i, address caller, bytes memory data) private {
        uint256[] memory balances = new uint256[](parties.length);
        for (uint256 k = 0; k < parties.length; ++k) balances[k] = market.balanceOf(parties[k]);
        vm.prank(caller);
        (bool success, ) = address(market).call(data);
        for (uint256 k = 0; k < parties.length; ++k) {
            if (market.balanceOf(parties[k]) < balances[k])
                broken = "I-6: a call on a task lowered a balance";
            if (!success && market.balanceOf(parties[k]) != balances[k])
                broken = "a refused call moved money";
        }
        _catchUp(i);
        for (uint256 k = 0; k < _tasks.length; ++k) {
            if (_statuses[k] != statusOf(k)) broken = "I-5: a call changed another task";
        }
    }

    function _catchUp(uint256 i) private {
        Status status = statusOf(i);
        if (status == _statuses[i]) return;
        if (!_isLive(_statuses[i])) broken = "I-3: a terminal state was left";
        if (!_isLive(status)) ++exits[i];
        _statuses[i] = status;
    }

    function _isLive(Status status) private pure returns (bool) {
        return status == Status.Funded || status == Status.Active;
    }

    function _party(uint256 seed) private view returns (address) {
        return parties[seed % parties.length];
    }

    /// @dev Mostly those who may act on the task, sometimes anybody.
    function _actor(uint256 seed, uint256 i) private view returns (address) {
        uint256 choice = seed % 5;
        if (choice == 0) return _tasks[i].owner;
        if (choice <= 2) return _tasks[i].provider;
        if (choice == 3) return registry.operatorOf(_tasks[i].provider);
        return _party(seed / 5);
    }
}

/// @notice What holds whatever anybody does, in the native currency.
contract TaskMarketInvariantsTest is Test {
    TaskMarket private _market;
    ProviderRegistry private _registry;
    TaskMarketHandler private _handler;

    function setUp() public {
        vm.warp(1_800_000_000);
        Currency native = Currency.wrap(address(0));
        _registry = new ProviderRegistry(native, 45 days, address(this));
        _market = new TaskMarket(native, _registry, 600, address(0xAD), address(0x7EA5), 250);
        _registry.authorizeMarket(address(_market));
        _handler = new TaskMarketHandler(_market, _registry, address(0xAD));
        vm.deal(address(_handler), 1e30);
        targetContract(address(_handler));
    }

    function invariant_I01_I02_marketHoldsExactlyItsLedgerAndEscrows() external view {
        assertEq(
            address(_market).balance,
            _handler.ledger() + _handler.liveEscrow() + _handler.donated(),
            "I-1 balance = ledger + escrow + donations"
        );
    }

    function invariant_I01_registryHoldsItsStakes() external view {
        uint256 stakes = 0;
        for (uint256 i = 1; i <= 2; ++i) stakes += _registry.providerOf(_handler.parties(i)).stake;
        assertEq(address(_registry).balance, stakes, "I-1 registry");
    }

    function invariant_I03_I05_I06_I07_noCallBrokeAPromise() external view {
        assertEq(bytes(_handler.broken()).length, 0, _handler.broken());
    }

    function invariant_I03_escrowLeavesAtMostOnce() external view {
        for (uint256 i = 0; i < _handler.taskCount(); ++i) assertLe(_handler.exits(i), 1, "I-3 exits");
    }

    function invariant_I11_locksAreTheCollateralOfActiveTasks() external view {
        for (uint256 i = 1; i <= 2; ++i) {
            IProviderRegistry.Provider memory provider = _registry.providerOf(_handler.parties(i));
            assertEq(provider.locked, _handler.activeCollateral(i), "I-11 locked");
            assertLe(uint256(provider.locked) + provider.unbonding, provider.stake, "I-11 stake");
        }
    }

    /// @dev I-8 and I-19: anyone ends everything once all deadlines have passed, and nothing but donations is left.
    function afterInvariant() external {
        _handler.closeEverything();
        assertEq(_handler.liveEscrow(), 0, "I-8 live escrow");
        assertEq(address(_market).balance, _handler.donated(), "I-19 dust");
    }
}
