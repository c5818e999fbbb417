// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Encryption keys of accounts
/// @notice Any account publishes secp256k1 encryption keys. Each key opens a new epoch, counted from 1; older
/// epochs stay readable for ever, so that a task in flight is never stranded. A revoked key must not be used for
/// new tasks; clients and nodes refuse it, contracts do not look (it would cost every task two storage reads).
/// @dev Assumptions:
/// - The encryption key is not the account's own key. The registry cannot know this and does not check it.
/// - Proof of possession: an EIP-712 signature by the encryption key over `EncryptionKey(address account,uint32
///   epoch)` in this registry's domain, so nobody can publish another's key as its own, nor replay a proof.
/// - Points are passed uncompressed since the address that `ecrecover` returns is the hash of both coordinates;
///   that equality also proves that the point is on the curve. They are stored and returned compressed (SEC 1,
///   section 2.3.3).
interface IKeyRegistry {
    struct Key {
        /// 33 bytes: 0x02 or 0x03, then the x coordinate.
        bytes publicKey;
        /// Time of publication [s].
        uint40 publishedAt;
        /// Time of revocation [s], 0 while valid.
        uint40 revokedAt;
    }

    event KeyPublished(address indexed account, uint32 indexed epoch, bytes publicKey);
    event KeyRevoked(address indexed account, uint32 indexed epoch);

    /// @notice The signature is not one of the published key over (account, next epoch).
    error KeyRegistry_NoPossession(address account, uint32 epoch, address recovered, address expected);
    /// @notice The account has published no key of this epoch.
    error KeyRegistry_UnknownEpoch(address account, uint32 epoch);
    /// @notice The key of this epoch is revoked already.
    error KeyRegistry_AlreadyRevoked(address account, uint32 epoch, uint40 revokedAt);

    /// @notice Publishes the key `(x, y)` of the caller as its next epoch.
    /// @param proof 65-byte EIP-712 signature by the key, low s (EIP-2).
    /// @return epoch The number of the key, from 1.
    function publish(bytes32 x, bytes32 y, bytes calldata proof) external returns (uint32 epoch);

    /// @notice Revokes the caller's key of `epoch`, for good. Tasks in flight stay readable with it.
    function revoke(uint32 epoch) external;

    /// @notice The epoch of the newest key of `account`, 0 when it has none.
    function latestEpoch(address account) external view returns (uint32);

    /// @notice The key of `account` of `epoch`; reverts with {KeyRegistry_UnknownEpoch}.
    function keyAt(address account, uint32 epoch) external view returns (Key memory);

    /// @notice The newest key of `account` and its epoch; `epoch` is 0 when there is none, or when it is revoked: no
    /// older one takes its place, a new one has to be published.
    function currentKey(address account) external view returns (Key memory key, uint32 epoch);

    /// @notice What the encryption key signs (EIP-712 digest) to publish as `epoch` of `account`.
    function possessionDigest(address account, uint32 epoch) external view returns (bytes32);
}
