// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IKeyRegistry} from "../../../contracts/interfaces/IKeyRegistry.sol";
import {KeyRegistry} from "../../../contracts/registry/KeyRegistry.sol";
import {Secp256k1} from "../utils/Secp256k1.sol";
import {Test} from "../utils/Test.sol";

contract KeyRegistryTest is Test {
    struct EncryptionKey {
        uint256 secret;
        uint256 x;
        uint256 y;
    }

    uint256 private constant CHAIN = 267;
    uint256 private constant START = 1_800_000_000;

    KeyRegistry private registry;

    function setUp() external {
        vm.chainId(CHAIN);
        vm.warp(START);
        registry = made();
    }

    function made() private returns (KeyRegistry) {
        return KeyRegistry(create("contracts/registry/KeyRegistry.sol:KeyRegistry", ""));
    }

    // ---- Publish ----

    function test_publishesAndReturnsTheKeyCompressed() external {
        testFuzz_publishesAndReturnsTheKeyCompressed(address(0xA11CE), 1, uint40(START));
    }

    function testFuzz_publishesAndReturnsTheKeyCompressed(
        address account,
        uint256 secret,
        uint40 time
    ) public {
        vm.assume(time != 0);
        vm.warp(time);
        EncryptionKey memory key = keyOf(secret);
        bytes memory compressed = abi.encodePacked(key.y % 2 == 0 ? bytes1(0x02) : bytes1(0x03), key.x);
        bytes memory proof = proofOf(key, registry.possessionDigest(account, 1));
        vm.expectEmit(address(registry));
        emit IKeyRegistry.KeyPublished(account, 1, compressed);
        assertEq(publish(account, key, proof), 1, "epoch");
        assertEq(registry.latestEpoch(account), 1, "latest epoch");
        assertKey(registry.keyAt(account, 1), compressed, time, 0);
        (IKeyRegistry.Key memory current, uint32 epoch) = registry.currentKey(account);
        assertEq(epoch, 1, "current epoch");
        assertKey(current, compressed, time, 0);
    }

    /// @dev Every epoch keeps its key, in whatever order and how often they are revoked.
    function testFuzz_olderEpochsStayReadable(
        address account,
        uint256[4] calldata secrets,
        uint8 revoked
    ) external {
        for (uint32 i = 0; i < 4; ++i) {
            EncryptionKey memory key = keyOf(secrets[i]);
            publish(account, key, proofOf(key, registry.possessionDigest(account, i + 1)));
        }
        for (uint32 i = 0; i < 4; ++i) {
            bool gone = (revoked >> i) % 2 == 1;
            if (gone) {
                vm.prank(account);
                registry.revoke(i + 1);
            }
        }
        for (uint32 i = 0; i < 4; ++i) {
            IKeyRegistry.Key memory key = registry.keyAt(account, i + 1);
            assertEq(uint256(bytes32(slice(key.publicKey))), keyOf(secrets[i]).x, "x");
            assertTrue((key.revokedAt != 0) == ((revoked >> i) % 2 == 1), "revoked");
        }
        (, uint32 current) = registry.currentKey(account);
        assertEq(current, (revoked >> 3) % 2 == 1 ? 0 : 4, "the newest, unless it is revoked");
        assertEq(registry.latestEpoch(account), 4, "latest epoch");
    }

    // ---- Proof of possession ----

    function testFuzz_RevertWhen_ProofIsByAnotherKey(
        address account,
        uint256 secret,
        uint256 other
    ) external {
        EncryptionKey memory key = keyOf(secret);
        EncryptionKey memory thief = keyOf(other);
        vm.assume(key.secret != thief.secret);
        expectNoPossession(account, 1, vm.addr(thief.secret), vm.addr(key.secret));
        publish(account, key, proofOf(thief, digestOf(account, 1)));
    }

    function testFuzz_A27_RevertWhen_ProofIsForAnotherAccountOrEpoch(
        address account,
        address other,
        uint32 epoch,
        uint256 secret
    ) external {
        vm.assume(account != other || epoch != 1);
        EncryptionKey memory key = keyOf(secret);
        assertRefused(account, key, proofOf(key, registry.possessionDigest(other, epoch)));
    }

    function testFuzz_A27_RevertWhen_ProofIsUsedAgain(address account, uint256 secret) external {
        EncryptionKey memory key = keyOf(secret);
        bytes memory proof = proofOf(key, digestOf(account, 1));
        publish(account, key, proof);
        assertRefused(account, key, proof);
        assertEq(registry.latestEpoch(account), 1, "latest epoch");
    }

    function testFuzz_A27_RevertWhen_ProofIsForAnotherRegistryOrChain(
        address account,
        uint256 secret,
        uint64 chain
    ) external {
        vm.assume(chain != 0 && chain != CHAIN);
        EncryptionKey memory key = keyOf(secret);
        KeyRegistry other = made();
        assertRefused(account, key, proofOf(key, other.possessionDigest(account, 1)));
        bytes memory proof = proofOf(key, registry.possessionDigest(account, 1));
        // The chain splits: the proof holds on the old side, not on the new one.
        vm.chainId(chain);
        assertRefused(account, key, proof);
        vm.chainId(CHAIN);
        publish(account, key, proof);
    }

    function testFuzz_A28_RevertWhen_ProofIsTheOtherTwin(address account, uint256 secret) external {
        EncryptionKey memory key = keyOf(secret);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key.secret, digestOf(account, 1));
        bytes32 highS = bytes32(Secp256k1.ORDER - uint256(s));
        assertRefused(account, key, abi.encodePacked(r, highS, v == 27 ? uint8(28) : uint8(27)));
        // EIP-2098: 64 bytes, v in the highest bit of s.
        assertRefused(account, key, abi.encodePacked(r, bytes32(uint256(s) | (uint256(v - 27) << 255))));
        assertEq(publish(account, key, abi.encodePacked(r, s, v)), 1, "the one form that counts");
    }

    /// @dev What nobody signed proves nothing, whatever is claimed to be the point.
    function testFuzz_RevertWhen_ProofIsRandom(
        address account,
        bytes32 x,
        bytes32 y,
        bytes calldata proof
    ) external {
        vm.prank(account);
        (bool success, ) = address(registry).call(abi.encodeCall(registry.publish, (x, y, proof)));
        assertTrue(!success, "published without a proof");
        assertEq(registry.latestEpoch(account), 0, "latest epoch");
    }

    /// @dev A point beside the curve, or with the other root, is not what a signature recovers to.
    function testFuzz_RevertWhen_PointIsChanged(
        address account,
        uint256 secret,
        uint8 bit,
        bool inY
    ) external {
        EncryptionKey memory key = keyOf(secret);
        bytes memory proof = proofOf(key, digestOf(account, 1));
        if (inY) key.y ^= 1 << bit;
        else key.x ^= 1 << bit;
        assertRefused(account, key, proof);
    }

    // ---- Revoke ----

    function testFuzz_revokeIsForGood(address account, uint256 secret, uint40 later) external {
        EncryptionKey memory key = keyOf(secret);
        publish(account, key, proofOf(key, digestOf(account, 1)));
        uint40 time = uint40(bound(later, START, type(uint40).max - 1));
        vm.warp(time);
        vm.expectEmit(address(registry));
        emit IKeyRegistry.KeyRevoked(account, 1);
        vm.prank(account);
        registry.revoke(1);
        assertEq(registry.keyAt(account, 1).revokedAt, time, "revokedAt");
        vm.warp(time + 1);
        vm.expectRevert(
            abi.encodeWithSelector(IKeyRegistry.KeyRegistry_AlreadyRevoked.selector, account, 1, time)
        );
        vm.prank(account);
        registry.revoke(1);
        (IKeyRegistry.Key memory none, uint32 epoch) = registry.currentKey(account);
        assertEq(epoch, 0, "no current key");
        assertKey(none, "", 0, 0);
    }

    function testFuzz_RevertWhen_EpochIsUnknown(
        address account,
        address stranger,
        uint32 epoch,
        uint256 secret
    ) external {
        vm.assume(account != stranger);
        EncryptionKey memory key = keyOf(secret);
        publish(account, key, proofOf(key, digestOf(account, 1)));
        if (epoch != 1) {
            vm.expectRevert(
                abi.encodeWithSelector(IKeyRegistry.KeyRegistry_UnknownEpoch.selector, account, epoch)
            );
            registry.keyAt(account, epoch);
        }
        // Another account's revocation is about its own key, of which there is none.
        vm.expectRevert(
            abi.encodeWithSelector(IKeyRegistry.KeyRegistry_UnknownEpoch.selector, stranger, epoch)
        );
        vm.prank(stranger);
        registry.revoke(epoch);
        assertEq(registry.keyAt(account, 1).revokedAt, 0, "not revoked");
    }

    // ---- Helpers ----

    function keyOf(uint256 secret) private view returns (EncryptionKey memory key) {
        key.secret = bound(secret, 1, Secp256k1.ORDER - 1);
        (key.x, key.y) = Secp256k1.publicKey(key.secret);
    }

    function digestOf(address account, uint32 epoch) private view returns (bytes32) {
        return
            keccak256(
                abi.encodePacked(
                    hex"1901",
                    keccak256(
                        abi.encode(
                            keccak256(
                                "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
                            ),
                            keccak256("Neura KeyRegistry"),
                            keccak256("1"),
                            CHAIN,
                            address(registry)
                        )
                    ),
                    keccak256(
                        abi.encode(keccak256("EncryptionKey(address account,uint32 epoch)"), account, epoch)
                    )
                )
            );
    }

    function proofOf(EncryptionKey memory key, bytes32 digest) private pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key.secret, digest);
        return abi.encodePacked(r, s, v);
    }

    function publish(address account, EncryptionKey memory key, bytes memory proof) private returns (uint32) {
        vm.prank(account);
        return registry.publish(bytes32(key.x), bytes32(key.y), proof);
    }

    function assertRefused(address account, EncryptionKey memory key, bytes memory proof) private {
        uint32 epoch = registry.latestEpoch(account);
        vm.prank(account);
        (bool success, bytes memory reason) = address(registry).call(
            abi.encodeCall(registry.publish, (bytes32(key.x), bytes32(key.y), proof))
        );
        assertTrue(!success, "accepted");
        assertTrue(bytes4(reason) == IKeyRegistry.KeyRegistry_NoPossession.selector, "reason");
        assertEq(registry.latestEpoch(account), epoch, "latest epoch");
    }

    function expectNoPossession(address account, uint32 epoch, address recovered, address expected) private {
        vm.expectRevert(
            abi.encodeWithSelector(
                IKeyRegistry.KeyRegistry_NoPossession.selector,
                account,
                epoch,
                recovered,
                expected
            )
        );
    }

    function assertKey(
        IKeyRegistry.Key memory key,
        bytes memory publicKey,
        uint40 publishedAt,
        uint40 revokedAt
    ) private pure {
        assertEq(key.publicKey, publicKey, "public key");
        assertEq(key.publishedAt, publishedAt, "publishedAt");
        assertEq(key.revokedAt, revokedAt, "revokedAt");
    }

    /// @dev A compressed key without its first byte.
    function slice(bytes memory key) private pure returns (bytes memory x) {
        assertEq(key.length, 33, "length");
        x = new bytes(32);
        for (uint256 i = 0; i < 32; ++i) x[i] = key[i + 1];
    }
}
