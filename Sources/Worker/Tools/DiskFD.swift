public import IPC
internal import Threads

/// A descriptor of a local file. It is closed on another thread, because closing may wait for a file system that does not
/// answer.
public final class DiskFD: Sendable {
    private let descriptor: SharedFD

    /// Takes ownership of a descriptor.
    public init(_ descriptor: consuming OwnedFD) {
        self.descriptor = SharedFD(descriptor)
    }

    /// The descriptor's number, for calls that borrow it.
    public var rawValue: Int32 { descriptor.rawValue }

    deinit {
        let last = descriptor
        Apart.closing.add { withExtendedLifetime(last) {} }
    }
}
