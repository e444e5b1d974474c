internal import CLinux

/// The descriptors of one message, in order. There are at most three: standard input, output and error of a session.
public struct PassedDescriptors: ~Copyable, Sendable {
    /// How many a message may carry.
    public static let maximum = Int(CSD_MAXIMUM_DESCRIPTORS)

    private var first: OwnedFD?
    private var second: OwnedFD?
    private var third: OwnedFD?

    /// No descriptors.
    public init() {}

    /// The descriptors of a session.
    public init(_ first: consuming OwnedFD, _ second: consuming OwnedFD, _ third: consuming OwnedFD) {
        self.first = consume first
        self.second = consume second
        self.third = consume third
    }

    /// Takes ownership of these descriptors, and closes those that are too many.
    public init(taking numbers: ArraySlice<Int32>) {
        for number in numbers { append(OwnedFD(taking: number)) }
    }

    /// How many are left.
    public var count: Int { numbers.count }

    /// Their numbers, for calls that borrow them.
    var numbers: [Int32] { Self.number(first) + Self.number(second) + Self.number(third) }

    /// Adds one behind those that are there, before any is taken; a fourth is closed.
    public mutating func append(_ descriptor: consuming OwnedFD) {
        switch count {
        case 0: first = consume descriptor
        case 1: second = consume descriptor
        case 2: third = consume descriptor
        default: break
        }
    }

    /// Gives the next descriptor away; nil if none is left.
    public mutating func take() -> OwnedFD? {
        if let next = first.take() { return next }
        if let next = second.take() { return next }
        return third.take()
    }

    private static func number(_ descriptor: borrowing OwnedFD?) -> [Int32] {
        switch descriptor {
        case .some(let owned): [owned.rawValue]
        case .none: []
        }
    }
}
