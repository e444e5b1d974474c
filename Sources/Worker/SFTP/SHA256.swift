internal import CLibMD

/// A running SHA-256, FIPS 180-4, by libmd's sha2(3).
struct SHA256: Sendable {
    private var context = SHA2_CTX()

    init() {
        SHA256Init(&context)
    }

    mutating func update(_ bytes: ArraySlice<UInt8>) {
        bytes.withUnsafeBytes { buffer in
            SHA256Update(&context, buffer.assumingMemoryBound(to: UInt8.self).baseAddress, buffer.count)
        }
    }

    /// The digest of all bytes that came, as 64 lower-case hexadecimal digits. Nothing may come afterwards.
    mutating func finish() -> String {
        var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
        SHA256Final(&digest, &context)
        return digest.reduce(into: "") { text, byte in
            text += (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
    }
}
