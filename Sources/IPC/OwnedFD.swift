internal import Glibc

/// A file descriptor with one owner. It is closed when its owner goes, and it can be given away only by a consuming call.
public struct OwnedFD: ~Copyable, Sendable {
    /// The descriptor's number, for calls that borrow it.
    public let rawValue: Int32

    /// Takes ownership of an open descriptor.
    public init(taking descriptor: Int32) {
        rawValue = descriptor
    }

    /// Gives the descriptor away without closing it. The caller owns it from here on.
    public consuming func release() -> Int32 {
        let descriptor = rawValue
        discard self
        return descriptor
    }

    deinit {
        close(rawValue)
    }

    /// Sets `O_NONBLOCK`, fcntl(2).
    public func setNonBlocking() throws(IPCError) {
        let flags = fcntl(rawValue, F_GETFL)
        guard flags >= 0, fcntl(rawValue, F_SETFL, flags | O_NONBLOCK) == 0 else {
            throw .system(call: "fcntl", errno: errno)
        }
    }

    /// A duplicate whose number is above those that a child's descriptors get, so that dup2(2) in the child closes none of them.
    public func duplicateForChild() throws(IPCError) -> OwnedFD {
        let number = fcntl(rawValue, F_DUPFD_CLOEXEC, 16)
        guard number >= 0 else { throw .system(call: "fcntl", errno: errno) }
        return OwnedFD(taking: number)
    }
}
