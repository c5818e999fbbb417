// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Models that tasks can use
/// @notice Anybody registers a model and controls its entry. A task that names a model pays the share of its price
/// that the entry asks for, in the settlement, to the model's revenue address.
/// @dev The share stands in the task's terms and has to equal the entry's at submission: what is shown is what is
/// paid, and a later change touches no task. Where revenue goes can be changed only with a delay, so that holders
/// see it coming; the market asks at the settlement.
/// @dev Warning: the registry proves nothing about weights. The same ones can be registered by anybody, at another
/// share and with another licence; who uses a model looks at who controls its entry.
/// @dev Warning: what a market credits to the revenue address is in that account's balance there. An account that
/// cannot withdraw from the market, as the market itself, loses it.
interface IModelRegistry {
    enum ModelStatus {
        None,
        Active,
        /// Takes part in no new task.
        Retired
    }

    struct Model {
        address controller;
        ModelStatus status;
        /// Share of what a task pays [bps].
        uint16 royaltyBps;
        /// When the newest version was added [s].
        uint40 updatedAt;
        uint32 versions;
        /// Where the share goes: an account's balance in the market.
        address revenue;
        /// Where it goes from `revenueAt` [s] on; zero: no change is under way.
        address nextRevenue;
        uint40 revenueAt;
        /// The token that owns the model; zero: none.
        address ownership;
        /// SPDX id or URI of the licence, at most 128 bytes; empty: it is not said.
        string licence;
    }

    struct Version {
        /// SHA-256 of the weights, or of their envelope where they are encrypted.
        bytes32 weightsHash;
        uint40 addedAt;
        /// Where the weights are, a URI of at most 256 bytes; empty: they are handed over in another way.
        string weights;
    }

    /// @notice A model begins, active; its licence and its first version follow in events of their own.
    event ModelRegistered(
        uint256 indexed model,
        address indexed controller,
        address revenue,
        uint16 royaltyBps
    );
    event VersionAdded(uint256 indexed model, uint256 version, bytes32 weightsHash, string weights);
    event RoyaltyChanged(uint256 indexed model, uint16 royaltyBps);
    /// @notice The share goes to `revenue` from `effectiveAt` [s] on, unless another change replaces this one before.
    event RevenueScheduled(uint256 indexed model, address revenue, uint40 effectiveAt);
    /// @notice `controller` may take the entry; the zero address: nobody may any more.
    event ControllerOffered(uint256 indexed model, address indexed controller);
    event ControllerChanged(uint256 indexed model, address indexed controller);
    event OwnershipSet(uint256 indexed model, address indexed token);
    event LicenceChanged(uint256 indexed model, string licence);
    event ModelStatusChanged(uint256 indexed model, ModelStatus status);

    error ModelRegistry_Unknown(uint256 model);
    error ModelRegistry_UnknownVersion(uint256 model, uint256 version);
    /// @notice `caller` neither controls the entry nor, where it is to be taken, was it offered to it.
    error ModelRegistry_NotController(uint256 model, address caller);
    /// @notice The model takes part in no new task.
    error ModelRegistry_Retired(uint256 model);
    error ModelRegistry_ZeroAddress(string what);
    error ModelRegistry_ZeroHash();
    error ModelRegistry_RoyaltyTooHigh(uint256 royaltyBps, uint256 maximum);
    /// @notice The text has more than so many bytes.
    error ModelRegistry_TextLength(uint256 length, uint256 maximum);
    /// @notice The status cannot be chosen (`None`).
    error ModelRegistry_InvalidStatus();
    /// @notice The ownership token is set once.
    error ModelRegistry_OwnershipSet(uint256 model, address token);

    // ---- Anyone ----

    /// @notice Registers a model of the caller's with its first version.
    /// @return model Its number, from 1; fits 48 bits.
    function register(
        bytes32 weightsHash,
        string calldata weights,
        string calldata licence,
        uint16 royaltyBps,
        address revenue
    ) external returns (uint256 model);

    // ---- Controller ----

    /// @return version Its number, from 0. Earlier versions stay readable.
    function addVersion(
        uint256 model,
        bytes32 weightsHash,
        string calldata weights
    ) external returns (uint256 version);

    /// @notice For tasks that are submitted from now on, at most {MAX_ROYALTY_BPS}.
    /// @dev Warning: a task that offers another share is refused. A submission on its way fails, and pays nothing.
    function setRoyalty(uint256 model, uint16 royaltyBps) external;

    /// @notice From {REVENUE_DELAY} on; replaces a change that is under way. To call one off, schedule the present
    /// address.
    /// @dev Warning: settlements from that second on go to the new address, those of tasks submitted before included.
    function scheduleRevenue(uint256 model, address revenue) external;

    /// @notice Names the token that owns the model, once.
    /// @dev Warning: it is the controller's word; who holds the token looks for the model in the token too.
    function setOwnership(uint256 model, address token) external;

    function setLicence(uint256 model, string calldata licence) external;

    /// @notice Retires the model, or lets it take part again. Live tasks go on either way.
    function setStatus(uint256 model, ModelStatus status) external;

    /// @notice Offers the entry to `controller`, which has to take it by {acceptController}; replaces an offer made
    /// before, the zero address withdraws it.
    function offerController(uint256 model, address controller) external;

    // ---- Whom the entry was offered to ----

    /// @notice Takes the entry over. A change of where revenue goes that is under way stays under way.
    function acceptController(uint256 model) external;

    // ---- Views ----

    /// @notice How long a change of where revenue goes is announced before [s].
    function REVENUE_DELAY() external view returns (uint256);

    /// @notice The highest share [bps].
    function MAX_ROYALTY_BPS() external view returns (uint256);

    /// @notice How many models were registered: the number of the newest.
    function modelCount() external view returns (uint256);

    /// @notice Everything about `model` as of now: a change of where revenue goes whose time has come is no longer
    /// under way. Reverts with {ModelRegistry_Unknown}.
    function modelOf(uint256 model) external view returns (Model memory);

    /// @notice Reverts with {ModelRegistry_UnknownVersion}.
    /// @param version From 0; the newest is `versions - 1`.
    function versionOf(uint256 model, uint256 version) external view returns (Version memory);

    /// @notice What a new task with this model has to offer [bps]; reverts with {ModelRegistry_Unknown} or
    /// {ModelRegistry_Retired} unless it is active.
    function royaltyOf(uint256 model) external view returns (uint256 royaltyBps);

    /// @notice Where its share goes now: never the zero address for a registered model, the zero address for any
    /// other number. Never reverts.
    function revenueOf(uint256 model) external view returns (address);

    /// @notice To whom the entry is offered; the zero address: to nobody.
    function offeredControllerOf(uint256 model) external view returns (address);

    /// @notice The `limit` models from number `cursor` on, 0 counting as 1.
    /// @return page Those in the range, as in {modelOf}.
    /// @return next The cursor to go on with, 0 at the end.
    function models(uint256 cursor, uint256 limit) external view returns (Model[] memory page, uint256 next);
}
