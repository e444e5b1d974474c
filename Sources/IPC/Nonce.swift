/// What nobody can have put into the output of a host before: it tells our own marks from the text of others.
public enum Nonce {
    /// Bytes of one at most.
    public static let maximumSize = 32

    /// 128 random bits, in letters and digits.
    public static func make() -> String {
        String(UInt64.random(in: .min ... .max), radix: 36) + String(UInt64.random(in: .min ... .max), radix: 36)
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
