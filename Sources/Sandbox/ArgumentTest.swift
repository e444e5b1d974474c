/// A test of one argument of a system call: the bits of `mask` must be those of `value`.
public struct ArgumentTest: Sendable {
    let index: UInt32
    let mask: UInt64
    let value: UInt64

    /// The argument equals this value.
    public static func equals(_ index: UInt32, _ value: UInt64) -> ArgumentTest {
        ArgumentTest(index: index, mask: .max, value: value)
    }

    /// The argument has this bit.
    public static func has(_ index: UInt32, bit: UInt64) -> ArgumentTest {
        ArgumentTest(index: index, mask: bit, value: bit)
    }

    /// Of these bits, the argument has those of `value` and no other.
    public static func bits(_ index: UInt32, _ mask: UInt64, are value: UInt64) -> ArgumentTest {
        ArgumentTest(index: index, mask: mask, value: value)
    }

    /// The argument has none of these bits.
    public static func lacks(_ index: UInt32, _ bits: UInt64) -> ArgumentTest {
        ArgumentTest(index: index, mask: bits, value: 0)
    }
}
