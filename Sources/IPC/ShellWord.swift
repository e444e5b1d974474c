/// Words for a POSIX shell.
public enum ShellWord {
    /// The word as it is if every shell takes it literally, else in single quotes.
    public static func quoted(_ word: String) -> String {
        let plain = word.utf8.allSatisfy {
            switch $0 {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            case UInt8(ascii: "/"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "@"),
                UInt8(ascii: ":"), UInt8(ascii: "+"), UInt8(ascii: ","), UInt8(ascii: "%"):
                true
            default: false
            }
        }
        return plain && !word.isEmpty ? word : String(decoding: quoted(Array(word.utf8)), as: UTF8.self)
    }

    /// The word in single quotes, between which every byte but the quote stands for itself.
    public static func quoted(_ word: [UInt8]) -> [UInt8] {
        var quoted = [UInt8(ascii: "'")]
        for byte in word {
            if byte == UInt8(ascii: "'") { quoted += Array(#"'\''"#.utf8) } else { quoted.append(byte) }
        }
        return quoted + [UInt8(ascii: "'")]
    }

    /// The word for `printf %b`, POSIX printf(1), in single quotes that every login shell reads alike.
    public static func encoded(_ word: String) -> String { encoded(Array(word.utf8)) }

    /// The same for a word of any bytes. sh, csh and fish differ on quotes, backslashes, `!` and newlines within single
    /// quotes, so these bytes become octal escapes.
    public static func encoded(_ word: [UInt8]) -> String {
        var encoded: [UInt8] = [UInt8(ascii: "'")]
        for byte in word {
            switch byte {
            case UInt8(ascii: "'"), UInt8(ascii: "\\"), UInt8(ascii: "!"), 0..<0x20, 0x7F...:
                let digits = String(byte, radix: 8)
                encoded.append(contentsOf: "\\0\(String(repeating: "0", count: 3 - digits.count))\(digits)".utf8)
            default: encoded.append(byte)
            }
        }
        encoded.append(UInt8(ascii: "'"))
        return String(decoding: encoded, as: UTF8.self)
    }
}
