/// The numbers of OpenSSH's mux protocol, version 4, from PROTOCOL.mux, and from mux.c where that says more.
public enum MuxProtocol {
    /// The version in HELLO, unchanged since OpenSSH 5.4 (2010).
    public static let version: UInt32 = 4
    /// Bytes of the longest request without its length: a master closes a connection that claims more.
    public static let maximumRequest = 256 * 1024
    /// Bytes of the longest reply without its length. OpenSSH's masters send less than 1 KiB; the rest is room for
    /// extensions in a HELLO.
    public static let maximumReply = 16 * 1024
    /// Bytes of the longest reason that is kept or sent.
    public static let maximumReason = 500

    /// The forwarding type of a local forward.
    static let localForward: UInt32 = 1
    /// Stands for the port if the host before it is the path of a Unix socket.
    static let socketPort = UInt32.max - 1
    /// The escape character of a session that has none.
    static let noEscape = UInt32.max
}

/// The requests that the gate makes or takes.
enum RequestType: UInt32, CaseIterable {
    case hello = 0x0000_0001
    case newSession = 0x1000_0002
    case aliveCheck = 0x1000_0004
    case openForward = 0x1000_0006
    case closeForward = 0x1000_0007
}

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
