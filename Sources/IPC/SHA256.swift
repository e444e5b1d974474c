internal import CLibMD

/// A running SHA-256, FIPS 180-4, by libmd's sha2(3).
public struct SHA256: Sendable {
    private var context = SHA2_CTX()

    /// The hash of no bytes yet.
    public init() {
        SHA256Init(&context)
    }

    /// Adds these bytes.
    public mutating func update(_ bytes: ArraySlice<UInt8>) {
        bytes.withUnsafeBytes { buffer in
            SHA256Update(&context, buffer.assumingMemoryBound(to: UInt8.self).baseAddress, buffer.count)
        }
    }

    /// The digest of all bytes, in 64 lower-case hexadecimal digits. No bytes may be added afterwards.
    public mutating func finish() -> String {
        var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
        SHA256Final(&digest, &context)
        return Hexadecimal.text(digest)
    }

    /// The digest of these bytes, as `finish` gives it.
    public static func of(_ bytes: ArraySlice<UInt8>) -> String {
        var hash = SHA256()
        hash.update(bytes)
        return hash.finish()
    }

    /// Whether these bytes are a digest as `finish` gives it.
    public static func isDigest(_ bytes: ArraySlice<UInt8>) -> Bool {
        bytes.count == 64
            && bytes.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"): true
                default: false
                }
            }
    }
}
