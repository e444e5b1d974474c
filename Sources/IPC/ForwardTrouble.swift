/// What is wrong with a forward.
public enum ForwardTrouble: UInt8, CaseIterable, MessageChoice {
    /// A worker without a client has its master cancel it.
    case closing = 1
    /// Nothing listens on its port any more.
    case notListening
    /// Another process listens on its port.
    case otherListener
    /// The master did not answer in time. If it still opens the port, that is closed again.
    case masterSilent
    /// The master could not listen on its port.
    case notOpened
    /// The master is not up.
    case masterDead
    /// The forward could not be written down.
    case notWritten
    /// The master was asked to cancel the forward, and did not.
    case notCancelled

    /// What is wrong with the forward of this host and port, as a clause for the log and for clients.
    public func clause(host: String, localPort: UInt16) -> String {
        switch self {
        case .closing: "it is being closed"
        case .notListening:
            "nothing listens on 127.0.0.1:\(localPort) any more: its ControlMaster ended, or the forward was cancelled there"
        case .otherListener: "another process listens on 127.0.0.1:\(localPort) now"
        case .masterSilent:
            "the ControlMaster did not answer in time; the port may be opened yet, and is closed then"
        case .notOpened: "the ControlMaster could not listen on 127.0.0.1:\(localPort)"
        case .masterDead: "the ControlMaster of \"\(host)\" is not up"
        case .notWritten: "it could not be written down"
        case .notCancelled: "it could not be closed"
        }
    }
}
