internal import CLinux
internal import Glibc

/// A file descriptor with one owner: closed when its owner goes away, handed on only by a consuming call.
public struct OwnedFD: ~Copyable, Sendable {
    /// The descriptor's number, for calls that borrow it.
    public let rawValue: Int32

    /// Takes ownership of an open descriptor.
    public init(taking descriptor: Int32) {
        rawValue = descriptor
    }

    /// Gives the descriptor up without closing it; the caller owns it from here on.
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

    /// A duplicate above the numbers that a child's descriptors become, so that no dup2 there runs over another.
    public func duplicateForChild() throws(IPCError) -> OwnedFD {
        let number = fcntl(rawValue, F_DUPFD_CLOEXEC, 16)
        guard number >= 0 else { throw .system(call: "fcntl", errno: errno) }
        return OwnedFD(taking: number)
    }
}

/// Both ends of a new pipe, close-on-exec. Each is taken once, by `take()`.
public struct Pipe: ~Copyable {
    /// Where bytes come out.
    public var readEnd: OwnedFD?
    /// Where bytes go in.
    public var writeEnd: OwnedFD?

    /// Makes a pipe, pipe2(2).
    public init() throws(IPCError) {
        var first: Int32 = -1
        var second: Int32 = -1
        guard csd_pipe(&first, &second) == 0 else { throw .system(call: "pipe2", errno: errno) }
        readEnd = OwnedFD(taking: first)
        writeEnd = OwnedFD(taking: second)
    }
}

/// A descriptor with several owners: closed when the last one goes away.
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
