/// A descriptor with several owners. It is closed when the last one goes.
public final class SharedFD: Sendable {
    private let descriptor: OwnedFD

    /// Takes ownership of a descriptor.
    public init(_ descriptor: consuming OwnedFD) {
        self.descriptor = descriptor
    }

    /// The descriptor's number, for calls that borrow it.
    public var rawValue: Int32 { descriptor.rawValue }

    /// A duplicate with an owner of its own, close-on-exec.
    public func duplicate() throws(IPCError) -> OwnedFD { try descriptor.duplicateForChild() }
}
