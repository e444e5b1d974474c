/// What the gate asks of a master. A connection takes any number of controls, one after the other, or one session.
public enum MasterRequest: Equatable, Sendable {
    /// Something that the master answers by itself, at once.
    case control(ControlRequest)
    /// A session, which the host must open. Its descriptors go with it.
    case session(MuxSession)
}

/// What a master answers by itself.
public enum ControlRequest: Equatable, Sendable {
    /// Whether it lives.
    case alive
    /// Listen, and forward. A master that has this very forward says that it is opened.
    case openForward(MuxForward)
    /// Stop listening. Connections that came in before live on.
    case closeForward(MuxForward)
}

/// What was seen of a master: its words, or that none came.
public enum MasterFact: Equatable, Sendable {
    /// It answers, as this process.
    case alive(masterPID: UInt32)
    /// The host has opened the session, and was sent the command.
    case sessionOpened
    /// The session's command has ended with this status, any number that the host sent. Its output may still be on the
    /// way, and other processes may keep the session open.
    case sessionExited(status: UInt32)
    /// The session is over, and what the master had of its output is in the pipes. Without a status: the command died by a
    /// signal, or the host refused to start it, or master or connection were lost. An alive check tells the last apart from
    /// the others. The host may count the session for a moment longer, and refuse another one meanwhile.
    case sessionEnded(status: UInt32?)
    /// The master listens.
    case forwardOpened
    /// The master does not listen any more.
    case forwardClosed
    /// What was asked for did not come about.
    case refused(MuxRefusal)
    /// The connection is over without the answer.
    case failed(MasterFailure, Outcome)
}

/// A master's no.
public struct MuxRefusal: Equatable, Sendable {
    /// The user did not permit it (`ControlMaster ask`).
    public let isDenied: Bool
    /// The master's words, bounded.
    public let reason: String

    /// The host opened no session, most often because it has `MaxSessions` (sshd_config(5)) open. Nothing has run.
    public var isByHost: Bool { !isDenied && reason == "Session open refused by peer" }
}

/// Why a connection is over.
public enum MasterFailure: Equatable, Sendable {
    /// The master closed it, errno 0, or a system call failed.
    case lost(errno: Int32)
    /// No answer came in time.
    case silent
    /// The master broke the protocol.
    case violation(MuxViolation)
    /// The master speaks this other version.
    case otherVersion(UInt32)
}

/// What a failure leaves of the request.
public enum Outcome: Equatable, Sendable {
    /// The master did not have the whole request: nothing has happened, and nothing will.
    case nothingAsked
    /// The master was asked: it may have happened, or happen yet where the master was only stopped.
    case unknown
}
