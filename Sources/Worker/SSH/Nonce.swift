/// Makes words that no host can guess, so that our own marks in its output can be told from its text.
public enum Nonce {
    /// 128 random bits, in letters and digits.
    public static func make() -> String {
        String(UInt64.random(in: .min ... .max), radix: 36) + String(UInt64.random(in: .min ... .max), radix: 36)
    }
}
