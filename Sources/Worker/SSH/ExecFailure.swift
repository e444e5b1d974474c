public import IPC

/// Why a command has no result.
public enum ExecFailure: Error, Sendable {
    /// The ControlMaster does not answer; nothing has run.
    case masterDown(MasterDown)
    /// The working directory cannot be entered; nothing has run. `detail` is what the shell said.
    case directory(detail: String)
    /// The working directory leads out of its tree; nothing has run.
    case outside
    /// The line for the host is longer than an argument may be; nothing has run.
    case tooLong(bytes: Int, limit: Int)
    /// The host has no free session, and none became free in time; nothing has run.
    case noSession(SessionShortage)
    /// The command had not started within this time, and was given up. `detail` is what the login shell printed.
    case notBegun(within: Duration, detail: String)
    /// The login shell ended before it started the command. `status` is nil if it is not known, and `detail` is what the shell
    /// printed.
    case notStarted(status: Int?, detail: String)
    /// The ControlMaster is logged in as somebody else than the config says; nothing has run.
    case otherUser(HostIdentity)
    /// The gate's policy does not allow the command; nothing has run.
    case notAllowed(GateRefusal)
    /// The ControlMaster opened no session; nothing has run. `detail` is what it said.
    case notOpened(detail: String)
    /// The connection was lost while the command ran; its outcome is unknown. `output` is the end of its standard output.
    case lost(output: String)
    /// Nothing came from the host, or from its ControlMaster, for `HostPulse.patience` or longer: whether the command has begun is
    /// unknown. Where nothing was asked of them yet, nothing has run.
    case unanswered(HostSessions.Reach, wasAsked: Bool)
    /// `ssh` cannot run here; nothing has run.
    case spawn(detail: String)
    /// The caller cancelled. The verdict tells how sure we are that nothing of the command still runs.
    case cancelled(StopVerdict)
}
