/// What a filter compares of one argument: the bits of `mask` are those of `value`.
public struct ArgumentTest: Sendable {
    let index: UInt32
    let mask: UInt64
    let value: UInt64

    /// Equal.
    public static func equals(_ index: UInt32, _ value: UInt64) -> ArgumentTest {
        ArgumentTest(index: index, mask: .max, value: value)
    }

    /// This bit, whatever the others are.
    public static func has(_ index: UInt32, bit: UInt64) -> ArgumentTest {
        ArgumentTest(index: index, mask: bit, value: bit)
    }

    /// None of the bits.
    public static func lacks(_ index: UInt32, _ bits: UInt64) -> ArgumentTest {
        ArgumentTest(index: index, mask: bits, value: 0)
    }
}

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

/// What a call that fails its condition gets; a syscall that the table lacks ends the process.
public enum Otherwise: Sendable {
    case kill
    /// EACCES, and the process goes on.
    case refuse
    /// EACCES where one of the alternatives holds; else it ends.
    case refuseOnly([[ArgumentTest]])
}

/// One line of a syscall table.
public struct SyscallRule: Sendable {
    let names: [String]
    let condition: Condition
    let otherwise: Otherwise
    let reason: String

    /// Names, apart by spaces, and what they are needed for.
    public init(
        _ names: String, _ reason: String, when condition: Condition = .always, else otherwise: Otherwise = .kill
    ) {
        self.names = names.split(separator: " ").map(String.init)
        self.condition = condition
        self.otherwise = otherwise
        self.reason = reason
    }
}
