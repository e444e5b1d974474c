/// When a syscall in the table is allowed.
public enum Condition: Sendable {
    /// With any arguments.
    case always
    /// Where all tests of one of the alternatives hold. Each test of an alternative is of another argument.
    case oneOf([[ArgumentTest]])
    /// Never: answer this errno instead of ending the process.
    case refused(errno: Int32)

    /// Where argument `index` equals one of the values.
    public static func equals(_ index: UInt32, _ values: [UInt64]) -> Condition {
        .oneOf(values.map { [.equals(index, $0)] })
    }

    /// Where argument `index` has none of the bits.
    public static func lacks(_ index: UInt32, _ bits: UInt64) -> Condition { .oneOf([[.lacks(index, bits)]]) }
}
