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
