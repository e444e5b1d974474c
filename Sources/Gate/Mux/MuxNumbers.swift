/// The numbers of OpenSSH's mux protocol, version 4: PROTOCOL.mux, and mux.c where that says more.
public enum MuxProtocol {
    /// The version in HELLO, unchanged since OpenSSH 5.4 (2010).
    public static let version: UInt32 = 4
    /// Bytes of the longest request, without the four of its length: a master drops a connection that claims more.
    public static let maximumRequest = 256 * 1024
    /// Bytes of the longest reply. A master's own are below 1 KiB; the rest is for extensions that a HELLO may name.
    public static let maximumReply = 16 * 1024
    /// Bytes of a reason that are kept and sent.
    public static let maximumReason = 500

    /// The forwarding type of a local forward.
    static let localForward: UInt32 = 1
    /// Stands for a port where the host before it is the path of a Unix socket.
    static let socketPort = UInt32.max - 1
    /// The escape character of a session that has none.
    static let noEscape = UInt32.max
}

/// What a client may ask of a master.
enum RequestType: UInt32, CaseIterable {
    case hello = 0x0000_0001
    case newSession = 0x1000_0002
    case aliveCheck = 0x1000_0004
    case openForward = 0x1000_0006
    case closeForward = 0x1000_0007
}

/// What a client may ask of OpenSSH's master and never of this one.
public enum RefusedRequest: UInt32, CaseIterable, Sendable {
    /// End the master.
    case terminate = 0x1000_0005
    /// Open a forward; forwards are the supervisor's to assign.
    case openForward = 0x1000_0006
    /// Close a forward.
    case closeForward = 0x1000_0007
    /// Connect a client's standard streams with an address, `ssh -W`.
    case stdioForward = 0x1000_0008
    /// Close the master's socket.
    case stopListening = 0x1000_0009
    /// Speak the connection protocol directly, with the power over every other session of the master.
    case proxy = 0x1000_000f
    /// Tell about connection and channels; OpenSSH 10.
    case extendedInfo = 0x2000_0001
}

/// What a master may answer.
public enum ReplyType: UInt32, CaseIterable, Sendable {
    /// The master's version and extensions.
    case hello = 0x0000_0001
    /// A forward was opened or closed.
    case ok = 0x8000_0001
    /// The user did not permit it, `ControlMaster ask`.
    case permissionDenied = 0x8000_0002
    /// It did not come about.
    case failure = 0x8000_0003
    /// The exit status of a session's command.
    case exitMessage = 0x8000_0004
    /// The master lives.
    case alive = 0x8000_0005
    /// The host has opened the session.
    case sessionOpened = 0x8000_0006
    /// The port that a host chose for a remote forward.
    case remotePort = 0x8000_0007
    /// The host gave no terminal.
    case ttyAllocFail = 0x8000_0008
    /// About connection and channels; OpenSSH 10.
    case extendedInfo = 0x9000_0001
}
