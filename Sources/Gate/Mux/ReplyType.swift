/// The replies that a master may send.
public enum ReplyType: UInt32, CaseIterable, Sendable {
    /// The master's version and extensions.
    case hello = 0x0000_0001
    /// A forward was opened or closed.
    case ok = 0x8000_0001
    /// The user did not permit the request, `ControlMaster ask`.
    case permissionDenied = 0x8000_0002
    /// The request failed.
    case failure = 0x8000_0003
    /// The exit status of a session's command.
    case exitMessage = 0x8000_0004
    /// The master lives.
    case alive = 0x8000_0005
    /// The host has opened the session.
    case sessionOpened = 0x8000_0006
    /// The port that a host chose for a remote forward.
    case remotePort = 0x8000_0007
    /// The host gave the session no terminal.
    case ttyAllocFail = 0x8000_0008
    /// Information about the connection and its channels; OpenSSH 10.
    case extendedInfo = 0x9000_0001
}
