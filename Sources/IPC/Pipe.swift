internal import CLinux
internal import Glibc

/// Both ends of a new pipe, close-on-exec. Each is taken once, by `take()`.
public struct Pipe: ~Copyable {
    /// The end to read from.
    public var readEnd: OwnedFD?
    /// The end to write to.
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
