/// The code of an SSH_FXP_STATUS, draft-ietf-secsh-filexfer-02 section 7.
public enum SFTPStatus: Equatable, Sendable {
    /// Done.
    case ok
    /// No more bytes or names.
    case endOfFile
    /// OpenSSH: also a part of the path that is no directory, and a loop of symlinks.
    case noSuchFile
    /// The user of the session may not do it.
    case permissionDenied
    /// Every failure without a code of its own, such as file exists, disk full, read-only file system, directory not
    /// empty.
    case failure
    /// OpenSSH: a name that is too long, or an invalid argument.
    case badMessage
    /// Only clients use this code.
    case noConnection
    /// Only clients use this code.
    case connectionLost
    /// The server does not know the request.
    case unsupported
    /// A code that version 3 does not have.
    case other(UInt32)

    init(code: UInt32) {
        switch code {
        case 0: self = .ok
        case 1: self = .endOfFile
        case 2: self = .noSuchFile
        case 3: self = .permissionDenied
        case 4: self = .failure
        case 5: self = .badMessage
        case 6: self = .noConnection
        case 7: self = .connectionLost
        case 8: self = .unsupported
        default: self = .other(code)
        }
    }
}

extension SFTPStatus {
    /// Texts that only repeat a code, as OpenSSH's server sends them.
    private static let codes: Set<String> = [
        "Success", "End of file", "No such file", "Permission denied", "Failure", "Bad message", "No connection",
        "Connection lost", "Operation unsupported", "Unknown error",
    ]

    /// Whether a server's text says more than the code.
    static func says(_ message: String) -> Bool { !message.isEmpty && !codes.contains(message) }

    /// Why it failed: what the server says or, if that says nothing, what the code says.
    public func words(_ message: String) -> String {
        Self.says(message) ? String(message.prefix(200)) : description
    }
}

/// In words, for where a server gives none.
extension SFTPStatus: CustomStringConvertible {
    /// What the code says.
    public var description: String {
        switch self {
        case .ok: "it answered that all is well"
        case .endOfFile: "end of file"
        case .noSuchFile: "no such file"
        case .permissionDenied: "permission denied"
        case .failure: "it failed, and the host does not say why"
        case .badMessage: "the name is too long, or a value is invalid"
        case .noConnection: "no connection"
        case .connectionLost: "connection lost"
        case .unsupported: "the host cannot do this"
        case .other(let code): "the host answers with status \(code)"
        }
    }
}
