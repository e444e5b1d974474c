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
