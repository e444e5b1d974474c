/// What the gate asks of a master. A connection takes one session, or any number of controls one after the other.
public enum MasterRequest: Equatable, Sendable {
    /// A request that the master answers by itself, at once.
    case control(ControlRequest)
    /// A session, which the host must open. Its descriptors are sent with it.
    case session(MuxSession)
}

/// A request that a master answers by itself.
public enum ControlRequest: Equatable, Sendable {
    /// Asks whether the master lives.
    case alive
    /// Asks the master to listen and to forward. A master that already has this very forward says that it is opened.
    case openForward(MuxForward)
    /// Asks the master to stop listening. Connections that it has accepted live on.
    case closeForward(MuxForward)
}

/// What was seen of a master: its answer, or that none came.
public enum MasterFact: Equatable, Sendable {
    /// The master answers, and has this process id.
    case alive(masterPID: UInt32)
    /// The host has opened the session, and was sent the command.
    case sessionOpened
    /// The session's command has ended with this status, which can be any number that the host sent. Some of its output
    /// may still be to come, and other processes may keep the session open.
    case sessionExited(status: UInt32)
    /// The session is over, and the pipes have all of its output that reached the master. There is no status if a
    /// signal ended the command, if the host refused to start it, or if the master or the connection to the host was
    /// lost. An alive check then shows whether the master or the connection was lost. The host may count the session
    /// for a moment longer and refuse another one meanwhile.
    case sessionEnded(status: UInt32?)
    /// The master listens.
    case forwardOpened
    /// The master does not listen any more.
    case forwardClosed
    /// The master refused the request, or the request failed.
    case refused(MuxRefusal)
    /// The connection is over, and no answer has come.
    case failed(MasterFailure, Outcome)
}

/// The answer of a master that did not do what it was asked.
public struct MuxRefusal: Equatable, Sendable {
    /// Whether the user did not permit it (`ControlMaster ask`).
    public let isDenied: Bool
    /// The master's words, at most `MuxProtocol.maximumReason` bytes.
    public let reason: String

    /// Whether the host opened no session, most often because `MaxSessions` of them (sshd_config(5)) are open. No
    /// command has run.
    public var isByHost: Bool { !isDenied && reason == "Session open refused by peer" }
}

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

/// What a failure says about the request.
public enum Outcome: Equatable, Sendable {
    /// The master does not have the whole request: nothing has happened, and nothing will.
    case nothingAsked
    /// The master has the request. It may have acted on it, or may still do so if it was only stopped.
    case unknown
}
