/// What nobody can have put into the output of a host before: it tells our own marks from the text of others.
public enum Nonce {
    /// Bytes of one at most.
    public static let maximumSize = 32

    /// Bytes of a mark, and of what is new in each nonce with one.
    public static let markSize = 13

    /// 128 random bits, in letters and digits.
    public static func make() -> String { makeMark() + makeMark() }

    /// What the nonces of all lines of one gate begin with: 64 random bits, which no process on a host has in its arguments before.
    public static func makeMark() -> String {
        // 64 bits have 13 digits at most.
        let digits = String(UInt64.random(in: .min ... .max), radix: 36)
        return String(repeating: "0", count: markSize - digits.utf8.count) + digits
    }

    /// A nonce with this mark, and with 64 random bits of its own.
    public static func make(marked mark: String) -> String { mark + makeMark() }

    /// Whether a text can be a nonce with this mark.
    public static func isOne(_ text: String, marked mark: String) -> Bool {
        isOne(text) && text.utf8.count == mark.utf8.count + markSize && text.utf8.starts(with: mark.utf8)
    }

    /// Whether a text can be one: it goes into lines that a host's shell reads.
    public static func isOne(_ text: String) -> Bool {
        (8...maximumSize).contains(text.utf8.count)
            && text.utf8.allSatisfy {
                switch $0 {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
                default: false
                }
            }
    }
}
