/// The requests that OpenSSH's master takes and the gate refuses.
public enum RefusedRequest: UInt32, CaseIterable, Sendable {
    /// Ends the master.
    case terminate = 0x1000_0005
    /// Opens a forward. Only the supervisor assigns forwards.
    case openForward = 0x1000_0006
    /// Closes a forward.
    case closeForward = 0x1000_0007
    /// Connects a client's standard streams with an address, `ssh -W`.
    case stdioForward = 0x1000_0008
    /// Closes the master's socket.
    case stopListening = 0x1000_0009
    /// Speaks the SSH connection protocol directly, with power over every other session of the master.
    case proxy = 0x1000_000f
    /// Tells about the connection and its channels; OpenSSH 10.
    case extendedInfo = 0x2000_0001
}
