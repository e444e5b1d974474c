/// How to write a file.
public struct WriteOptions: Sendable {
    /// What to do with a file that exists.
    public var policy: WritePolicy
    /// Permission bits, at most 0777. nil keeps those of a file that exists, and leaves those of a new one to the
    /// host's umask.
    public var mode: UInt32?
    /// Permission bits, at most 0777, of which a new file gets those that the host's umask leaves, if `mode` is nil. nil for those
    /// that the host gives new files.
    public var permissions: UInt32?
    /// Whether to make the directories above it that are missing.
    public var createDirectories: Bool
    /// What the file must contain just before it is replaced, else the write fails with `.changed`; nil for any
    /// content.
    public var expected: [UInt8]?
    /// Whether to read back what was written, before the file gets its name if it can be written under another one. The
    /// write fails with `.differs` unless the SHA-256 is that of what was sent, or with `.damaged` if the file was
    /// overwritten in place.
    public var verifies = false
    /// Called with the number of bytes that the host has taken or that were read back so far, on any thread.
    public var progress: @Sendable (UInt64) -> Void = { _ in }

    /// Options of a write.
    public init(
        policy: WritePolicy, mode: UInt32? = nil, createDirectories: Bool = false, expected: [UInt8]? = nil
    ) {
        self.policy = policy
        self.mode = mode.map { $0 & 0o777 }
        self.createDirectories = createDirectories
        self.expected = expected
    }
}
