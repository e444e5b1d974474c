public import IPC
public import SSH

/// Why a call on remote files failed.
public indirect enum SFTPError: Error, Equatable, Sendable {
    /// The host has no SFTP subsystem, or something else answers in its place. Another transport may work.
    case noSubsystem(detail: String)
    /// The login shell ended before it ran anything, as `detail` tells, which also says what came of SFTP. Nothing was done.
    case shellEnded(detail: String)
    /// The ControlMaster does not answer. Nothing was done.
    case masterDown(MasterDown)
    /// The ControlMaster is logged in as somebody else than the config says. Nothing was done.
    case otherUser(HostIdentity)
    /// The gate does not open it by this rule of the policy. Nothing was done.
    case notAllowed(GateRule)
    /// There is no SFTP subsystem, as `detail` tells, and the policy does not allow files over a shell. Nothing was done.
    case shellNotAllowed(detail: String)
    /// The ControlMaster opened no session; `detail` is what it said. Nothing was done.
    case notOpened(detail: String)
    /// `ssh` cannot run on this machine. Nothing was done.
    case spawn(detail: String)
    /// No session was free in time; it has what held the sessions, if that is known. Nothing was done.
    case noSession(SessionShortage?)
    /// The connection ended during the call: what it changed is unknown, unless the call only reads.
    case lost(detail: String)
    /// The server sent what no SFTP server may send; the connection was given up.
    case broken(detail: String)
    /// Nothing came from the host for `HostPulse.patience`, and then no answer to a question of any kind. Where the connection was still
    /// to be opened nothing was done, else what the call changed is unknown, unless it only reads.
    case unanswered(HostSessions.Reach, wasOpen: Bool)
    /// The server did not answer for this long; the connection was given up.
    case silent(Duration)
    /// When the connection was opened, neither a server nor a shell answered for this long; `seen` is what came
    /// instead. Nothing was done.
    case hung(Duration, seen: String)
    /// The session for the content did not begin to take it within this time; nil if it ended before. `seen` is what came
    /// instead. Nothing of the content was sent.
    case notTaken(Duration?, seen: String)
    /// The server answered, but more slowly than a call may take, see `ProgressDeadline`.
    case slow
    /// The task was cancelled.
    case cancelled
    /// The server refused the request. `path` is the path of the call, `call` the packet's name in the draft without
    /// `SSH_FXP_`, or the extension's name.
    case refused(SFTPStatus, call: String, path: [UInt8], message: String)
    /// The user of the session may not do it. What the host shows of the path and of a directory above it.
    case denied(path: [UInt8], [Standing])
    /// The file system is mounted for reading only.
    case readOnly(path: [UInt8])
    /// A name of the path has this many bytes, and the file system takes so many at most, if that is known.
    case nameTooLong(path: [UInt8], bytes: Int, most: Int?)
    /// The user's quota there is used up.
    case quota(path: [UInt8])
    /// The write failed with this error, and its temporary file of this path may have stayed.
    case leaves([UInt8], SFTPError)
    /// Overwriting in place failed with this error. The file of this path has the old content.
    case kept([UInt8], SFTPError)
    /// Reading or writing needs a regular file.
    case notRegular(FileType, path: [UInt8])
    /// A file of this kind has that name already.
    case exists(FileType, path: [UInt8])
    /// `path`, resolved by the host, is not in the base directory.
    case outside(path: [UInt8])
    /// The base directory, resolved by the host, is its root directory, which confines nothing.
    case baseIsRoot
    /// The directory has more entries than a listing may have, or names that are too long together.
    case tooManyEntries(limit: Int)
    /// The file changed while it was worked on.
    case changed(path: [UInt8])
    /// The file says that it is empty but gave more than this many bytes, so it is not known where it ends.
    case endless(limit: UInt64, path: [UInt8])
    /// No space is left on the file system of `path`, as far as the host tells.
    case noSpace(path: [UInt8])
    /// The host's server lacks what the call needs.
    case unsupported(String)
    /// The local side of a transfer failed, as this sentence tells.
    case local(detail: String)
    /// What was read back after a transfer differs in size or SHA-256 from what was transferred. Nothing was changed.
    case differs(path: [UInt8])
    /// Overwriting the file in place failed, as `detail` tells. The file may have some of its old and some of its new
    /// content.
    case damaged(path: [UInt8], detail: String)
}
