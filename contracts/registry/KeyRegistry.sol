// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IKeyRegistry} from "../interfaces/IKeyRegistry.sol";

/// @title Encryption keys of accounts; see {IKeyRegistry}.
contract KeyRegistry is IKeyRegistry, EIP712 {
    using SafeCast for uint256;

    // ---- Types ----

    struct StoredKey {
        bytes32 x;
        bool odd;
        uint40 publishedAt;
        uint40 revokedAt;
    }

    // ---- Constants ----

    bytes32 private constant POSSESSION_TYPEHASH = keccak256("EncryptionKey(address account,uint32 epoch)");

    // ---- Storage ----

    /// @dev Two words per key: x; parity and times.
    mapping(address account => mapping(uint32 epoch => StoredKey)) private _keys;
    /// @inheritdoc IKeyRegistry
    mapping(address account => uint32) public override latestEpoch;

    constructor() EIP712("Neura KeyRegistry", "1") {}

    // ---- Publish, revoke ----

    /// @inheritdoc IKeyRegistry
    function publish(bytes32 x, bytes32 y, bytes calldata proof) external override returns (uint32 epoch) {
        // Check
        epoch = latestEpoch[msg.sender] + 1;
        address expected = address(uint160(uint256(keccak256(abi.encode(x, y)))));
        (address recovered, , ) = ECDSA.tryRecover(possessionDigest(msg.sender, epoch), proof);
        if (recovered != expected) revert KeyRegistry_NoPossession(msg.sender, epoch, recovered, expected);
        // Effect
        StoredKey memory key = StoredKey({
            x: x,
            odd: uint256(y) % 2 == 1,
            publishedAt: block.timestamp.toUint40(),
            revokedAt: 0
        });
        _keys[msg.sender][epoch] = key;
        latestEpoch[msg.sender] = epoch;
        emit KeyPublished(msg.sender, epoch, _compressed(key));
    }

    /// @inheritdoc IKeyRegistry
    function revoke(uint32 epoch) external override {
        StoredKey storage key = _stored(msg.sender, epoch);
        if (key.revokedAt != 0) revert KeyRegistry_AlreadyRevoked(msg.sender, epoch, key.revokedAt);
        key.revokedAt = block.timestamp.toUint40();
        emit KeyRevoked(msg.sender, epoch);
    }

    // ---- Views ----

    /// @inheritdoc IKeyRegistry
    function keyAt(address account, uint32 epoch) external view override returns (Key memory) {
        return _key(_stored(account, epoch));
    }

    /// @inheritdoc IKeyRegistry
    function currentKey(address account) external view override returns (Key memory key, uint32 epoch) {
        uint32 latest = latestEpoch[account];
        StoredKey storage stored = _keys[account][latest];
        if (latest != 0 && stored.revokedAt == 0) return (_key(stored), latest);
    }

    /// @inheritdoc IKeyRegistry
    function possessionDigest(address account, uint32 epoch) public view override returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(POSSESSION_TYPEHASH, account, epoch)));
    }

    function _stored(address account, uint32 epoch) private view returns (StoredKey storage key) {
        key = _keys[account][epoch];
        if (key.publishedAt == 0) revert KeyRegistry_UnknownEpoch(account, epoch);
    }

    function _key(StoredKey memory stored) private pure returns (Key memory) {
        return
            Key({
                publicKey: _compressed(stored),
                publishedAt: stored.publishedAt,
                revokedAt: stored.revokedAt
            });
    }

    /// @dev SEC 1, section 2.3.3.
    function _compressed(StoredKey memory stored) private pure returns (bytes memory) {
        return abi.encodePacked(stored.odd ? bytes1(0x03) : bytes1(0x02), stored.x);
    }
}
