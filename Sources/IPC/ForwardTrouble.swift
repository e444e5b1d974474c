/// What is wrong with a forward. The worker puts it into words.
public enum ForwardTrouble: UInt8, CaseIterable, MessageChoice {
    /// A worker without a client has its master cancel it.
    case closing = 1
    /// Nothing listens on its port any more.
    case notListening
    /// Another process listens on its port.
    case otherListener
    /// The master did not answer in time: the port may be opened yet, and is closed then.
    case masterSilent
    /// The master could not listen on its port.
    case notOpened
    /// The master is not up.
    case masterDead
    /// It could not be written down.
    case notWritten
    /// Its master was asked to cancel it, and did not.
    case notCancelled

    /// What is wrong with the forward of this host and port, as a clause: one wording for the log and for clients.
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
