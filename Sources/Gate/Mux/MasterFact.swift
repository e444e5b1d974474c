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
