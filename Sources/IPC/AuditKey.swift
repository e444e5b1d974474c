/// An argument of a tool that the audit log keeps. Content (standard input, file content, edits) is not among them.
public enum AuditKey: String, CaseIterable, MessageChoice {
    case command, cwd
    /// The name of a variable; its value stays in the worker. The only key that may come more than once.
    case env
    case path
    case localPath = "local_path"
    case remotePath = "remote_path"
    case localPort = "local_port"
    case remoteHost = "remote_host"
    case remotePort = "remote_port"
    case forwardID = "forward_id"
    case pathBase64 = "path_base64"
    case remotePathBase64 = "remote_path_base64"
    case remoteSocket = "remote_socket"

    /// See `MessageChoice`.
    public static var kinds: [AuditKey] { allCases }
    /// The place of this key among all keys.
    public var number: UInt8 { UInt8(clamping: Self.allCases.firstIndex(of: self) ?? 0) }
    /// It has no fields.
    public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {}
}
