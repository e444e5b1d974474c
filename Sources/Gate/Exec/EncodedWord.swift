internal import IPC

/// Words for the script around a command: in single quotes that every login shell reads alike.
enum EncodedWord {
    /// `p` and the word, or `e` and what `printf %b` makes the word of, POSIX printf(1). sh, csh and fish differ on quotes,
    /// backslashes, `!` and newlines within single quotes, and a byte that is not ASCII may be half of something to them.
    static func of(_ word: String) -> String {
        let isPlain = word.utf8.allSatisfy { !Self.isSpecial($0) }
        var encoded: [UInt8] = [UInt8(ascii: "'"), UInt8(ascii: isPlain ? "p" : "e")]
        for byte in word.utf8 {
            guard Self.isSpecial(byte) else {
                encoded.append(byte)
                continue
            }
            let digits = String(byte, radix: 8)
            encoded.append(contentsOf: "\\0\(String(repeating: "0", count: 3 - digits.count))\(digits)".utf8)
        }
        encoded.append(UInt8(ascii: "'"))
        return String(decoding: encoded, as: UTF8.self)
    }

    private static func isSpecial(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "'"), UInt8(ascii: "\\"), UInt8(ascii: "!"), 0..<0x20, 0x7F...: true
        default: false
        }
    }
}
