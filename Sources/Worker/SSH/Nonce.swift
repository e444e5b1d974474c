/// What nobody can have put into the output of a host before: it tells our own marks from the text of others.
public enum Nonce {
    /// 128 random bits, in letters and digits.
    public static func make() -> String {
        String(UInt64.random(in: .min ... .max), radix: 36) + String(UInt64.random(in: .min ... .max), radix: 36)
    }
}
