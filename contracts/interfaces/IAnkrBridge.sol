// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title One end of the ANKR bridge
/// @notice ANKR that comes in here is paid out at the other end, and the other way around. What is paid out here was taken in
/// there: every end counts, and none pays more than that.
/// @dev Rules:
/// - Each end has one counterpart and one gateway for good. Another chain is another pair: what breaks there takes nothing
///   from here.
/// - A transfer is known by its sender's end and its number there, and is received once, whatever the gateway does.
/// - What is sent and what is paid out is limited, each by a bucket that fills with time and with what goes the other way.
///   Sending beyond it is refused before anything is taken; what arrives beyond it waits, and is paid in parts as it fills.
/// - What is above the threshold waits for {Settings-waitSeconds} first. The guardian can veto it meanwhile; nobody can
///   shorten it. The owner, meant to be a timelock, can let a vetoed transfer wait anew: it is paid to whom it was for.
/// - Who cannot be paid is credited, and claims; claims are never stopped. The guardian can stop the rest for
///   {MAX_PAUSE} at most, and not again before the same time has passed.
/// - The owner sets limits, threshold, minimum and fee within the ceilings here, and names the guardian. No role can move,
///   take or direct funds.
/// @dev Warning: ANKR that reaches this contract by another way than {send} is nobody's; to a vault of native ANKR it is what
/// pays out, whoever gave it.
interface IAnkrBridge {
    /// @notice What happens to a transfer at its end.
    enum Target {
        /// It is paid to the recipient.
        Account,
        /// It becomes the recipient's balance in the market of that chain.
        Market
    }

    /// @notice What the owner may set.
    struct Settings {
        /// The least that can be sent [wei].
        uint96 minimum;
        /// What a transfer costs its sender, out of its amount [wei].
        uint96 fee;
        /// Who gets the fees.
        address feeReceiver;
        /// What arrives and is above waits [wei].
        uint96 threshold;
        /// For how long [s].
        uint32 waitSeconds;
        /// What may be sent at once, and in how long it may again [wei, s].
        uint96 sendCapacity;
        uint24 sendPeriod;
        /// What may be paid out at once, likewise.
        uint96 payCapacity;
        uint24 payPeriod;
    }

    /// @notice A transfer that has arrived and is not paid yet.
    struct Waiting {
        address to;
        Target target;
        bool vetoed;
        /// Not before [s].
        uint40 from;
        /// What is left to be paid [wei].
        uint96 amount;
    }

    /// @notice What an end holds and owes [wei].
    struct Books {
        /// Escrow: taken in and not announced back yet. Far end: paid out or owed here and not sent back yet.
        uint256 outstanding;
        /// Of transfers that wait, vetoed ones included.
        uint256 waiting;
        uint256 claimable;
        uint256 fees;
        /// What is here to pay with; of an end that mints: without limit.
        uint256 liquidity;
    }

    /// @notice `amount` [wei] left for `to`, after a fee of `fee` [wei] was taken of what came in.
    event Sent(
        bytes32 indexed transfer,
        address indexed from,
        address indexed to,
        uint256 number,
        uint256 amount,
        uint256 fee,
        Target target,
        bytes32 sendId
    );
    /// @notice A transfer arrived; what follows says whether it was paid, credited, or waits.
    event Received(
        bytes32 indexed transfer,
        address indexed from,
        address indexed to,
        uint256 amount,
        Target target
    );
    event Paid(bytes32 indexed transfer, address indexed to, uint256 amount, Target target);
    event Credited(bytes32 indexed transfer, address indexed to, uint256 amount);
    /// @notice Because it is above the threshold (`from` is later), or because the limit was reached.
    event WaitBegan(bytes32 indexed transfer, address indexed to, uint256 amount, uint256 from);
    event Vetoed(bytes32 indexed transfer, uint256 amount);
    event Restored(bytes32 indexed transfer, uint256 amount, uint256 from);
    event Claimed(address indexed account, address indexed to, uint256 amount);
    event FeesCollected(address indexed receiver, uint256 amount);
    event SettingsSet(Settings settings);
    event GuardianSet(address indexed guardian);
    event PausedUntil(uint256 until);

