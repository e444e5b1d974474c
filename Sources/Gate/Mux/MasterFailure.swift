/// Why a connection is over.
public enum MasterFailure: Equatable, Sendable {
    /// The master closed the connection if errno is 0; else a system call failed with it.
    case lost(errno: Int32)
    /// No answer came in time.
    case silent
    /// The master broke the protocol.
    case violation(MuxViolation)
    /// The master speaks this other version of the protocol.
    case otherVersion(UInt32)
}
