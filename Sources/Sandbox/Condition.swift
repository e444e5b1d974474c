/// When a system call of the table is allowed.
public enum Condition: Sendable {
    /// It is allowed with any arguments.
    case always
    /// It is allowed if all tests of one of the alternatives hold. The tests of an alternative are of different arguments.
    case oneOf([[ArgumentTest]])
    /// It always fails with this errno.
    case refused(errno: Int32)

    /// Who has the filter's listener answers it, and it is not carried out, seccomp_unotify(2).
    case notified

    /// It is allowed if the argument `index` equals one of the values.
    public static func equals(_ index: UInt32, _ values: [UInt64]) -> Condition {
        .oneOf(values.map { [.equals(index, $0)] })
    }

    /// It is allowed if the argument `index` has none of the bits.
    public static func lacks(_ index: UInt32, _ bits: UInt64) -> Condition { .oneOf([[.lacks(index, bits)]]) }
}