    error AnkrBridge_InvalidSetting(string what);
    error AnkrBridge_InvalidRecipient(address to);
    error AnkrBridge_BelowMinimum(uint256 amount, uint256 minimum);
    error AnkrBridge_SendLimit(uint256 amount, uint256 available);
    /// @notice More would come back than ever went there.
    error AnkrBridge_NotOutstanding(uint256 amount, uint256 outstanding);
    error AnkrBridge_AlreadyReceived(bytes32 transfer);
    error AnkrBridge_Paused(uint256 until);
    /// @notice It was paused not long ago.
    error AnkrBridge_PauseSpent(uint256 again);
    error AnkrBridge_NotGuardian(address caller);
    error AnkrBridge_NotWaiting(bytes32 transfer);
    error AnkrBridge_Early(bytes32 transfer, uint256 from);
    error AnkrBridge_IsVetoed(bytes32 transfer);
    error AnkrBridge_NotVetoed(bytes32 transfer);
    /// @notice The limit lets nothing pass right now.
    error AnkrBridge_PayLimit(bytes32 transfer);
    error AnkrBridge_NothingClaimable(address account);
    /// @notice Coins have to be sent along: {send}.
    error AnkrBridge_UseSend();

    /// @notice Takes `amount` [wei] of the caller's, out of the value that comes along where it is the coin, and announces it
    /// less the fee at the other end. What else comes along is the gateway's, and has to be exactly {gatewayFee}.
    /// @return transfer What it is known by at both ends.
    /// @dev Reverts with `AnkrBridge_Paused`, `AnkrBridge_InvalidRecipient`, `AnkrBridge_BelowMinimum`,
    /// `AnkrBridge_SendLimit`, `AnkrBridge_NotOutstanding`, `Currency_WrongValue`, `Currency_InexactTransfer`,
    /// `BridgeGateway_WrongFee`.
    function send(address to, uint256 amount, Target target) external payable returns (bytes32 transfer);

    /// @notice Pays what waited long enough, or as much as the limit lets pass. Anybody.
    /// @dev Reverts with `AnkrBridge_NotWaiting`, `AnkrBridge_IsVetoed`, `AnkrBridge_Early`, `AnkrBridge_PayLimit`,
    /// `AnkrBridge_Paused`.
    function release(bytes32 transfer) external returns (uint256 paid);

    /// @notice Pays what could not be paid to the caller out to `to`. Never paused.
    function claim(address to) external returns (uint256 amount);

    /// @notice Pays the fees to whom they are for. Anybody.
    function collectFees() external returns (uint256 amount);

    /// @notice Keeps a waiting transfer from being paid. The guardian.
    function veto(bytes32 transfer) external;

    /// @notice Lets a vetoed transfer wait anew. The owner.
    function restore(bytes32 transfer) external;

    /// @notice Stops sending, receiving and {release} for {MAX_PAUSE}. The guardian.
    function pause() external;

    /// @notice Ends a pause. The owner or the guardian.
    function unpause() external;
    function setSettings(Settings calldata settings) external;
    function setGuardian(address guardian) external;

    // solhint-disable-next-line func-name-mixedcase
    function MAX_PAUSE() external view returns (uint256);
    // solhint-disable-next-line func-name-mixedcase
    function MAX_FEE() external view returns (uint256);
    // solhint-disable-next-line func-name-mixedcase
    function MAX_MINIMUM() external view returns (uint256);
    // solhint-disable-next-line func-name-mixedcase
    function MAX_WAIT() external view returns (uint256);

    /// @notice What the limit lets be paid out at once, at least [wei]; its period is {MAX_WAIT} at most.
    // solhint-disable-next-line func-name-mixedcase
    function MIN_PAY_CAPACITY() external view returns (uint256);

    function settings() external view returns (Settings memory);
    function books() external view returns (Books memory);

    /// @notice What may be sent, and paid out, right now [wei].
    function available() external view returns (uint256 toSend, uint256 toPay);
    function waitingOf(bytes32 transfer) external view returns (Waiting memory);
    function claimableOf(address account) external view returns (uint256);
    function isReceived(bytes32 transfer) external view returns (bool);

    /// @notice How many transfers were sent from here.
    function sent() external view returns (uint256);
    function pausedUntil() external view returns (uint256);
    function guardian() external view returns (address);

    /// @notice The chain of the other end, and the contract there.
    function counterpart() external view returns (uint256 chain, address bridge);
    function gateway() external view returns (address);

    /// @notice What the gateway takes for carrying a transfer now, in this chain's coin [wei].
    function gatewayFee() external view returns (uint256);

    /// @notice The token, or zero for the chain's coin.
    function currency() external view returns (address);

    /// @notice The market into which transfers may be paid; zero: none.
    function market() external view returns (address);
}
