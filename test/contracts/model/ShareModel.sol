// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice A revenue share, slow and obviously right: keeps all that ever happened, and works out each figure from that
/// alone whenever it is asked. Has nothing in common with the contract but what it is for.
/// @dev Figures are exact, rounded down. The caller's time is the model's.
contract ShareModel {
    /// @dev What `account` has from `time` on.
    struct Change {
        uint256 time;
        uint256 balance;
        bool excluded;
    }

    struct Payment {
        uint256 time;
        uint256 amount;
    }

    /// @dev Of `outOf` tokens that redeem, `amount` were burned.
    struct Burn {
        uint256 time;
        uint256 amount;
        uint256 outOf;
    }

    uint256 private constant BPS = 10_000;
    /// @dev Fractions of a unit are counted in these.
    uint256 private constant FRACTION = 2 ** 160;

    uint256 private immutable _periodSeconds;
    uint256 private immutable _madeAt;
    uint256 private immutable _claimBps;
    uint256 private immutable _cap;
    uint256 private immutable _mintUntil;

    address[] private _accounts;
    mapping(address account => Change[]) private _changes;
    mapping(address token => Payment[]) private _payments;
    /// @dev Of all payments, in the order of their time.
    uint256[] private _snapshots;
    Burn[] private _burns;
    mapping(address account => mapping(uint256 id => bool)) private _claimed;
    mapping(address account => uint256) private _claimedThrough;
    mapping(address account => mapping(address token => uint256)) public paid;
    uint256 public away;
    uint256 public minted;

    constructor(uint256 periodSeconds, uint256 claimBps, uint256 cap, uint256 mintUntil) {
        (_periodSeconds, _madeAt) = (periodSeconds, block.timestamp);
        (_claimBps, _cap, _mintUntil) = (claimBps, cap, mintUntil);
    }

    // ---- What happens ----

    function mint(address to, uint256 amount) external {
        minted += amount;
        _set(to, balanceOf(to) + amount, isExcluded(to));
    }

    function transfer(address from, address to, uint256 amount) external {
        _set(from, balanceOf(from) - amount, isExcluded(from));
        _set(to, balanceOf(to) + amount, isExcluded(to));
    }

    function burn(address from, uint256 amount) external {
        _burns.push(Burn(block.timestamp, amount, redemptionSupply()));
        _set(from, balanceOf(from) - amount, isExcluded(from));
    }

    function depart(address from, uint256 amount) external {
        away += amount;
        _set(from, balanceOf(from) - amount, isExcluded(from));
    }

    function arrive(address to, uint256 amount) external {
        away -= amount;
        _set(to, balanceOf(to) + amount, isExcluded(to));
    }

    function setExcluded(address account, bool excluded) external {
        _set(account, balanceOf(account), excluded);
    }

    function pay(address token, uint256 amount) external {
        _payments[token].push(Payment(block.timestamp, amount));
        _snapshots.push(_snapshotOf(block.timestamp));
    }

    function claim(address account, uint256 id) external {
        _claimed[account][id] = true;
    }

    function claimThrough(address account, uint256 id) external {
        if (id > _claimedThrough[account]) _claimedThrough[account] = id;
    }

    function receivePayment(address account, address token, uint256 amount) external {
        paid[account][token] += amount;
    }

    function _set(address account, uint256 balance, bool excluded) private {
        if (_changes[account].length == 0) _accounts.push(account);
        _changes[account].push(Change(block.timestamp, balance, excluded));
    }

    // ---- Balances ----

    function balanceOf(address account) public view returns (uint256) {
        return _at(account, type(uint256).max).balance;
    }

    function isExcluded(address account) public view returns (bool) {
        return _at(account, type(uint256).max).excluded;
    }

    function totalSupply() public view returns (uint256 supply) {
        for (uint256 i = 0; i < _accounts.length; ++i) supply += balanceOf(_accounts[i]);
    }

    function redemptionSupply() public view returns (uint256 supply) {
        supply = totalSupply() + away;
        if (block.timestamp <= _mintUntil) supply += _cap - minted;
    }

    /// @dev As it was before `time`.
    function _at(address account, uint256 time) private view returns (Change memory found) {
        Change[] storage changes = _changes[account];
        for (uint256 i = 0; i < changes.length; ++i) {
            if (changes[i].time >= time) break;
            found = changes[i];
        }
    }

    /// @notice Tokens with which `account` takes part in what came in before `time`.
    function sharesAt(address account, uint256 time) public view returns (uint256) {
        Change memory found = _at(account, time);
        return found.excluded ? 0 : found.balance;
    }

    function eligibleAt(uint256 time) public view returns (uint256 eligible) {
        for (uint256 i = 0; i < _accounts.length; ++i) eligible += sharesAt(_accounts[i], time);
    }

    // ---- Periods ----

    /// @notice First second after the period of snapshot `id`.
    function endOf(uint256 id) public view returns (uint256) {
        return (_madeAt / _periodSeconds + id) * _periodSeconds;
    }

    function lastSnapshot() public view returns (uint256) {
        return block.timestamp / _periodSeconds - _madeAt / _periodSeconds;
    }

    /// @dev Of what comes in at `time`.
    function _snapshotOf(uint256 time) private view returns (uint256) {
        return time / _periodSeconds - _madeAt / _periodSeconds + 1;
    }

    /// @notice Snapshot of payment `number` from the newest backwards; of none: 0.
    function snapshotOfPayment(uint256 number) external view returns (uint256) {
        uint256 count = _snapshots.length;
        return count == 0 ? 0 : _snapshots[count - 1 - (number % count)];
    }

    function paymentCount() external view returns (uint256) {
        return _snapshots.length;
    }

    /// @notice Snapshots with revenue in `token`, the oldest first; of the present period too.
    function snapshotsOf(address token) public view returns (uint256[] memory ids) {
        Payment[] storage payments = _payments[token];
        ids = new uint256[](payments.length);
        uint256 count = 0;
        for (uint256 i = 0; i < payments.length; ++i) {
            uint256 id = _snapshotOf(payments[i].time);
            if (count == 0 || ids[count - 1] != id) ids[count++] = id;
        }
        assembly ("memory-safe") {
            mstore(ids, count)
        }
    }

    function revenueOf(address token, uint256 id) public view returns (uint256 revenue) {
        Payment[] storage payments = _payments[token];
        for (uint256 i = 0; i < payments.length; ++i) {
            if (_snapshotOf(payments[i].time) == id) revenue += payments[i].amount;
        }
    }

    /// @notice What the holders have of snapshot `id`, all together.
    function poolOf(address token, uint256 id) public view returns (uint256) {
        return eligibleAt(endOf(id)) == 0 ? 0 : _claimablePart(revenueOf(token, id));
    }

    function _claimablePart(uint256 revenue) private view returns (uint256) {
        return (revenue * _claimBps) / BPS;
    }

    // ---- Claims ----

    function isClaimed(address account, uint256 id) public view returns (bool) {
        return id != 0 && (id <= _claimedThrough[account] || _claimed[account][id]);
    }

    /// @notice What can be claimed, rounded down, and what the share may make of it: it rounds what a token has earned up, by
    /// so little that this is one unit more only where nearly that is due.
    function claimable(
        address account,
        uint256 id,
        address token
    ) external view returns (uint256 least, uint256 most) {
        if (id == 0 || id > lastSnapshot() || isClaimed(account, id)) return (0, 0);
        uint256 fraction;
        (least, fraction) = _owed(account, id, token);
        most = least + fraction / FRACTION;
    }

    /// @dev What `account` has of snapshot `id`, and the fraction of a unit besides, rounded up as the share may round it.
    function _owed(
        address account,
        uint256 id,
        address token
    ) private view returns (uint256 whole, uint256 fraction) {
        uint256 end = endOf(id);
        uint256 revenue = revenueOf(token, id);
        if (revenue == 0) return (0, 0);
        uint256 eligible = eligibleAt(end);
        if (eligible == 0) return (0, 0);
        uint256 product = _claimablePart(revenue) * sharesAt(account, end);
        whole = product / eligible;
        // A remainder is below 2^90.
        fraction = ((product % eligible) * FRACTION + eligible - 1) / eligible;
        if (product != 0) fraction += FRACTION >> 16;
    }

    /// @notice What all that `account` has claimed comes to, and how many claims of something that is.
    function claimedOf(address account, address token) external view returns (uint256 most, uint256 claims) {
        uint256 fractions = 0;
        uint256[] memory ids = snapshotsOf(token);
        for (uint256 i = 0; i < ids.length; ++i) {
            if (!isClaimed(account, ids[i])) continue;
            (uint256 whole, uint256 fraction) = _owed(account, ids[i], token);
            if (whole == 0 && fraction == 0) continue;
            (most, fractions, claims) = (most + whole, fractions + fraction, claims + 1);
        }
        most += fractions / FRACTION;
    }

    // ---- Redemption ----

    /// @notice What burning `amount` pays.
    function redeemable(uint256 amount, address token) external view returns (uint256) {
        uint256 supply = redemptionSupply();
        if (supply == 0) return 0;
        return (redeemablePool(token) * (amount < totalSupply() ? amount : totalSupply())) / supply;
    }

    /// @notice What the periods that are over left for burning, less what burning took.
    function redeemablePool(address token) public view returns (uint256 pool) {
        uint256[] memory ids = snapshotsOf(token);
        uint256 next = 0;
        for (uint256 i = 0; i <= _burns.length; ++i) {
            uint256 time = i < _burns.length ? _burns[i].time : block.timestamp;
            while (next < ids.length && endOf(ids[next]) <= time) pool += _left(token, ids[next++]);
            if (i < _burns.length && _burns[i].outOf != 0) {
                pool -= (pool * _burns[i].amount) / _burns[i].outOf;
            }
        }
    }

    function _left(address token, uint256 id) private view returns (uint256) {
        uint256 revenue = revenueOf(token, id);
        return revenue - _claimablePart(revenue);
    }

    /// @notice Claimable parts of periods at whose end nobody took part: the beneficiary's.
    function unowned(address token) external view returns (uint256 amount) {
        uint256[] memory ids = snapshotsOf(token);
        for (uint256 i = 0; i < ids.length; ++i) {
            uint256 end = endOf(ids[i]);
            if (end <= block.timestamp && eligibleAt(end) == 0) {
                amount += _claimablePart(revenueOf(token, ids[i]));
            }
        }
    }
}
